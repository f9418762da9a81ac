"""Transfer: fine-tuning an encoder to a classifier, a detector or a segmenter."""
