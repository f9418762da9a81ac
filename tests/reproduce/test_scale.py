import pytest

from rotkeras import UserError, data, recipe
from rotkeras.reproduce.scale import Scale


def test_a_share_shrinks_images_and_epochs_and_the_width_by_its_root():
    assert Scale.of(0.04) == Scale(0.04, 0.2, 0.04)
    assert Scale.of(0.005).width == 0.125
    assert Scale.of(1) == Scale()
    assert Scale().suffix() == ""


def test_the_recipe_at_a_scale():
    full = recipe.load("cifar10")
    assert Scale().overrides(full) == []
    small = recipe.load("cifar10", Scale(0.1, 0.25, 0.05).overrides(full))
    assert (small.data.train_images, small.backbone.width, small.train.epochs) == (4500, 0.25, 10)
    assert small.train.schedule.at_epochs == [3, 6, 8]
    assert small.train.images_per_batch == 128
    assert recipe.load("cifar10", Scale(0.01).overrides(full)).train.images_per_batch == 28


def test_validation_and_test_shrink_by_a_draw(digit_source):
    small = Scale(0.5).shrink(digit_source)
    assert (len(small.train), len(small.validation), len(small.test)) == (
        len(digit_source.train),
        144,
        180,
    )
    assert set(small.validation.rows) < set(digit_source.validation.rows)
    assert Scale().shrink(digit_source) is digit_source
    assert Scale(0.5).shrink(data.load("digits", validation_fraction=0)).validation is None


def test_labels_per_class_shrink_with_the_images():
    assert [Scale(0.1).labels(count) for count in (20, 5000, None)] == [2, 500, None]
    assert Scale(0.01).labels(20) == 1


def test_the_scale_is_said():
    assert (
        Scale().describe(200) == "full scale: 45,000 training images, published width, 200 epochs"
    )
    assert "0.02 of the images (900)" in Scale.of(0.02).describe(200)
    assert "(4 of 200, probes likewise): not comparable with the paper" in Scale.of(0.02).describe(
        200
    )


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, r"--scale must be greater than 0 and at most 1 for images, got 0\."),
        (1.5, r"--scale must be greater than 0 and at most 1 for images, got 1\.5\."),
        (0.001, r"--scale leaves 45 of 45,000 images, and at least 100 are needed;"),
    ],
)
def test_impossible_scales(share, words):
    with pytest.raises(UserError, match=words):
        Scale.of(share)
