"""Fine-tuning to a detector: boxes, RetinaNet on taps, mean average precision."""
