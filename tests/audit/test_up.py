import numpy as np
import pytest

from rotkeras.audit.up import weigh


def sure_of(turns, certainty=0.97):
    """The probabilities of a network that takes an image for one already turned by `turns`
    quarters: (4, 4)."""
    found = np.full((4, 4), (1 - certainty) / 3, np.float32)
    for view in range(4):
        found[view, (view + turns) % 4] = certainty
    return found


def test_an_upright_a_turned_and_an_ambiguous_image():
    up = weigh(np.stack([sure_of(0), sure_of(1), sure_of(3), np.full((4, 4), 0.25, np.float32)]))
    np.testing.assert_allclose(up.way_up[:3].argmax(axis=1), [0, 1, 3])
    np.testing.assert_allclose(up.way_up[1], [0.01, 0.97, 0.01, 0.01], atol=1e-6)
    np.testing.assert_allclose(up.way_up[3], [0.25] * 4)
    assert up.turned.tolist() == [False, True, True, False]
    assert up.ambiguous.tolist() == [False, False, False, True]
    assert up.right.tolist() == [1, 0, 0, 1 / 4]  # the first of equal angles is taken


def test_the_views_of_an_image_speak_together():
    views = sure_of(0)
    views[2] = [0.1, 0.1, 0.1, 0.7]  # one view is told wrong
    up = weigh(views[None])
    product = (
        np.array([np.prod([views[v, (v + o) % 4] for v in range(4)]) for o in range(4)]) ** 0.25
    )
    np.testing.assert_allclose(up.way_up[0], product / product.sum(), rtol=1e-5)
    assert not up.turned[0]
    assert up.right[0] == 0.75


def test_a_doubtful_turn_is_no_turn():
    assert not weigh(sure_of(2, 0.85)[None]).turned[0]
    assert weigh(sure_of(2, 0.95)[None]).turned[0]


def test_confusion_counts_views():
    up = weigh(np.stack([sure_of(0), sure_of(0), sure_of(2)]))
    np.testing.assert_allclose(up.confusion[1], [0, 2 / 3, 0, 1 / 3])
    np.testing.assert_allclose(up.confusion.sum(axis=1), 1)


def test_accuracy_and_its_interval():
    up = weigh(np.stack([sure_of(0)] * 30 + [sure_of(1)] * 10))
    accuracy, margin = up.accuracy()
    assert accuracy == 0.75
    assert margin == pytest.approx(1.96 * np.std([1] * 30 + [0] * 10, ddof=1) / 40**0.5)
    chosen = np.zeros(40, bool)
    assert up.accuracy(chosen) == (0.0, 0.5)
    chosen[35] = True
    assert up.accuracy(chosen) == (0.0, 0.5)


def test_images_that_lie_turned_together():
    everything = np.stack([sure_of(3, 0.6)] * 20 + [sure_of(0, 0.6)] * 5 + [sure_of(0)] * 30)
    up = weigh(everything)
    rows = np.arange(55)
    assert up.lies(rows < 25) == 270
    assert up.lies(rows >= 25) == 0
    assert up.lies((rows >= 17) & (rows < 24)) == 0  # three and four
    assert up.lies(rows < 1) == 0
    assert up.lies(rows < 0) == 0


def test_certain_zeros_do_not_break_it():
    up = weigh(np.eye(4, dtype=np.float32)[None])
    np.testing.assert_allclose(up.way_up[0], [1, 0, 0, 0], atol=1e-5)
