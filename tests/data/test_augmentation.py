import numpy as np
import pytest
import tensorflow as tf

from rotkeras import UserError, recipe
from rotkeras.data import augmentation, load
from rotkeras.data.randomness import Key


def key(count, seed=0, epoch=0, start=0):
    return Key(
        tf.constant(seed, tf.int64),
        tf.constant(epoch, tf.int64),
        tf.range(start, start + count, dtype=tf.int64),
    )


def apply(step, images, **arguments):
    """The step as the pipeline runs it: traced, inside tf.data."""
    dataset = tf.data.Dataset.from_tensors(images).map(
        lambda batch: step(batch, key(len(images), **arguments))
    )
    return next(iter(dataset)).numpy()


def apply_each(step, images, variants):
    """What `apply` gives with each of the arguments, traced once."""
    numbers = [[each.get(name, 0) for each in variants] for name in ("seed", "epoch", "start")]
    keys = tf.data.Dataset.from_tensor_slices(
        [tf.constant(column, tf.int64) for column in zip(*numbers, strict=True)]
    )
    rows = tf.range(len(images), dtype=tf.int64)
    return [
        each.numpy()
        for each in keys.map(
            lambda each: step(tf.constant(images), Key(each[0], each[1], each[2] + rows))
        )
    ]


def every_crop_and_flip(image, padding):
    side = image.shape[0]
    padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            crop = padded[top : top + side, left : left + side]
            yield (top, left, 0), crop
            yield (top, left, 1), crop[:, ::-1]


def test_pad_crop_flip_gives_one_of_the_crops_made_by_hand_and_in_time_all_of_them(random_images):
    image = random_images[0]
    batch = np.repeat(image[None], 3000, axis=0)
    results = apply(augmentation.pad_crop_flip(padding=2), batch)
    table = {crop.tobytes(): name for name, crop in every_crop_and_flip(image, 2)}
    seen = {table[result.tobytes()] for result in results}  # a KeyError here is a crop that is none
    assert len(seen) == 5 * 5 * 2


def test_without_flip_nothing_is_mirrored(random_images):
    image = random_images[0]
    results = apply(
        augmentation.pad_crop_flip(padding=1, flip=False), np.repeat(image[None], 300, axis=0)
    )
    table = {crop.tobytes(): name for name, crop in every_crop_and_flip(image, 1)}
    assert {table[result.tobytes()][2] for result in results} == {0}


def test_random_flip_flips_half(random_images):
    image = random_images[0]
    results = apply(augmentation.random_flip(), np.repeat(image[None], 2000, axis=0))
    flipped = sum(np.array_equal(result, image[:, ::-1]) for result in results)
    kept = sum(np.array_equal(result, image) for result in results)
    assert flipped + kept == 2000
    assert 900 < flipped < 1100


def test_random_resized_crop_of_the_whole_image_is_the_image(random_images):
    step = augmentation.random_resized_crop(12, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=False)
    assert np.array_equal(apply(step, random_images), random_images)


def test_random_resized_crop_without_a_size_keeps_that_of_the_images(random_images):
    result = apply(augmentation.random_resized_crop(), random_images)
    assert result.shape == random_images.shape
    same = apply(augmentation.random_resized_crop(12), random_images)
    np.testing.assert_array_equal(result, same)


def test_random_resized_crop_of_a_flat_image_is_flat_and_of_the_asked_size():
    images = np.full((50, 20, 20, 3), 77, np.uint8)
    result = apply(augmentation.random_resized_crop(9), images)
    assert result.shape == (50, 9, 9, 3)
    assert (result == 77).all()


def test_random_resized_crop_favours_no_side():
    # A ramp along x, and the same along y: the crops' mean brightness must be the same on average.
    ramp = np.tile(np.linspace(0, 255, 32).astype(np.uint8)[None, :, None], (32, 1, 3))
    step = augmentation.random_resized_crop(16, flip=False)
    means = [
        apply(step, np.repeat(image[None], 2000, axis=0)).mean()
        for image in (ramp, ramp[:, ::-1], ramp.transpose(1, 0, 2))
    ]
    assert np.ptp(means) < 4
    assert abs(means[0] - 127) < 4


