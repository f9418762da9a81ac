"""Features that are the mean over patches: against NumPy, and in an evaluation."""

import itertools
import json

import keras
import numpy as np
import pytest
from small_training import quick_nin, three_taps

from rotkeras import UserError, recipe
from rotkeras.backbones import nin, taps
from rotkeras.backbones.input_shape import with_input_shape
from rotkeras.evaluate import Options, evaluate
from rotkeras.evaluate.evaluation import load_network, weights_digest
from rotkeras.evaluate.options import with_the_patches_of
from rotkeras.evaluate.patches import patch_network
from rotkeras.evaluate.tables import columns
from rotkeras.probes import extract


def settled(network):
    """The network with other batch statistics than those it begins with."""
    rng = np.random.default_rng(0)
    network.set_weights(
        [w + (rng.random(w.shape) * 0.5).astype(np.float32) for w in network.get_weights()]
    )
    return network


@pytest.mark.parametrize(
    ("size", "grid", "crop", "corner", "patch"),
    [
        ((32, 32), 3, 0.75, (4, 4), (8, 8)),
        ((33, 50), 2, 0.5, (8, 13), (8, 12)),  # 16 of 33 and 24 of 50, in the middle
        ((32, 32), 1, 1.0, (0, 0), (32, 32)),
        ((40, 32), 3, 1.0, (0, 1), (13, 10)),
    ],
)
def test_a_tap_is_the_mean_of_the_maps_of_patches(size, grid, crop, corner, patch):
    keras.utils.set_random_seed(0)
    network = settled(nin(blocks=3, width=1 / 24, input_shape=(*size, 3)))
    images = np.random.default_rng(1).integers(0, 256, (5, *size, 3), np.uint8)
    made = patch_network(network, grid, crop)
    assert taps.names(made) == taps.names(network) == ["conv1", "conv2", "conv3"]
    alone = taps.maps(with_input_shape(network, (*patch, 3)))
    expected = dict.fromkeys(taps.names(network), 0)
    for row in range(grid):
        for column in range(grid):
            top, left = corner[0] + row * patch[0], corner[1] + column * patch[1]
            part = images[:, top : top + patch[0], left : left + patch[1]]
            for tap, values in alone.predict(part, verbose=0).items():
                expected[tap] = expected[tap] + np.asarray(values, np.float64) / grid**2
    for tap, values in taps.maps(made).predict(images, verbose=0).items():
        np.testing.assert_allclose(values, expected[tap], rtol=1e-4, atol=1e-5)


def test_it_shares_its_weights_and_a_copy_does_not():
    keras.utils.set_random_seed(0)
    network = three_taps()
    made, image = patch_network(network), np.full((1, 16, 16, 3), 190, np.uint8)
    copied = taps.copy(made)
    assert taps.names(copied) == taps.names(made)
    before = taps.maps(made).predict(image, verbose=0)["conv1"]
    kernel = network.get_layer("block1_conv").kernel
    kernel.assign(kernel + 1.0)  # a bright image: all sums are larger
    assert (taps.maps(made).predict(image, verbose=0)["conv1"] > before + 1).all()
    np.testing.assert_allclose(taps.maps(copied).predict(image, verbose=0)["conv1"], before)


@pytest.mark.parametrize("standardize", [False, True])
def test_it_is_saved_and_loaded_without_classes_of_its_own(tmp_path, standardize):
    made = patch_network(three_taps(), standardize=standardize)
    made.save(tmp_path / "patches.keras")
    loaded = keras.models.load_model(tmp_path / "patches.keras", safe_mode=True)
    image = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    for one, other in zip(loaded(image), made(image), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((4, 0.75), r"patches must leave patches of at least 4×4 pixels, got 4; .* are 3×3"),
        ((0, 0.75), r"grid must be at least 1"),
        ((3, 0.0), r"crop must be greater than 0"),
        ((3, 1.5), r"crop must be at most 1"),
    ],
)
def test_patches_that_cannot_be_are_one_sentence(arguments, words):
    with pytest.raises(UserError, match=words):
        patch_network(quick_nin(), *arguments)


@pytest.mark.long
def test_rows_of_patches_stand_beside_those_of_whole_images(run, source):
    probes = ("ridge", "knn-20", "global-linear")
    settings = {"probes": probes, "modes": ("frozen", "random"), "scale": (0.2, 0.2)}
    whole = evaluate(run, Options(**settings), source)
    before = json.dumps(whole["rows"])
    both = evaluate(run, Options(**settings, patches=3), source)
    assert json.dumps(both["rows"][: len(whole["rows"])]) == before
    added = both["rows"][len(whole["rows"]) :]
    assert len(added) == len(whole["rows"])
    assert {row["probe"] for row in added} == {f"{each}, 3×3 of 75 %" for each in probes}
    assert all(
        row["patches"]
        == {"probe": row["probe"].split(",")[0], "grid": 3, "crop": 0.75, "standardize": False}
        for row in added
    )
    assert all(row["test"] is not None for row in both["rows"])
    # The same again is there already, and another crop is another row.
    assert len(evaluate(run, Options(**settings, patches=3), source)["rows"]) == len(both["rows"])
    other = Options(probes=("ridge",), modes=("frozen",), patches=3, patch_crop=1.0)
    more = evaluate(run, other, source)["rows"]
    assert len(more) == len(both["rows"]) + 3
    assert [probe for probe, mode, _ in columns(more) if mode == "frozen"] == [
        *("ridge", "ridge, 3×3 of 100 %", "ridge, 3×3 of 75 %", "knn-20"),
        *("knn-20, 3×3 of 75 %", "global-linear", "global-linear, 3×3 of 75 %"),
    ]


