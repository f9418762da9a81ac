"""keras-cv augmentation layers whose randomness is a function of (seed, epoch, index)."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common import global_state

from rotkeras.data.keyed import Key
from rotkeras.data.randomness import mix
from rotkeras.errors import UserError, nearest

Tensor = Any
_KERAS_GENERATOR = "global_seed_generator"
_STREAM = 1 << 16


class KeyedGenerator:
    """Stands in for the `tf.random.Generator` of a layer: draws are stateless, from one image's key
    and a counter.

    The counter advances while the layer is traced, so the n-th draw of a layer always has the n-th
    seed.
    """

    def __init__(self) -> None:
        self._seed: Tensor = None
        self._draws = 0

    def start(self, seed: Tensor, epoch: Tensor, index: Tensor) -> None:
        """Draw from the key of one image on: three int64 scalars."""
        # Words 0 and 1 of a stream of its own.
        self._seed = tf.bitcast(
            mix(seed, epoch, _STREAM, index, tf.constant([0, 1], tf.int64)), tf.int64
        )
        self._draws = 0

    def next_seed(self) -> Tensor:
        """int64 (2,), another at each call."""
        self._draws += 1
        return tf.random.experimental.stateless_fold_in(self._seed, self._draws)

    def uniform(
        self,
        shape: Any,
        minval: Any = 0,
        maxval: Any = None,
        dtype: Any = tf.float32,
        seed: Any = None,
        name: Any = None,
    ) -> Tensor:
        """Uniform numbers; the arguments of `tf.random.uniform`, whose seed is passed over."""
        maxval = 1 if maxval is None and tf.as_dtype(dtype).is_floating else maxval
        return tf.random.stateless_uniform(shape, self.next_seed(), minval, maxval, dtype, name)

    def normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = tf.float32,
        seed: Any = None,
        name: Any = None,
    ) -> Tensor:
        """Normal numbers; the arguments of `tf.random.normal`, whose seed is passed over."""
        return tf.random.stateless_normal(shape, self.next_seed(), mean, stddev, dtype, name)

    def shuffle(self, value: Tensor, seed: Any = None, name: Any = None) -> Tensor:
        """The rows of a tensor in random order; the arguments of `tf.random.shuffle`, whose seed is
        passed over."""
        return tf.random.experimental.stateless_shuffle(value, self.next_seed(), name=name)

    def gamma(
        self,
        shape: Any,
        alpha: Any,
        beta: Any = None,
        dtype: Any = tf.float32,
        seed: Any = None,
        name: Any = None,
    ) -> Tensor:
        """Gamma numbers; the arguments of `tf.random.gamma`, whose seed is passed over."""
        shape = tf.concat([shape, tf.shape(alpha)], axis=0)
        return tf.random.stateless_gamma(shape, self.next_seed(), alpha, beta, dtype, name)

    random_normal = normal


class KeyedSeeds(keras.random.SeedGenerator):
    """The same for `keras.random`, which keras-cv calls without a seed."""

    def __init__(self, generator: KeyedGenerator) -> None:
        super().__init__(seed=0)
        self._generator = generator

    def next(self, ordered: bool = True) -> Tensor:
        """int32 (2,), another at each call."""
        return tf.cast(self._generator.next_seed(), tf.int32)


@contextlib.contextmanager
def keyed_draws(generator: KeyedGenerator, seeds: KeyedSeeds) -> Iterator[None]:
    """While a layer is made or traced, let every draw come from the keyed generator.

    keras-cv draws from three places: the generator of a layer, `keras.random`, and
    `tf.random.uniform` and its like, which keep a hidden state. That a layer draws from no fourth
    place is tried out in `_try_out`.
    """
    functions = {
        name: getattr(tf.random, name) for name in ("uniform", "normal", "shuffle", "gamma")
    }
    try:
        tf_before = tf.random.get_global_generator()
    except RuntimeError:  # deterministic operations are on, and nothing has made it yet
        tf_before = tf.random.Generator.from_seed(0)
    keras_before = global_state.get_global_attribute(_KERAS_GENERATOR)
    tf.random.set_global_generator(generator)
    global_state.set_global_attribute(_KERAS_GENERATOR, seeds)
    for name in functions:
        setattr(tf.random, name, getattr(generator, name))
    try:
        yield
    finally:
        for name, function in functions.items():
            setattr(tf.random, name, function)
        tf.random.set_global_generator(tf_before)
        global_state.set_global_attribute(_KERAS_GENERATOR, keras_before)


def keyed_layer(name: str, arguments: dict[str, Any]) -> Any:
    """`(images, key) -> images` through the keras-cv layer of this name. Arguments and errors:
    `augmentation.keras_cv`."""
    import keras_cv

    bases = (
        keras_cv.layers.BaseImageAugmentationLayer,
        keras_cv.layers.VectorizedBaseImageAugmentationLayer,
    )
    layers: dict[str, Any] = {
        each: layer
        for each, layer in vars(keras_cv.layers).items()
        if inspect.isclass(layer) and issubclass(layer, bases) and layer not in bases
    }
    if name not in layers:
        raise UserError(
            f"augmentation: keras-cv has no augmentation layer {name!r};"
            f" {nearest(name, sorted(layers))}"
        )
    parameters = inspect.signature(layers[name].__init__).parameters
    if "value_range" in parameters:
        arguments = {"value_range": (0, 255), **arguments}
    generator = KeyedGenerator()
    seeds = KeyedSeeds(generator)
    try:
        # A layer made without a seed takes the global generators, and so do the layers inside it.
        with keyed_draws(generator, seeds):
            layer = layers[name](**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"augmentation: keras_cv {name} does not take {arguments} ({error}): its arguments are "
            f"{', '.join(each for each in parameters if each not in ('self', 'kwargs', 'seed'))}."
        ) from None

    def apply(images: Tensor, key: Key) -> Tensor:
        # Image by image: the layer draws once while it is traced, and the index makes the draw
        # another for each image.
        def one(image_and_index: tuple[Tensor, Tensor]) -> Tensor:
            image, index = image_and_index
            generator.start(key.seed, key.epoch, index)
            with keyed_draws(generator, seeds):
                changed = layer(tf.cast(image, tf.float32)[None], training=True)[0]
            return tf.cast(tf.round(tf.clip_by_value(changed, 0.0, 255.0)), tf.uint8)

        changed = tf.map_fn(one, (images, key.index), fn_output_signature=tf.uint8)
        shape = [images.shape[0], *changed.shape[1:]]
        return tf.ensure_shape(
            changed,
            [
                shape[0],
                *(known or old for known, old in zip(shape[1:], images.shape[1:], strict=True)),
            ],
        )

    _try_out(name, apply)
    return apply


def _try_out(name: str, apply: Any) -> None:
    """Refuse a layer that needs more than images, or that draws random numbers its generator does
    not give."""
    images = tf.random.stateless_uniform([8, 32, 32, 3], [0, 0], 0, 256, tf.int32)
    key = Key(tf.constant(0, tf.int64), tf.constant(0, tf.int64), tf.range(8, dtype=tf.int64))
    try:
        # As a pipeline would call it: traced once, run again and again.
        dataset = tf.data.Dataset.from_tensors(tf.cast(images, tf.uint8)).map(
            lambda batch: apply(batch, key)
        )
        results = list(dataset.repeat(3))
    except Exception as error:
        said = [line.strip() for line in str(error).splitlines() if "Error: " in line]
        reason = said[-1][:160] if said else type(error).__name__
        raise UserError(
            f"augmentation: keras_cv {name} cannot be applied to a batch of images alone"
            f" ({reason}); use a layer that needs no labels or boxes."
        ) from None
    if any(
        result.shape != results[0].shape or tf.reduce_any(result != results[0])
        for result in results
    ):
        raise UserError(
            f"augmentation: keras_cv {name} draws its own random numbers, which a resumed run"
            " cannot draw again; use a layer that draws from its random generator."
        )
