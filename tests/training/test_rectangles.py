"""Images that are not square: only rotation asks for squares."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from rotkeras import UserError, data, training
from rotkeras.device import Encoder
from rotkeras.embedding import embed
from rotkeras.export import export_run
from rotkeras.images import fit, read_image
from rotkeras.pretext import Rotation
from rotkeras.recipe import validate

SIZE = (32, 48)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs of several ratios in two class folders."""
    top, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(300):
        left, upper = random.integers(0, 300, 2)
        wide, tall = random.integers(60, 120, 2)
        picture = Image.fromarray(load_sample_images().images[number % 2])
        place = top / "ab"[number % 2] / f"{number:03}.jpg"
        place.parent.mkdir(exist_ok=True)
        picture.crop((left, upper, left + wide, upper + tall)).save(place)
    return top


@pytest.mark.parametrize(("height", "width"), [(40, 100), (100, 40), (64, 96), (33, 47)])
def test_the_largest_centred_part_of_the_ratio_is_resized(height, width):
    """Against Pillow on the cut, whose edges are fractions here."""
    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
    wide = min(width, height * 1.5)
    tall = min(height, width / 1.5)
    left, top = (width - wide) / 2, (height - tall) / 2
    box = (left, top, left + wide, top + tall)
    expected = image.resize((48, 32), Image.Resampling.BILINEAR, box=box)
    found = fit(image, SIZE)
    assert found.shape == (32, 48, 3)
    inner = np.s_[2:-2, 2:-2]  # at the edges nothing from beyond the cut is mixed in
    np.testing.assert_allclose(
        found[inner].astype(int), np.asarray(expected)[inner].astype(int), atol=1
    )
    np.testing.assert_array_equal(fit(image, 24), fit(image, (24, 24)))


def test_every_store_gives_the_same(folder, tmp_path):
    stores = {
        storage: data.load(
            folder,
            image_size=SIZE,
            storage=storage,
            cache=tmp_path if storage == "file" else None,
        )
        for storage in ("memory", "file", "encoded")
    }
    first = stores["memory"].train
    assert first.image_shape == (32, 48, 3)
    np.testing.assert_array_equal(
        first.take(slice(0, 1))[0], read_image(folder / first.names[first.rows[0]], SIZE)
    )
    for source in stores.values():
        np.testing.assert_array_equal(source.train.take(slice(None)), first.take(slice(None)))
    arrays = data.load(first.take(slice(None)), validation_fraction=0)
    assert arrays.image_shape == (32, 48, 3)
    assert data.load(first.take(slice(None)), image_size=[16, 24]).image_shape == (16, 24, 3)


def recipe(folder, **sections):
    sections = {
        "name": "rectangles",
        "data": {"folder": str(folder), "image_size": list(SIZE)},
        "task": {"name": "simclr"},
        "backbone": {"name": "nin", "blocks": 3, "width": 0.0625},
        "train": {"epochs": 1, "images_per_batch": 32},
        "export": {"profiles": ["float32", "dynamic", "int8"], "max_drop": 100},
        **sections,
    }
    return validate(sections, "test")


def test_rotation_asks_for_squares(folder):
    with pytest.raises(UserError, match="The rotation task needs square images, got 32×48"):
        data.pipeline(data.load(folder, image_size=SIZE).train, Rotation(), images_per_batch=8)


@pytest.mark.parametrize("storage", ["encoded", pytest.param("memory", marks=pytest.mark.long)])
def test_a_whole_run(folder, tmp_path, storage):
    lines = []
    made = recipe(folder, data={"folder": str(folder), "image_size": [32, 48], "storage": storage})
    run = training.Run(tmp_path / "run")
    training.train(made, run, tell=lines.append)
    assert any(line.startswith("attention maps are left out: they compare") for line in lines)
    summary = run.load_summary()
    assert summary["probes"]["trained"]
    export_run(run)
    proof = json.loads((run.export / "verify.json").read_text())
    assert (proof["encoder"]["input_size"], proof["encoder"]["trained_size"]) == ([32, 48],) * 2
    assert proof["files"]["encoder-float32.tflite"]["agreement"]["cosine"] > 0.9999
    photograph = next(folder.glob("*/*.jpg"))
    for name in ("encoder-float32.tflite", "encoder-int8.tflite"):
        encoder = Encoder(run.export / name)
        assert encoder.input_size == (32, 48)
        (given,) = encoder.embed(photograph)
        (same,) = encoder.embed(read_image(photograph, SIZE))
        np.testing.assert_array_equal(given, same)
    assert "RGB, 32×48, 0…255: the centred part of ratio 32:48" in (
        run.export / "model_card.md"
    ).read_text(encoding="utf-8")
    embedded = embed(run.path, folder, tmp_path / "features.npz")
    assert embedded.images == 300
