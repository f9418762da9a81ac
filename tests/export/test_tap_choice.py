import keras
import numpy as np
from sklearn.linear_model import RidgeClassifier

from rotkeras.data.source import Images, Source
from rotkeras.export import parts_of
from rotkeras.export.tap_choice import choose_tap


def network():
    """A tap that is the picture itself, and one that is blind to it."""
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Identity(name="seeing")(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Identity(name="blind")(keras.layers.Rescaling(0.0, offset=1.0)(x))
    return keras.Model(inputs, x)


def colours(count, seed):
    """Two classes that differ in their mean colour."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    images = rng.integers(0, 120, (count, 16, 16, 3)) + 100 * labels[
        :, None, None, None
    ] * np.array([1, 0, 0])
    return Images.of(images.astype(np.uint8), labels, ("dark", "red"))


def test_the_tap_with_the_best_vectors_on_validation_is_chosen():
    train, validation = colours(80, 0), colours(60, 1)
    model = network()
    source = Source("colours", train, validation)
    tap, scores, record = choose_tap(parts_of(model, "blind"), model, source)
    assert record["rivals"] == ["seeing"]
    assert tap == "seeing"
    means = [each.array.mean(axis=(1, 2)) for each in (train, validation)]
    expected = RidgeClassifier().fit(means[0], train.labels).score(means[1], validation.labels)
    assert scores["seeing"] == expected == 1.0
    assert 0.3 < scores["blind"] < 0.7


def test_without_labels_or_validation_it_is_the_second(digit_source):
    model = network()
    assert choose_tap(parts_of(model), model, Source("x", digit_source.train, None)) == (
        "blind",
        {},
        None,
    )
    plain = Images.of(digit_source.train.take(slice(0, 20)))
    assert choose_tap(parts_of(model), model, Source("x", plain, plain)) == ("blind", {}, None)


def test_on_few_images_the_second_tap_is_taken_and_the_choice_is_called_arbitrary():
    """Six images, of which the better tap has at most five more correct: p is 2/2⁵ or more. Images
    of a class without training images are left out."""
    train, validation = colours(80, 0), colours(8, 1)
    validation.labels[:2] = 2
    model = network()
    source = Source("colours", train, validation)
    tap, scores, record = choose_tap(parts_of(model), model, source)
    assert record["images"] == 6
    assert scores["seeing"] == 1.0
    assert (scores["seeing"] - scores["blind"]) * 6 <= 5
    assert (tap, record["arbitrary"], record["by"]) == ("blind", True, "default")
