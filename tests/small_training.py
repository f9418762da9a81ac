"""A recipe that trains in seconds, on the real digits."""

SMALL = {
    "name": "small",
    "data": {"embedded": "digits", "image_size": 16, "train_images": 320},
    "augmentation": [{"name": "pad_crop_flip", "padding": 1, "flip": False}],
    "backbone": {"blocks": 3, "width": 1 / 24},
    "train": {"epochs": 4, "images_per_batch": 16, "learning_rate": 0.05, "schedule": {"name": "one_cycle"}},
    "probe": {"every_epochs": 2, "train_images": 100},
}