def test_a_ridge_probe_of_patches_is_that_of_averaged_features(run, source):
    from rotkeras.probes.linear import ridge

    options = Options(probes=("ridge",), modes=("frozen",), taps=("conv3",), patches=3)
    content = evaluate(run, options, source)
    network = load_network(run)
    alone = taps.maps(with_input_shape(network, (4, 4, 3)), ["conv3"])

    def features(images):
        pixels, found = images.take(slice(None)), 0
        for row in range(3):
            for column in range(3):
                top, left = 2 + 4 * row, 2 + 4 * column
                part = pixels[:, top : top + 4, left : left + 4]
                maps = alone.predict(part, verbose=0)["conv3"]
                found = found + maps.astype(np.float32) / 9
        return found.reshape(len(pixels), -1)

    probe = ridge(features(source.train), source.train.labels)
    scores = probe.scores(features(source.validation))
    right = np.mean(probe.classes[scores.argmax(axis=1)] == source.validation.labels)
    assert content["rows"][0]["validation"]["accuracy"] == pytest.approx(right, abs=0.011)


@pytest.mark.long
def test_a_backbone_may_train_on_patches(run, source):
    settings = {"probes": ("conv",), "patches": 3, "scale": (0.1, 0.1), "taps": ("conv2",)}
    before = weights_digest(load_network(run))
    frozen = json.dumps(evaluate(run, Options(**settings, modes=("frozen",)), source)["rows"])
    rows = evaluate(run, Options(**settings, modes=("frozen", "fine_tuned", "scratch")), source)[
        "rows"
    ]
    assert [row["probe"] for row in rows] == ["conv, 3×3 of 75 %"] * 3
    assert json.dumps(rows[:1]) == frozen
    # The layers are those of the run's network, which stays as it was trained.
    assert weights_digest(load_network(run)) == before
    scores = [
        extract(
            keras.models.load_model(run.path / "evaluation" / row["classifier"], compile=False),
            source.validation,
        )["conv2"]
        for row in rows
    ]
    for one, other in itertools.combinations(scores, 2):
        assert np.abs(one - other).max() > 1e-3


def test_standardised_patches_are_standardised_one_by_one():
    keras.utils.set_random_seed(0)
    network = settled(nin(blocks=3, width=1 / 24, input_shape=(32, 32, 3)))
    images = np.random.default_rng(1).integers(90, 130, (5, 32, 32, 3), np.uint8)
    images[3, 4:12, 4:12] = 77  # flat: it becomes grey
    made = taps.maps(patch_network(network, standardize=True)).predict(images, verbose=0)
    alone = taps.maps(with_input_shape(network, (8, 8, 3)))
    expected = dict.fromkeys(taps.names(network), 0)
    for top, left in itertools.product((4, 12, 20), repeat=2):
        part = images[:, top : top + 8, left : left + 8].astype(np.float64)
        deviation = np.maximum(part.std(axis=(1, 2, 3), keepdims=True), 1)
        part = (part - part.mean(axis=(1, 2, 3), keepdims=True)) / deviation * 64 + 128
        part = np.rint(np.clip(part, 0, 255)).astype(np.uint8)
        for tap, values in alone.predict(part, verbose=0).items():
            expected[tap] = expected[tap] + np.asarray(values, np.float64) / 9
    for tap, values in made.items():
        # A pixel at a half may round to the other side.
        np.testing.assert_allclose(values, expected[tap], rtol=0.02, atol=0.02)
    plain = taps.maps(patch_network(network)).predict(images, verbose=0)
    assert np.abs(plain["conv3"] - made["conv3"]).max() > 0.1


def test_patches_are_standardised_as_the_tiles_of_the_task_are():
    for name, told in (("jigsaw", True), ("relative_patch", True), ("rotation", False)):
        task = recipe.load("cifar10-cpu" if name == "rotation" else name).task
        assert task.name == name
        assert with_the_patches_of(task, Options(patches=3)).patch_standardize is told
        for chosen in (True, False):
            options = Options(patches=3, patch_standardize=chosen)
            assert with_the_patches_of(task, options) == options
        assert with_the_patches_of(task, Options()) == Options()
    with pytest.raises(UserError, match="patch_standardize must be None without patches, got Tru"):
        Options(patch_standardize=True)


def test_standardised_rows_stand_beside_plain_ones(run, source):
    settings = {"probes": ("ridge",), "modes": ("frozen",), "taps": ("conv3",), "patches": 3}
    evaluate(run, Options(**settings), source)
    rows = evaluate(run, Options(**settings, patch_standardize=True), source)["rows"]
    assert [row["probe"] for row in rows] == [
        "ridge, 3×3 of 75 %",
        "ridge, 3×3 of 75 %, standardised",
    ]
    assert [row["patches"]["standardize"] for row in rows] == [False, True]
    assert all(row["test"] is not None for row in rows)


def test_too_many_patches_are_refused_before_a_probe_is_fitted(run, source):
    with pytest.raises(UserError, match=r"patches must leave patches .* got 9"):
        evaluate(run, Options(probes=("ridge",), patches=9), source)
    assert not (run.path / "evaluation.json").exists()
