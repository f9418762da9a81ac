"""Anchors, decoding and non-maximum suppression in NumPy, against hand arithmetic, keras-cv and
TensorFlow."""

import numpy as np
import pytest

from rotkeras.device.boxes import Anchors, Detections, decode, detections, overlaps, suppress
from rotkeras.errors import UserError

ONE = Anchors(strides=(4,), sizes=(8.0,), scales=(1.0,), aspect_ratios=(1.0, 4.0))


def some_boxes(count, side, seed):
    random = np.random.default_rng(seed)
    begin = random.uniform(0, side * 0.8, (count, 2))
    return np.concatenate([begin, begin + random.uniform(1, side / 2, (count, 2))], 1).astype("f4")


def test_anchors_by_hand():
    # Centres (2, 2), (6, 2), … of a grid of 2 rows and 3 columns. A side of 8 with ratio 4 is
    # 16 wide and 4 high. All is cut to 6 × 10 pixels (the last column is filled by half).
    found = ONE((6, 10))
    assert found.shape == (2 * 3 * 2, 4)
    assert found.dtype == np.float32
    assert found[:4].tolist() == [[0, 0, 6, 6], [0, 0, 10, 4], [2, 0, 10, 6], [0, 0, 10, 4]]
    assert found[-2:].tolist() == [[6, 2, 10, 6], [2, 4, 10, 6]]
    assert ONE.per_cell == 2


@pytest.mark.parametrize("size", [(128, 128), (100, 260)])
@pytest.mark.parametrize(
    "anchors", [Anchors(), Anchors((16, 32), (24.0, 99.0), (0.7, 1.3), (0.4, 1.0, 3.0))]
)
def test_anchors_and_decoding_are_those_of_keras_cv(size, anchors):
    keras_cv = pytest.importorskip("keras_cv")
    from keras_cv.src.bounding_box.converters import _decode_deltas_to_boxes

    peer = keras_cv.layers.AnchorGenerator(
        bounding_box_format="xyxy",
        sizes=list(anchors.sizes),
        scales=list(anchors.scales),
        aspect_ratios=list(anchors.aspect_ratios),
        strides=list(anchors.strides),
        clip_boxes=True,
    )
    expected = np.concatenate([np.asarray(each) for each in peer(image_shape=(*size, 3)).values()])
    found = anchors(size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)

    raw = np.random.default_rng(0).normal(0, 3, (len(found), 4)).astype(np.float32)
    boxes = _decode_deltas_to_boxes(
        anchors=expected,
        boxes_delta=raw,
        anchor_format="xyxy",
        box_format="xyxy",
        variance=[0.1, 0.1, 0.2, 0.2],
        image_shape=(*size, 3),
    )
    np.testing.assert_allclose(decode(raw, found), boxes, rtol=1e-5, atol=2e-3)


def test_decoding_by_hand_takes_rows_before_columns():
    # An anchor 10 wide and 20 high around (5, 10): a row step of 1 is 0.1 × 20 = 2 pixels down, a
    # column step of 2 is 0.2 × 10 = 2 pixels right; heights are doubled by log(2) / 0.2.
    raw = np.array([[1.0, 2.0, np.log(2) / 0.2, 0.0]], np.float32)
    found = decode(raw, np.array([[0, 0, 10, 20]], np.float32))
    np.testing.assert_allclose(found, [[2, -8, 12, 32]], atol=1e-5)
    wild = decode(np.full((1, 4), 1e9, np.float32), np.array([[0, 0, 10, 20]], np.float32))
    assert np.isfinite(wild).all()


