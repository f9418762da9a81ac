"""keras-cv augmentation layers whose randomness is a function of (seed, epoch, index)."""

import inspect
from typing import Any

import tensorflow as tf

from rotkeras.data.randomness import STREAMS, Key
from rotkeras.errors import UserError, nearest

Tensor = Any


class KeyedGenerator:
    """Stands in for the `tf.random.Generator` of a layer: draws are stateless, from the current key and a counter.

    The counter advances while the layer is traced, so the n-th draw of a layer always has the n-th seed.
    """

    def __init__(self) -> None:
        self._seed: Tensor = None
        self._draws = 0

    def start(self, key: Key) -> None:
        """Draw from this key on. The first image's index stands for the batch."""
        self._seed = tf.stack([key.seed, (key.epoch * STREAMS + STREAMS - 1) * (1 << 32) + key.index[0]])
        self._draws = 0

    def _next(self) -> Tensor:
        self._draws += 1
        return tf.random.experimental.stateless_fold_in(self._seed, self._draws)

    def uniform(self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = tf.float32, name: Any = None) -> Tensor:
        """Uniform numbers; the arguments of `tf.random.Generator.uniform`."""
        maxval = 1 if maxval is None and tf.as_dtype(dtype).is_floating else maxval
        return tf.random.stateless_uniform(shape, self._next(), minval, maxval, dtype, name)

    def normal(self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = tf.float32, name: Any = None) -> Tensor:
        """Normal numbers; the arguments of `tf.random.Generator.normal`."""
        return tf.random.stateless_normal(shape, self._next(), mean, stddev, dtype, name)

    random_normal = normal

    def make_seeds(self, count: int = 1) -> Tensor:
        """Seeds (2, count) for stateless operations."""
        return tf.random.stateless_uniform([2, count], self._next(), None, None, tf.int64)


def keyed_layer(name: str, arguments: dict[str, Any]) -> Any:
    """`(images, key) -> images` through the keras-cv layer of this name. Arguments and errors: `augmentation.keras_cv`."""
    import keras_cv

    layers = {
        each: layer
        for each, layer in vars(keras_cv.layers).items()
        if inspect.isclass(layer) and issubclass(layer, tf.Module) and "augment" in "".join(p.__name__.lower() for p in layer.__mro__)
    }
    if name not in layers:
        raise UserError(f"augmentation: keras-cv has no augmentation layer {name!r}; {nearest(name, sorted(layers))}")
    parameters = inspect.signature(layers[name].__init__).parameters
    if "value_range" in parameters:
        arguments = {"value_range": (0, 255), **arguments}
    generator = KeyedGenerator()
    previous = tf.random.get_global_generator()
    try:
        # A layer made without a seed takes the global generator, and so do the layers inside it.
        tf.random.set_global_generator(generator)
        layer = layers[name](**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"augmentation: keras_cv {name} does not take {arguments} ({error}): its arguments are "
            f"{', '.join(each for each in parameters if each not in ('self', 'kwargs', 'seed'))}."
        ) from None
    finally:
        tf.random.set_global_generator(previous)

    def apply(images: Tensor, key: Key) -> Tensor:
        generator.start(key)
        changed = layer(tf.cast(images, tf.float32), training=True)
        return tf.cast(tf.round(tf.clip_by_value(changed, 0.0, 255.0)), tf.uint8)

    return apply