@pytest.mark.parametrize(
    "step",
    [
        augmentation.pad_crop_flip(),
        augmentation.random_resized_crop(12),
        augmentation.keras_cv("RandomGaussianBlur", kernel_size=3, factor=(0.5, 2.0)),
        augmentation.keras_cv("RandomColorDegeneration", factor=(0.0, 1.0)),
        augmentation.keras_cv(
            "RandomColorJitter",
            brightness_factor=0.3,
            contrast_factor=0.3,
            saturation_factor=0.3,
            hue_factor=0.1,
        ),
        augmentation.keras_cv("RandomCutout", height_factor=0.5, width_factor=0.5),
    ],
    ids=["pad_crop_flip", "random_resized_crop", "blur", "degenerate", "jitter", "cutout"],
)
def test_randomness_is_a_function_of_seed_epoch_and_index(step, random_images):
    variants = ({}, {"seed": 1}, {"epoch": 1}, {"start": 100}, {})
    first, *others, again = apply_each(step, random_images, variants)
    assert first.dtype == np.uint8
    assert first.shape == random_images.shape
    assert np.array_equal(first, again)
    assert np.array_equal(first, apply(step, random_images)), "traced anew"
    for other, variant in zip(others, variants[1:], strict=False):
        assert not np.array_equal(first, other), variant


def test_each_image_of_a_batch_draws_for_itself():
    batch = np.repeat(
        np.random.default_rng(0).integers(0, 256, (1, 12, 12, 3), dtype=np.uint8), 20, axis=0
    )
    results = apply(augmentation.keras_cv("RandomHue", factor=0.5), batch)
    assert len({result.tobytes() for result in results}) > 15
    assert np.array_equal(
        apply(augmentation.keras_cv("RandomHue", factor=0.5), batch[:7]), results[:7]
    )


def test_a_layer_that_mixes_images_and_labels_is_refused():
    with pytest.raises(UserError, match="MixUp cannot be applied to a batch of images alone"):
        augmentation.keras_cv("MixUp")


def test_a_wrong_keras_cv_layer_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'RandomGaussianBlur'"):
        augmentation.keras_cv("RandomGausianBlur")


def test_a_wrong_keras_cv_argument_names_the_arguments():
    with pytest.raises(UserError, match="kernel_size"):
        augmentation.keras_cv("RandomGaussianBlur", kernel=3)


@pytest.mark.parametrize(
    "steps",
    [
        [augmentation.pad_crop_flip(0), augmentation.random_flip()],
        [
            augmentation.random_flip(),
            augmentation.random_resized_crop(12, scale=(1, 1), ratio=(1, 1)),
        ],
        [
            augmentation.keras_cv("RandomFlip", mode="horizontal"),
            augmentation.keras_cv("RandomFlip", mode="horizontal"),
        ],
    ],
    ids=["crop_flip", "flip_crop", "keras_cv"],
)
def test_two_steps_draw_independently(steps, random_images):
    """Two flips that drew the same number would cancel, always."""
    batch = np.repeat(random_images[:1], 400, axis=0)
    flipped = (
        (apply(augmentation.chain(steps), batch) == batch[:, :, ::-1]).all(axis=(1, 2, 3)).sum()
    )
    assert 150 < flipped < 250


def test_the_global_generator_is_put_back():
    before = tf.random.get_global_generator()
    augmentation.keras_cv("RandomGaussianBlur", kernel_size=3, factor=1.0)
    assert tf.random.get_global_generator() is before


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, path in recipe.shipped().items()
        if "# Command:  rotkeras train" in path.read_text()
    ],
)
def test_one_number_sets_the_image_size_of_every_shipped_recipe(name):
    from rotkeras.training.build import build_augmentation, training_shape

    made = recipe.load(name, ["data.image_size=40"])
    source = load(np.zeros((20, 48, 40, 3), np.uint8), image_size=made.data.image_size)
    assert training_shape(source, build_augmentation(made)) == (40, 40, 3)
