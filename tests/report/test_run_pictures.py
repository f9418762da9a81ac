import io
from base64 import b64decode

import keras
import numpy as np
import pytest
from PIL import Image

from rotkeras.attention import (
    attention_grid,
    equivariance_score,
    filter_variety,
    first_filters,
    quadruple_maps,
    quadruples,
)
from rotkeras.backbones import taps
from rotkeras.data.source import Images
from rotkeras.embedding import load_encoder
from rotkeras.report import pictures
from rotkeras.report.collect import gather
from rotkeras.report.images import draw_sample


@pytest.fixture
def gathered(evaluated_run):
    return gather(evaluated_run.path, "run1")


@pytest.fixture
def model(evaluated_run):
    return keras.models.load_model(evaluated_run.model, compile=False)


@pytest.fixture
def sample(gathered):
    return draw_sample(gathered.recipe, 16, 40)


def test_a_sample_is_a_seeded_draw_of_the_test_part(gathered, digit_source):
    sample = draw_sample(gathered.recipe, 16, 40, seed=1)
    assert (sample.part, sample.of, len(sample.images)) == ("test", len(digit_source.test), 40)
    np.testing.assert_array_equal(
        sample.images.array, draw_sample(gathered.recipe, 16, 40, seed=1).images.array
    )
    every = {image.tobytes() for image in digit_source.test.take(slice(None))}
    assert all(image.tobytes() in every for image in sample.images.array)
    assert len(draw_sample(gathered.recipe, 16, 10**6).images) == sample.of


def test_a_sample_of_a_folder_reads_few_and_passes_over_broken_files(tmp_path, gathered):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("RGB", (20 + number, 30), (number * 40, 9, 9)).save(
                tmp_path / name / f"{number}.png"
            )
    (tmp_path / "a" / "broken.jpg").write_bytes(b"x")
    data = gathered.recipe.data.model_copy(update={"embedded": None, "folder": str(tmp_path)})
    recipe = gathered.recipe.model_copy(update={"data": data})
    sample = draw_sample(recipe, 12, 9)
    assert (sample.part, sample.of, len(sample.images)) == ("source", 9, 8)
    assert sample.images.class_names == ("a", "b")
    assert sorted(set(sample.images.labels.tolist())) == [0, 1]
    unlabelled = recipe.model_copy(update={"data": data.model_copy(update={"labels": "none"})})
    assert draw_sample(unlabelled, 12, 9).images.labels is None


def test_attention_is_that_of_the_attention_room(gathered, model, sample):
    untrained = taps.untrained_copy(model, 0)
    picture, table = pictures.attention(gathered, model, untrained, sample.images)
    scored = np.linspace(0, 39, 32).round().astype(int)
    chosen = scored[[0, 10, 21, 31]]
    shown = sample.images.take(chosen)
    titles = [pictures._title(sample.images, number) for number in chosen]
    grid = attention_grid(
        quadruples(shown), quadruple_maps(model, shown), pictures.VIEWS, titles, side=96, columns=2
    )
    with Image.open(io.BytesIO(b64decode(picture.uri.split(",")[1]))) as drawn:
        assert np.abs(np.asarray(drawn.convert("RGB")).astype(int) - np.asarray(grid)).mean() < 4
    scores = equivariance_score(model, sample.images.take(scored))
    assert [line[2].value for line in table.cells] == pytest.approx(list(scores.values()))


def test_filters_of_each_network(model):
    drawn, table = pictures.filters({"untrained": taps.untrained_copy(model, 0), "trained": model})
    assert len(drawn) == 2
    variety = filter_variety(first_filters(model))
    assert [cell.value for cell in table.cells[1][1:]] == [
        variety.selectivity,
        variety.orientation_spread,
        variety.frequency_spread,
    ]


def test_neighbours_name_their_classes(gathered, sample):
    encoder = load_encoder(gathered.run.path)
    picture, told = pictures.neighbours(gathered, encoder, sample.images, "validation")
    assert "among 40 images" in told
    assert "% of these have the query's class" in told
    assert picture.alternative.count(":") == 2  # two queries, as the recipe says
    features = encoder.embed(sample.images.array)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    order = np.argsort(-(unit[0] @ unit.T), kind="stable")[1:6]
    names = [sample.images.class_names[sample.images.labels[position]] for position in order]
    assert f": {', '.join(names)}" in picture.alternative
    # Labels of a test set are for evaluations alone.
    assert "class" not in pictures.neighbours(gathered, encoder, sample.images, "test")[1]


def test_the_map_puts_equal_embeddings_near_each_other(digit_source):
    labels = np.repeat([0, 1, 2], 20)
    features = np.eye(3, 8, dtype=np.float32)[labels] + np.random.default_rng(0).normal(
        0, 0.02, (60, 8)
    ).astype(np.float32)
    images = Images.of(digit_source.test.take(slice(0, 60)), labels, ("x", "y", "z"))
    figure = pictures.embedding_map(features, images, "m")
    assert figure.svg.count('class="point"') == 60
    places = {name: [] for name in "xyz"}
    import xml.etree.ElementTree as ElementTree

    for element in ElementTree.fromstring(figure.svg).iter():
        if element.get("class") == "point":
            places[element.get("data-value")[0]].append(
                (float(element.get("x")), float(element.get("y")))
            )
    centres = {name: np.mean(each, axis=0) for name, each in places.items()}
    for name, each in places.items():
        for place in each:
            assert min(centres, key=lambda other: np.linalg.norm(centres[other] - place)) == name


def test_no_map_of_few_images_or_of_one_embedding(sample):
    assert pictures.embedding_map(np.ones((40, 4), np.float32), sample.images, "m") is None
    few = sample.images.part(np.arange(5))
    assert (
        pictures.embedding_map(np.random.default_rng(0).random((5, 4), np.float32), few, "m")
        is None
    )


def test_without_a_supervised_network_there_is_none(gathered):
    assert pictures.supervised_network(gathered) is None
