"""From which figures on an audit says that something is wrong, and the measurements that the limits
come from.

Each limit is held against the near end of a 95 % interval, so that few images never accuse; copies
are counted, and need none. Measured with seed 0 on 5000 images of CIFAR-10 (32 pixels) and 1200
photographs of ten ImageNet classes (64 and 96 pixels); the guide has the whole table, and what
measured it. "natural" is the images as they are.
"""

FEWEST_IMAGES = 500
"""Below this many images a network of seconds learns too little to call images unfit."""

FOLDER_MARGINS = 1.6
"""Margins (of 95 %) that a folder's accuracy must lie below its limit: three deviations, for there
may be many folders. With one
margin, dogs of CIFAR-10 were accused from 150 images (24.7 %); of 500 a network tells 30.8 ± 3.5
%."""

FEWEST_OF_A_FOLDER = 30
"""Below this many evaluated images nothing is said of a single folder."""

UP_ACCURACY = 0.30
"""Rotation accuracy whose upper end below this means no up. Natural: 59.2 ± 1.2 % and 44.9 ± 2.2 %;
CIFAR-10 with each
image turned at random: 25.1 ± 0.8 %."""

TURNED_SHARE = 0.05
"""Share of images taken for turned already. Natural: 0.2 % of CIFAR-10, 1.7 % of the photographs. A
tenth of CIFAR-10 turned at
random gives 0.5 %: a network of seconds is too unsure of single images to find so few, and the page
shows the likeliest."""

CORNERS_SHARE = 0.01
"""Share of images with empty corners. Natural: 0.1 % and 0.0 %; turned by 4 … 45°: 81 … 87 % and 76
… 84 %,
and after JPEG at quality 75 a half and more."""

TURNED_DUPLICATES_SHARE = 0.005
"""Share of images that are a turned copy of another: a label that contradicts another. Natural: 0.0
%."""

DUPLICATES_SHARE = 0.05
"""Share of images that are an upright copy of another. Natural: 0.0 %; a validation set split from
more is none."""

SHORTCUT_ACCURACY = {
    "border": 0.35,
    "mark": 0.35,
    "colour": 0.60,
    "grid": 0.40,
    "residue": 0.44,
    "lens": 0.40,
}
"""Share of views that a predictor may tell. Natural, at most: border 54.5, mark 51.6, colour 48.9,
grid 28.5, residue 42.2 %.
The first two are held against their controls as well, for sky and ground show at the edge of honest
photographs too."""

EXCESS = {"border": 0.15, "mark": 0.15}
"""How much more than its control a predictor may tell. Natural, at most: border 12.0, mark 13.9
points."""

COLOUR_EXPLAINS = 0.15
"""When mean colours tell too much, and the margin or the border at most this much more, they are
what tells. Light from one side:
8.2 points more at the border; a date stamp: 23.0; a bar at one side: 31.5."""

RESIDUE_TOLD_AND_EXCESS = (0.33, 0.06)
"""The residue is a shortcut below its limit too, when it tells this much and so much more than at
half the size: noise and codecs
live at one scale, content at all. Natural, at most: an excess of 5.0 ± 3.2 points; JPEG at its own
pixels: 14.8 ± 3.4."""

OF_TASKS: dict[str, dict[str, tuple[float, float | None]]] = {
    "classes": {
        "border": (0.30, 0.20),
        "mark": (0.30, 0.20),
        "colour": (0.15, None),
        "grid": (0.25, None),
        "residue": (0.25, None),
        "lens": (0.15, None),
        "edge": (0.27, 0.20),
    },
    "pairs": {
        "border": (0.40, None),
        "mark": (0.40, None),
        "colour": (0.20, None),
        "grid": (0.30, None),
        "residue": (0.30, None),
        "lens": (0.30, None),
    },
    "parameters": {
        "border": (0.30, 0.20),
        "mark": (0.30, 0.20),
        "colour": (0.30, None),
        "grid": (0.25, None),
        "residue": (0.25, None),
        "lens": (0.15, None),
    },
}
"""Of other tasks than rotation, by the kind of question: the skill that a predictor may have, (told
− chance) / (1 − chance), and how much more than its control in the same unit. Measured on CIFAR-10
and on photographs at 64, 96 and 224 pixels; the guide has the table.

Classes are positions of tiles, with a gap of a quarter of a cell. Natural, at most: border 25
(excess 15), mark 22 (12), colour 12, grid 13, residue 12, lens 6, edge 25 (16) %. Without
a gap: edge 34 … 74 (24 … 61) %; red enlarged by 0.2 … 1 %: lens 38 … 64 %; JPEG's own pixels:
grid 90 %; light that falls to a half in the corners: colour 17 and 18 %.

Pairs are the views of SimCLR, AMDIM and instance discrimination. Natural, at most: border 22, mark
22, colour 12, grid 2, residue 12, lens 10 %. Without colour jitter: colour 30 … 32 %; crops of 0.9
to 1 of the area: border 53 … 56 %. Controls tell as much there, since it is content that both views
share.

Parameters of transformations, of both kinds: natural, at most: colour 5 %, the others nothing. Few
images (600) give less than 0: the regression learns them by heart."""
