"""Files of networks as fine-tuning keeps them, tiny and with drawn weights."""

import numpy as np

from rotkeras.device.boxes import Anchors
from rotkeras.images import as_size

SIZE = (32, 48)
CLASSES = ("apple", "pear", "one more")
ANCHORS = Anchors(strides=(8, 16), sizes=(16.0, 24.0), scales=(1.0, 1.4), aspect_ratios=(0.5, 2.0))


def write_file(path, task, profile="float32", *, several=False, backwards=False):
    """A file that `rotkeras.device` reads, with metadata.

    Args:
        path: where it goes; its folder is used.
        task: "classify", "detect" or "segment".
        profile: the numbers it computes with.
        several: whether a classifier tells several classes, each for itself.
        backwards: whether a detector's file gives its scores before its boxes.
    """
    import keras

    from rotkeras.device.task_file import SIGNATURES
    from rotkeras.export.any_network import convert_network
    from rotkeras.export.metadata import add_metadata
    from rotkeras.transfer.describe import describe
    from rotkeras.transfer.export import OUTPUTS

    content = {"task": task, "classes": list(CLASSES)}
    if task == "classify":
        content["several"] = several
    elif task == "detect":
        content["anchors"] = {key: list(each) for key, each in vars(ANCHORS).items()}
    keras.utils.set_random_seed(3)
    network = {"classify": _classifier, "segment": _segmenter, "detect": _detector}[task](several)
    images = np.random.default_rng(0).integers(0, 256, (8, *SIZE, 3), np.uint8)
    work = path.parent / f"{path.stem}-work"
    work.mkdir()
    model = convert_network(network, SIGNATURES[task], OUTPUTS[task], profile, images, work)
    if backwards:
        model = _turned(model)
    said = describe("tiny", profile, content, as_size(*SIZE), "A. Author", "CC0-1.0")
    path.write_bytes(add_metadata(model, said))
    return path


def _features(filters, stride):
    import keras

    images = keras.Input((*SIZE, 3), dtype="uint8", name="images")
    x = keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32")(images)
    return images, keras.layers.Conv2D(filters, 3, stride, "same", activation="relu")(x)


def _classifier(several):
    import keras

    images, x = _features(8, 2)
    x = keras.layers.GlobalAveragePooling2D()(x)
    last = "sigmoid" if several else "softmax"
    return keras.Model(images, keras.layers.Dense(3, last, kernel_initializer=_drawn(6))(x))


def _segmenter(several):
    import keras

    images, x = _features(8, 1)
    x = keras.layers.Conv2D(3, 3, padding="same", kernel_initializer=_drawn(1))(x)
    return keras.Model(images, keras.layers.Softmax()(x))


def _detector(several):
    import keras

    count = len(ANCHORS(SIZE))
    images, x = _features(8, 8)
    x = keras.layers.Flatten()(x)

    def rows(name, columns, scale):
        made = keras.layers.Dense(count * columns, kernel_initializer=_drawn(scale))(x)
        return keras.layers.Reshape((count, columns), name=name)(made)

    scores = keras.layers.Activation("sigmoid", name="scores")(rows("logits", 3, 1))
    return keras.Model(images, {"boxes": rows("boxes", 4, 1), "scores": scores})


def _drawn(scale):
    import keras

    return keras.initializers.VarianceScaling(float(scale))


def _turned(model):
    """The same file with its outputs in another order."""
    from ai_edge_litert import schema_py_generated as schema

    from rotkeras.export.metadata import packed

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model)))
    tree.subgraphs[0].outputs = tree.subgraphs[0].outputs[::-1]
    return packed(tree, len(model))
