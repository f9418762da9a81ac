import numpy as np
import pytest

from rotkeras.data.source import Images, Source, split
from rotkeras.errors import UserError


def numbered(count=20, labels=True):
    array = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    return Images.of(
        array, np.arange(count) % 4 if labels else None, tuple("abcd") if labels else ()
    )


def values(images):
    return images.take(slice(None))[:, 0, 0, 0].tolist()


def test_of_uses_every_row():
    images = numbered(5)
    assert len(images) == 5
    assert images.rows.tolist() == [0, 1, 2, 3, 4]
    assert images.image_shape == (2, 2, 3)


def test_take_follows_numpy_indexing():
    images = numbered().part(np.array([3, 5, 8, 13]))
    base = images.array[[3, 5, 8, 13]]
    for positions in (
        np.array([2, 0]),
        np.array([-1]),
        slice(1, 3),
        slice(None),
        slice(None, None, -1),
    ):
        assert np.array_equal(images.take(positions), base[positions])


def test_take_is_a_copy():
    images = numbered()
    images.take(slice(None))[:] = 255
    images.take(np.array([1]))[:] = 255
    assert values(images) == list(range(20))


def test_part_sorts_and_keeps_labels_with_images():
    part = numbered().part(np.array([13, 3, 8]))
    assert part.rows.tolist() == [3, 8, 13]
    assert values(part) == [3, 8, 13]
    assert part.labels.tolist() == [3, 0, 1]
    assert part.class_names == tuple("abcd")


def test_a_part_of_a_part_counts_in_the_part():
    part = numbered().part(np.array([2, 4, 6, 8])).part(np.array([3, 1]))
    assert values(part) == [4, 8]
    assert part.labels.tolist() == [0, 0]
    assert part.array is not None
    assert part.rows.tolist() == [4, 8]


def test_part_does_not_change_its_argument():
    positions = np.array([3, 1, 2])
    numbered().part(positions)
    assert positions.tolist() == [3, 1, 2]


def test_part_without_labels():
    assert numbered(labels=False).part(np.array([1])).labels is None


def test_draw_is_seeded_ascending_and_without_repeats():
    images = numbered()
    drawn = images.draw(7, 3)
    assert (
        drawn.rows.tolist() == images.draw(7, 3).rows.tolist() == sorted(set(drawn.rows.tolist()))
    )
    assert drawn.rows.tolist() == sorted(np.random.default_rng(3).permutation(20)[:7].tolist())
    assert drawn.rows.tolist() != images.draw(7, 4).rows.tolist()


def test_a_smaller_draw_lies_within_a_larger_one():
    assert set(numbered().draw(5).rows) < set(numbered().draw(9).rows)


@pytest.mark.parametrize("count", [20, 21, 1000])
def test_draw_of_all_or_more_is_all(count):
    assert values(numbered().draw(count)) == list(range(20))


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("count", [20, 101])
def test_split_is_disjoint_complete_and_of_the_right_size(count, fraction):
    train, validation = split(numbered(count), fraction)
    assert len(validation) == round(count * fraction)
    assert sorted(values(train) + values(validation)) == list(range(count))
    assert values(train) == sorted(values(train))
    assert values(validation) == sorted(values(validation))
    assert train.labels.tolist() == [value % 4 for value in values(train)]
    assert validation.labels.tolist() == [value % 4 for value in values(validation)]


def test_split_is_a_function_of_count_fraction_and_seed_alone():
    first, second, other = (
        split(numbered(), 0.3, 1)[1],
        split(numbered(labels=False), 0.3, 1)[1],
        split(numbered(), 0.3, 2)[1],
    )
    assert first.rows.tolist() == second.rows.tolist()
    assert first.rows.tolist() != other.rows.tolist()


def test_split_does_not_touch_the_global_random_state():
    np.random.seed(0)
    before = np.random.get_state()[1].tolist()
    split(numbered(), 0.3)
    assert np.random.get_state()[1].tolist() == before


def test_split_by_zero_has_no_validation():
    train, validation = split(numbered(), 0)
    assert validation is None
    assert values(train) == list(range(20))


@pytest.mark.parametrize(("count", "fraction"), [(4, 0.1), (1, 0.5), (20, 0.99)])
def test_split_that_leaves_a_part_empty_is_an_error(count, fraction):
    with pytest.raises(UserError, match=r"validation_fraction=.*part empty"):
        split(numbered(count), fraction)


def test_source_reads_its_test_part_once_and_only_when_asked():
    calls = []

    def read():
        calls.append(1)
        return numbered(3)

    source = Source("x", numbered(), None, [], read)
    assert calls == []
    assert source.test is source.test
    assert calls == [1]
    assert source.image_shape == (2, 2, 3)


def test_source_without_a_test_part():
    assert Source("x", numbered(), None).test is None


def test_sources_do_not_share_their_list_of_skipped_files():
    assert Source("x", numbered(), None).skipped is not Source("y", numbered(), None).skipped
