"""A recipe that trains in seconds, on the real digits, and a network that costs next to nothing to
trace."""

SMALL = {
    "name": "small",
    "data": {"embedded": "digits", "image_size": 16, "train_images": 320},
    "augmentation": [{"name": "pad_crop_flip", "padding": 1, "flip": False}],
    "backbone": {"blocks": 3, "width": 1 / 24},
    "train": {
        "epochs": 4,
        "images_per_batch": 16,
        "learning_rate": 0.05,
        "schedule": {"name": "one_cycle"},
    },
    "probe": {"every_epochs": 2, "train_images": 100},
}

LEAN = {**SMALL, "attention": None, "quality": None, "report": None}
"""The same without its pictures and measures, which `SMALL` has: for runs that promise something
else."""


QUICK_COMPILING = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""XLA_FLAGS for JAX: networks that take few steps, compiled in half of the time."""


def three_taps():
    """A network with the taps of the NIN and one convolution with batch norm in each block, where
    the NIN has three.

    A `fit` of it is traced in a third of the time: for tests that need taps, batch statistics and
    three blocks, and not the NIN.
    """
    import keras

    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    for block, filters in enumerate((4, 8, 8), 1):
        x = keras.layers.Conv2D(
            filters, 3, strides=2, padding="same", use_bias=False, name=f"block{block}_conv"
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"block{block}_norm")(x)
        x = keras.layers.ReLU(name=f"block{block}_relu")(x)
        x = keras.layers.Identity(name=f"conv{block}")(x)
    return keras.Model(inputs, x, name="three_taps")


def quick_nin(blocks=3, width=1.0, input_shape=(16, 16, 3), synchronized_batch_norm=False):
    """In place of `nin`: layers of all its kinds and its taps, with one narrow convolution in each
    block, where the NIN has three."""
    import keras

    inputs = keras.Input(input_shape, dtype="uint8")
    x = keras.layers.Rescaling([1 / 64] * 3, offset=[-2.0] * 3, dtype="float32")(inputs)
    for block in range(1, blocks + 1):
        x = keras.layers.Conv2D(
            8,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"block{block}_conv",
        )(x)
        x = keras.layers.BatchNormalization(
            momentum=0.9, synchronized=synchronized_batch_norm, name=f"block{block}_norm"
        )(x)
        x = keras.layers.ReLU(name=f"block{block}_relu")(x)
        if block <= 2:
            pooling = keras.layers.MaxPooling2D if block == 1 else keras.layers.AveragePooling2D
            x = pooling(3, strides=2)(keras.layers.ZeroPadding2D(1)(x))
        x = keras.layers.Identity(name=f"conv{block}")(x)
    return keras.Model(inputs, x, name="quick_nin")


def make_run(run):
    """A run folder with the network `three_taps`, trained to tell rotations of digits in seconds,
    where `train` builds the NIN."""
    import keras
    import numpy as np

    from rotkeras import recipe
    from rotkeras.files import write_text
    from rotkeras.pretext import Rotation
    from rotkeras.training import build

    made = recipe.validate(SMALL, "test")
    keras.utils.set_random_seed(0)
    images = build.load_source(made).train.take(slice(None))
    views = np.concatenate([np.rot90(images, turns, axes=(1, 2)) for turns in range(4)])
    model = Rotation().build_model(three_taps())
    model.compile(keras.optimizers.Adam(0.02), Rotation().loss())
    model.optimizer.build(model.trainable_variables)
    model.fit(views, np.repeat(np.arange(4), len(images)), batch_size=64, epochs=12, verbose=0)
    run.path.mkdir(parents=True, exist_ok=True)
    write_text(run.recipe, recipe.dump(made))
    keras.Model(model.input, model.output, name="classifier").save(run.model)
