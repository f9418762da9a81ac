"""The colours of classes: the map that PASCAL VOC paints its masks with."""

import numpy as np
from numpy.typing import NDArray

VOC_NAMES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""The classes of PASCAL VOC by index: Everingham et al., The PASCAL Visual Object Classes
Challenge: A Retrospective, IJCV 2015, section 2."""


def voc_colours(count: int = 256) -> NDArray[np.uint8]:
    """The colours of the first classes in PASCAL VOC's masks: uint8 (count, 3), RGB.

    The bits of an index go to red, green and blue in turn, the lowest three to the highest bit of
    each. No two of the 256 colours are equal; 255, void, is (224, 224, 192).

    Args:
        count: 1 … 256.

    Reference:
        VOClabelcolormap of the development kit of Everingham et al., The PASCAL Visual Object
        Classes Challenge 2012.
    """
    index = np.arange(count)[:, None]
    channel = np.arange(3)
    colours = np.zeros((count, 3), np.int64)
    for place in range(8):
        colours |= ((index >> (3 * place + channel)) & 1) << (7 - place)
    return colours.astype(np.uint8)
