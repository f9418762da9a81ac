"""What modes are called; nothing here imports Keras, so that tables can be printed at once."""

MODES: dict[str, str] = {
    "frozen": "the pre-trained backbone, frozen",
    "fine_tuned": "the pre-trained backbone, trained further",
    "random": "an untrained backbone, frozen",
    "scratch": "the same network, untrained, trained on the labels alone",
}
"""Mode -> what it is."""

MODE_NAMES = {
    "random": "untrained",
    "frozen": "trained",
    "fine_tuned": "fine-tuned",
    "scratch": "from scratch",
}
"""What the modes are called where people read."""