def test_overlaps_by_hand():
    one = np.array([[0, 0, 4, 4], [2, 2, 2, 2]], np.float32)
    other = np.array([[2, 0, 6, 4], [4, 0, 8, 4], [0, 0, 4, 4], [2, 2, 2, 2]], np.float32)
    # 8 of 16 + 16 - 8; side by side; the same; empty boxes overlap nothing, not even themselves.
    np.testing.assert_allclose(overlaps(one, other), [[1 / 3, 0, 1, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("iou", [0.2, 0.5, 0.8])
def test_suppression_is_that_of_tensorflow(iou):
    import tensorflow as tf

    corners = some_boxes(300, 100, 1)
    scores = np.round(np.random.default_rng(2).random(300), 2).astype(np.float32)  # with ties
    order = np.argsort(-scores, kind="stable")
    found = order[suppress(corners[order], iou, 40)]
    peer = tf.image.non_max_suppression(corners[:, [1, 0, 3, 2]], scores, 40, iou)
    assert found.tolist() == peer.numpy().tolist()


def test_detections_are_those_of_tensorflow_class_by_class():
    import tensorflow as tf

    random = np.random.default_rng(3)
    anchors = Anchors((8, 16), (16.0, 32.0))((64, 64))
    raw = random.normal(0, 1, (len(anchors), 4)).astype(np.float32)
    logits = random.normal(-3, 1.5, (len(anchors), 3)).astype(np.float32)
    found = detections(
        raw, logits, anchors, (64, 64), (64, 64), logits=True, least_score=0.2, most=10_000
    )
    scores = tf.sigmoid(logits).numpy()
    corners = decode(raw, anchors)
    expected = []
    for each in range(3):
        rows = tf.image.non_max_suppression(
            corners[:, [1, 0, 3, 2]], scores[:, each], 10_000, 0.5, 0.2
        ).numpy()
        expected += [(round(float(scores[row, each]), 4), each) for row in rows]
    assert len(found) > 100
    listed = zip(found.scores.tolist(), found.classes.tolist(), strict=True)
    assert sorted((round(score, 4), each) for score, each in listed) == sorted(expected)
    assert (np.diff(found.scores) <= 0).all()
    best = detections(raw, logits, anchors, (64, 64), (64, 64), logits=True, most=7)
    assert best.scores.tolist() == found.scores[:7].tolist()


def test_boxes_come_back_in_pixels_of_the_photograph():
    # The network sees 10 × 20 of a photograph of 30 × 40: rows times 3, columns times 2. The second
    # box reaches out by the right and is cut; the third lies outside; the fourth scores too little.
    anchors = np.array([[0, 0, 4, 4], [16, 4, 24, 8], [20, 0, 24, 4], [8, 0, 12, 4]], np.float32)
    scores = np.array([[0.9, 0], [0, 0.5], [0.8, 0], [0.05, 0]], np.float32)
    found = detections(np.zeros((4, 4)), scores, anchors, (10, 20), (30, 40))
    assert found.corners.tolist() == [[0, 0, 8, 12], [32, 12, 40, 24]]
    assert found.classes.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])
    assert [each.dtype for each in (found.corners, found.classes, found.scores)] == [
        np.float32,
        np.int64,
        np.float32,
    ]


def test_a_box_of_two_classes_stays_in_both_and_nothing_found_is_empty():
    anchors = np.array([[0, 0, 4, 4], [0, 0, 4, 4]], np.float32)
    scores = np.array([[0.9, 0.6], [0.8, np.nan]], np.float32)
    found = detections(np.zeros((2, 4)), scores, anchors, (4, 4), (4, 4))
    assert found.classes.tolist() == [0, 1]
    empty = detections(np.zeros((2, 4)), scores, anchors, (4, 4), (4, 4), least_score=0.95)
    assert len(empty) == len(Detections.none()) == 0
    assert empty.corners.shape == (0, 4)


def test_wrong_arguments():
    with pytest.raises(UserError, match=r"sizes of anchors must be as many as the 5 strides"):
        Anchors(sizes=(32.0,))
    with pytest.raises(UserError, match=r"scales of anchors must be positive"):
        Anchors(scales=())
    with pytest.raises(UserError, match=r"raw boxes must be of shape \(2, 4\)"):
        detections(np.zeros((3, 4)), np.zeros((2, 1)), np.zeros((2, 4), "f4"), (4, 4), (4, 4))
    with pytest.raises(UserError, match=r"scores must be of shape \(2, classes\)"):
        detections(np.zeros((2, 4)), np.zeros(2), np.zeros((2, 4), "f4"), (4, 4), (4, 4))
