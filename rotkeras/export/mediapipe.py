"""What tasks of MediaPipe read in a file beside TFLite's own metadata: how to decode it.

A task finds it in `custom_metadata`, by name. The layouts are those of MediaPipe's
image_segmenter_metadata_schema.fbs and object_detector_metadata_schema.fbs (file identifier V001
each). Without it ImageClassifier works, ImageSegmenter takes the output as it is, and
ObjectDetector refuses a file that gives raw boxes.
"""

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from rotkeras.device.boxes import VARIANCE
from rotkeras.export.tables import table, vector

SEGMENTER, DETECTOR = "SEGMENTER_METADATA", "DETECTOR_METADATA"
"""Names by which ImageSegmenter and ObjectDetector look for their own."""

DETECTOR_TENSORS = {"boxes": "location", "scores": "score"}
"""What ObjectDetector calls the outputs of a detector; without these names it takes them by their
order, which is the converter's."""

_NO_ACTIVATION = 0
_IDENTIFIER = b"V001"
_VERSION = "1.0.0"


def segmenter_options() -> bytes:
    """What ImageSegmenter reads: that the output is probabilities, so that it applies neither
    sigmoid nor softmax."""
    builder = flatbuffers.Builder(64)
    version = builder.CreateString(_VERSION)
    options = table(builder, {0: ("uint8", _NO_ACTIVATION), 1: ("table", version)})
    builder.Finish(options, _IDENTIFIER)
    return bytes(builder.Output())


def detector_options(anchors: NDArray[np.float32], size: tuple[int, int], classes: int) -> bytes:
    """What ObjectDetector reads of a file that gives raw boxes: the anchors, and how raw numbers
    become boxes.

    It takes (row, column, height, width) and decodes as `rotkeras.device.boxes.decode` does, save
    that it divides by scales where we multiply by variances.

    Args:
        anchors: (A, 4), corners in pixels, in the order of the file's boxes.
        size: (H, W) of what the network sees.
        classes: how many.

    Returns:
        A flatbuffer, of about 24 bytes for each anchor.
    """
    height, width = size
    corners = np.asarray(anchors, np.float64) / (width, height, width, height)
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    rows = np.concatenate([centres, corners[:, 2:] - corners[:, :2]], axis=1).tolist()
    builder = flatbuffers.Builder(32 * len(rows) + 1024)
    fixed = [
        table(builder, {slot: ("float32", value) for slot, value in enumerate(row)}) for row in rows
    ]
    schema = table(builder, {0: ("table", vector(builder, fixed))})
    ssd = table(builder, {0: ("table", schema)})
    row, column, high, wide = (1 / each for each in VARIANCE)
    decoding = table(
        builder,
        {
            0: ("int32", classes),
            1: ("int32", len(rows)),
            2: ("int32", 4),  # numbers of a box
            5: ("int32", 2),  # of a keypoint, of which there are none: MediaPipe ends without it
            6: ("float32", column),
            7: ("float32", row),
            8: ("float32", wide),
            9: ("float32", high),
            10: ("bool", True),  # sides are logarithms
            11: ("bool", False),  # scores are probabilities
        },
    )
    version = builder.CreateString(_VERSION)
    fields = {0: version, 1: ssd, 2: decoding}
    options = table(builder, {slot: ("table", offset) for slot, offset in fields.items()})
    builder.Finish(options, _IDENTIFIER)
    return bytes(builder.Output())
