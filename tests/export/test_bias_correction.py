import numpy as np
import pytest
from small_training import three_taps

from rotkeras.export import parts_of, to_tflite
from rotkeras.export.bias_correction import _embed, correct_bias


@pytest.fixture(scope="module")
def made(digit_source, tmp_path_factory):
    """(an int8 file as the converter leaves it, images, Keras' embeddings, share of active
    positions)."""
    import keras

    from rotkeras.export import tflite

    keras.utils.set_random_seed(0)
    network = three_taps()
    for number, layer in enumerate(network.layers):
        if isinstance(
            layer, keras.layers.BatchNormalization
        ):  # of an untrained network all biases are zeros, in one buffer
            layer.beta.assign(np.random.default_rng(number).uniform(0, 1, layer.beta.shape))
    parts, images = parts_of(network, "conv3"), digit_source.train.take(slice(0, 120))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tflite, "_corrected", lambda parts, model, images: model)
        path = to_tflite(
            parts, tmp_path_factory.mktemp("file") / "a.tflite", "int8", calibration=images
        )
    maps = parts.taps.predict(images, verbose=0)["conv3"]
    return (
        path.read_bytes(),
        images,
        parts.embed.predict(images, verbose=0),
        (maps > 0).mean(axis=(0, 1, 2)),
    )


def shift(model, images, embeddings):
    return np.abs((_embed(model, images) - embeddings).mean(axis=0))


def moved(model, steps):
    """The same file with the biases of its last convolution moved by hand, as coarse rounding
    would."""
    from rotkeras.export.bias_correction import _bias_of_last_convolution

    offset, scales = _bias_of_last_convolution(model)
    content = bytearray(model)
    biases = np.frombuffer(content, "<i4", len(scales), offset) + np.rint(steps / scales).astype(
        np.int32
    )
    content[offset : offset + biases.nbytes] = biases.astype("<i4").tobytes()
    return bytes(content)


def test_a_shift_of_every_embedding_is_taken_back(made):
    model, images, embeddings, active = made
    wrong = moved(model, 0.2 * embeddings.max() * np.array([1, -1] * 4))
    right, corrected = correct_bias(wrong, images, embeddings, active)
    assert corrected
    assert shift(right, images, embeddings).sum() < 0.2 * shift(wrong, images, embeddings).sum()
    # Nothing else of the file has changed: eight numbers of four bytes.
    assert len(right) == len(wrong)
    assert 0 < sum(a != b for a, b in zip(right, wrong, strict=True)) <= 32


def test_a_file_never_gets_worse(made):
    model, images, embeddings, active = made
    right, _ = correct_bias(model, images, embeddings, active)
    assert shift(right, images, embeddings).sum() <= shift(model, images, embeddings).sum()


def test_other_structures_come_back_as_they_are(made, exported):
    _, images, embeddings, active = made
    orient = (exported / "orient.tflite").read_bytes()
    assert correct_bias(orient, images, embeddings, active) == (orient, False)
    floats = (exported / "encoder-float32.tflite").read_bytes()
    assert correct_bias(floats, images, embeddings, active) == (floats, False)
