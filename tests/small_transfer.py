"""Small labelled sets of drawn shapes, and a network that costs next to nothing to fine-tune."""

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

SIDE = 64
SHAPES = ("disc", "square")
PARTS = {"train": 8, "val": 4, "test": 4}


def strided(side=SIDE):
    """A network with taps at strides 4, 8, 16 and 32, one convolution with batch norm each."""
    import keras

    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="scale")(images)
    for stage in range(5):
        x = keras.layers.Conv2D(
            8,
            3,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(seed=stage),
            name=f"conv{stage}",
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{stage}")(x)
        x = keras.layers.ReLU(name=f"relu{stage}")(x)
        if stage:
            x = keras.layers.Identity(name=f"stage{stage}")(x)
    return keras.Model(images, x, name="strided")


def drawn(number, wide=80, high=60):
    """A window of a real photograph with a disc or a square in it: (picture, class, corners, uint8
    mask (H, W) with 1 + class inside of the shape)."""
    random = np.random.default_rng(number)
    photograph = load_sample_images().images[number % 2]
    top, left = random.integers(0, 300), random.integers(0, 500)
    picture = Image.fromarray(photograph[top : top + high, left : left + wide])
    mask = Image.new("L", (wide, high))
    shape, side = number % len(SHAPES), int(random.integers(24, 40))
    x, y = int(random.integers(0, wide - side)), int(random.integers(0, high - side))
    corners = (x, y, x + side, y + side)  # right and bottom exclusive
    for canvas, fill in ((picture, ((250, 40, 40), (40, 60, 250))[shape]), (mask, shape + 1)):
        pen = ImageDraw.Draw(canvas)
        (pen.ellipse, pen.rectangle)[shape]((x, y, x + side - 1, y + side - 1), fill=fill)
    return picture, shape, corners, np.asarray(mask)


def numbers():
    """(part, number) of every picture; numbers differ, so no two pictures are the same."""
    return [
        (part, 100 * place + each)
        for place, (part, count) in enumerate(PARTS.items())
        for each in range(count)
    ]


def write_classified(folder):
    """Class folders in train, val and test."""
    for part, number in numbers():
        picture, shape, _, _ = drawn(number)
        place = folder / part / SHAPES[shape]
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{number}.png")
    return folder


def write_boxed(folder):
    """PASCAL VOC's layout, with boxes, and with a list of each class: of eight training images the
    last is difficult for its class."""
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    lists = folder / "ImageSets" / "Main"
    for part, number in numbers():
        picture, shape, (left, top, right, bottom), _ = drawn(number)
        picture.save(folder / "JPEGImages" / f"{number:03}.jpg", quality=95)
        (folder / "Annotations" / f"{number:03}.xml").write_text(
            f"<annotation><size><width>{picture.width}</width><height>{picture.height}</height>"
            f"</size><object><name>{SHAPES[shape]}</name><difficult>0</difficult><bndbox>"
            f"<xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax>"
            f"<ymax>{bottom}</ymax></bndbox></object></annotation>"
        )
        with open(lists / f"{part}.txt", "a") as file:
            file.write(f"{number:03}\n")
        for column, name in enumerate(SHAPES):
            there = 1 if column == shape else -1
            label = 0 if there == 1 and number == PARTS["train"] - 1 else there
            with open(lists / f"{name}_{part}.txt", "a") as file:
                file.write(f"{number:03} {label:2}\n")
    return folder


def write_masked(folder):
    """Photographs and masks of the same names, in parts."""
    for part, number in numbers():
        picture, _, _, mask = drawn(number)
        for kind, image in (("images", picture), ("masks", Image.fromarray(mask))):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
            image.save(folder / part / kind / f"{number:03}.png")
    (folder / "classes.txt").write_text("ground\ndisc\nsquare\n")
    return folder


WRITERS = {"classify": write_classified, "detect": write_boxed, "segment": write_masked}


def recipe(task, data=None, **train):
    """The recipe of a fine-tuning of one epoch on one of these sets."""
    from rotkeras.recipe.files import validate_kind
    from rotkeras.transfer.settings import FineTuning

    settings = {"name": task, **({"channels": 8, "convolutions": 1} if task == "detect" else {})}
    content = {
        "task": settings,
        "data": {"path": None if data is None else str(data), "image_size": SIDE},
        "train": {"epochs": 1, "images_per_batch": 4, **train},
    }
    return validate_kind(FineTuning, content, "test")


def scored(goal, predictions, part, class_names, positions=None):
    """The result of predictions of a part, or of some positions of it."""
    return goal.evaluate(goal.judge(predictions, part, class_names), class_names, positions)
