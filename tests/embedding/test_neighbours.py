import csv

import numpy as np
import pytest

from rotkeras.embedding import Encoder, nearest, open_images, write_neighbours
from rotkeras.errors import UserError

SIZE = 12  # of the encoders in conftest.py


def pictures(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def labels(count):
    return np.arange(count) % 3


def brute(encoder, queries, images, k):
    """Positions and distances of the k nearest, by sorting everything."""
    a, b = (encoder.embed(each).astype(np.float64) for each in (queries, images))
    distances = 1 - (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, axis=1)


def test_equal_to_sorting_everything(quick_encoder, monkeypatch):
    monkeypatch.setattr("rotkeras.embedding.chunks._MOST_IMAGES", 16)  # many chunks
    queries, images = pictures(5, seed=1), pictures(203)
    found = nearest(quick_encoder, open_images(queries)(SIZE), open_images(images)(SIZE), k=7)
    order, distances = brute(quick_encoder, queries, images, 7)
    np.testing.assert_array_equal(found.positions, order)
    np.testing.assert_allclose(found.distances, distances, atol=1e-12)
    assert (found.searched, found.left_out, found.compared.tolist()) == (203, 0, [203] * 5)
    first = next(iter(found))
    assert (first.query, first.rank, first.name) == ("0", 1, str(order[0, 0]))
    assert len(list(found)) == 35


def test_the_query_and_its_copies_are_left_out(quick_encoder):
    images = pictures(30)
    images[20] = images[4]  # a copy under another name
    found = nearest(
        quick_encoder, open_images(images[[4, 9]])(SIZE), open_images(images)(SIZE), k=30
    )
    assert found.left_out == 3
    assert found.compared.tolist() == [28, 29]
    assert not {4, 20} & set(found.positions[0].tolist())
    assert {4, 20} <= set(found.positions[1].tolist())
    assert 9 not in found.positions[1]
    assert found.positions.shape == (2, 29)
    assert found.positions[0, -1] == -1
    assert np.isinf(found.distances[0, -1])
    order, _ = brute(quick_encoder, images[[9]], images, 30)
    np.testing.assert_array_equal(found.positions[1], order[0][order[0] != 9])
    assert [each.rank for each in found.of(0)] == list(range(1, 29))


def test_more_queries_are_spread_evenly(quick_encoder):
    images = open_images(pictures(40))(SIZE)
    found = nearest(quick_encoder, images, images, k=1, most_queries=4)
    assert found.query_positions.tolist() == [0, 13, 26, 39]
    assert nearest(quick_encoder, images, images, k=1, most_queries=1).query_positions.tolist() == [
        0
    ]
    assert len(nearest(quick_encoder, images, images, k=1, most_queries=99).query_positions) == 40


def test_more_neighbours_than_images_gives_all(quick_encoder):
    found = nearest(
        quick_encoder, open_images(pictures(1, seed=1))(SIZE), open_images(pictures(3))(SIZE), k=10
    )
    assert sorted(found.positions[0].tolist()) == [0, 1, 2]
    alone = open_images(pictures(1))(SIZE)
    found = nearest(quick_encoder, alone, alone, k=10)
    assert (list(found), found.searched, found.left_out) == ([], 1, 1)
    assert found.share_of_class() is None


def test_the_share_of_the_class_counted_by_hand(quick_encoder):
    images = pictures(31)
    listed = open_images((images, labels(31)))(SIZE)
    found = nearest(quick_encoder, listed, listed, k=5, most_queries=6)
    order, _ = brute(quick_encoder, images[found.query_positions], images, 6)
    same, chance = [], []
    for query, row in zip(found.query_positions, order, strict=True):
        others = [each for each in row if each != query][:5]
        same += [labels(31)[each] == labels(31)[query] for each in others]
        chance.append((np.sum(labels(31) == labels(31)[query]) - 1) / 30)
    share, by_chance = found.share_of_class()
    assert share == pytest.approx(np.mean(same))
    assert by_chance == pytest.approx(np.mean(chance))
    assert all(each.class_name == str(labels(31)[int(each.name)]) for each in found)


def test_no_share_without_classes_on_both_sides(quick_encoder, photographs):
    with_classes, without = open_images(photographs)(SIZE), open_images(photographs / "cat")(SIZE)
    assert nearest(quick_encoder, without, with_classes, k=2).share_of_class() is None
    assert nearest(quick_encoder, with_classes, without, k=2).share_of_class() is None
    share, chance = nearest(
        quick_encoder, with_classes, with_classes, k=11, most_queries=12
    ).share_of_class()
    assert (
        share == pytest.approx(chance) == pytest.approx(3 / 11)
    )  # with all the others there is nothing to choose


def test_ties_keep_the_order_and_zeros_have_no_direction(tmp_path, monkeypatch):
    monkeypatch.setattr("rotkeras.embedding.chunks._MOST_IMAGES", 4)  # two chunks
    encoder = Encoder(tmp_path, 2, 3, 4, lambda images: images[:, 0, 0].astype(np.float32))
    images = np.zeros((6, 2, 2, 3), np.uint8)
    images[[1, 3], 0, 0] = [[10, 0, 0], [20, 0, 0]]  # the same direction
    images[[2, 4], 0, 0, 1] = 5  # a right angle
    images[3, 1, 1] = 1
    query = np.zeros((1, 2, 2, 3), np.uint8)
    query[0, 0, 0, 0] = 30
    found = nearest(encoder, open_images(query)(2), open_images(images)(2), k=6)
    assert found.positions[0].tolist() == [1, 3, 0, 2, 4, 5]
    np.testing.assert_allclose(found.distances[0], [0, 0, 1, 1, 1, 1])


def test_a_query_with_nothing_beside_itself_has_no_share(quick_encoder):
    images = open_images((pictures(1), [0]))(SIZE)
    found = nearest(quick_encoder, open_images((pictures(2), [0, 0]))(SIZE), images)
    assert found.compared.tolist() == [0, 1]
    assert found.share_of_class() == (1.0, 1.0)


def test_bad_files_and_bad_numbers(quick_encoder, photographs, tmp_path):
    images = open_images(photographs)(SIZE)
    (tmp_path / "bad.jpg").write_text("no image")
    bad = open_images(tmp_path / "bad.jpg")(SIZE)
    with pytest.raises(UserError, match="None of the image files could be read"):
        nearest(quick_encoder, bad, images)
    with pytest.raises(UserError, match="None of the image files could be read"):
        nearest(quick_encoder, images, open_images(tmp_path / "bad.jpg")(SIZE))
    with pytest.raises(UserError, match="k must be at least 1, got 0"):
        nearest(quick_encoder, images, images, k=0)


def test_the_list_as_csv(quick_encoder, photographs, tmp_path):
    (photographs / "cat" / 'x, "y".png').write_bytes((photographs / "cat/01.png").read_bytes())
    images = open_images(photographs)(SIZE)
    found = nearest(quick_encoder, images, images, k=12, most_queries=2)
    path = write_neighbours(found, tmp_path / "n.csv")
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["query", "query_class", "rank", "name", "class", "distance"]
    assert [
        (row["query"], row["query_class"], int(row["rank"]), row["name"], row["class"])
        for row in rows
    ] == [tuple(each)[:5] for each in found]
    np.testing.assert_allclose(
        [float(row["distance"]) for row in rows], [each.distance for each in found], atol=1e-8
    )
    assert 'cat/x, "y".png' in {row["name"] for row in rows}
    with pytest.raises(UserError, match="exists already"):
        write_neighbours(found, path)
    with pytest.raises(
        UserError, match=r"must end in \.csv, which chooses the format, got \.txt\."
    ):
        write_neighbours(found, tmp_path / "n.txt")
