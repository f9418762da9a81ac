"""Fine-tuning to a classifier, of one label or several."""
