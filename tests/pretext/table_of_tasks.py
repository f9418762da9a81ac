"""The lines of the suite that holds all tasks (`test_tasks.py`). A new task is a line here."""

SMALL_TILES = {"gap": 0.0, "embedding_units": 8, "hidden_units": 8}
"""Tiles of 5 pixels, of images of 16."""

TASKS = {
    "amdim": {"hidden_units": 8, "projection_units": 8},
    "amdim, one tap": {"hidden_units": 8, "projection_units": 8, "local_taps": ["conv2"]},
    "relative_patch": SMALL_TILES,
    "relative_patch, one pair": {**SMALL_TILES, "pairs": "one", "color_dropping": 0.5},
    "jigsaw": {**SMALL_TILES, "permutations": 8, "permutations_per_image": 2},
    "jigsaw, not moved": {
        **SMALL_TILES,
        "permutations": 4,
        "permutations_per_image": 1,
        "jitter": 0.0,
        "grayscale": 0.0,
        "standardize": False,
    },
    "exemplar": {"copies": 3, "embedding_units": 8},
    "exemplar, classes": {"kind": "classes", "copies": 2},
    "aet": {"scale": [0.9, 1.1]},
    "aet, affine": {"kind": "affine"},
    "rotation": {},
    "rotation, one view": {"views": "one"},
    "rotation by eight": {"angles": [0, 45, 90, 135, 180, 225, 270, 315]},
    "essl": {
        "base_settings": {"hidden_units": 8, "projection_units": 4},
        "rotation_hidden_units": 8,
    },
    "essl, on MoCo": {
        "base": "moco",
        "base_settings": {"hidden_units": 8, "projection_units": 4, "queue_size": 64},
        "rotation_hidden_units": 8,
    },
    "essl, on BYOL": {
        "base": "byol",
        "base_settings": {"hidden_units": 8, "projection_units": 4},
        "rotation_hidden_units": 8,
    },
    "essl, on SimSiam": {
        "base": "simsiam",
        "base_settings": {"hidden_units": 8, "projection_units": 4},
        "rotation_hidden_units": 8,
    },
    "simclr": {"hidden_units": 8, "projection_units": 4},
    "simclr, blurred": {"hidden_units": 8, "projection_units": 4, "blur": 0.5},
    "moco": {"hidden_units": 8, "projection_units": 4, "queue_size": 64},
    "moco, without batch norm": {
        "hidden_units": 8,
        "projection_units": 4,
        "queue_size": 64,
        "head_batch_norm": False,
    },
    "byol": {"hidden_units": 8, "projection_units": 4},
    "byol, solarized": {"hidden_units": 8, "projection_units": 4, "solarize": 0.5},
    "simsiam": {"hidden_units": 8, "projection_units": 8, "prediction_units": 4},
    "barlow_twins": {"hidden_units": 8, "projection_units": 4},
    "vicreg": {"hidden_units": 8, "projection_units": 4},
    "instance_discrimination": {"projection_units": 8, "negatives_per_image": 4},
    "instance_discrimination, fixed": {
        "projection_units": 8,
        "negatives_per_image": 4,
        "fixed_normaliser": True,
    },
    "swav": {"prototypes": 8, "hidden_units": 8, "projection_units": 4, "frozen_epochs": 0.5},
    "swav, small crops": {
        "prototypes": 8,
        "hidden_units": 8,
        "projection_units": 4,
        "frozen_epochs": 0.0,
        "local_crops": 2,
    },
}
"""Settings of tasks; the name of the task is the first word of the line."""
