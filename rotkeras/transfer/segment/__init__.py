"""Fine-tuning to a segmenter: masks, DeepLabV3+ and LR-ASPP, intersection over union."""
