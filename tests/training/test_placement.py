"""Where views are made: what a recipe asks for, and what `auto` comes to."""

import pytest

from rotkeras import UserError
from rotkeras.data import Images, Source, augmentation
from rotkeras.pretext import InStep, Rotation
from rotkeras.training import devices, hosts, placement

CROP, RESIZED = (
    augmentation.pad_crop_flip(4),
    augmentation.keras_cv("RandomGaussianBlur", kernel_size=3, factor=0.5),
)


@pytest.fixture
def gpu(monkeypatch):
    """A machine with an accelerator of a gibibyte."""
    monkeypatch.setattr(devices, "accelerators", lambda: ["NVIDIA H200"])
    monkeypatch.setattr(devices, "device_memory", lambda: 2**30)


def choose(source, wanted="auto", task=None, steps=(CROP,), compiled=True):
    return placement.choose(wanted, task or Rotation(), list(steps), source, compiled)


def test_a_cpu_leaves_views_to_the_pipeline(digit_source):
    assert choose(digit_source) == "host"


def test_an_accelerator_holds_the_images_when_they_fit(digit_source, gpu, monkeypatch):
    assert choose(digit_source) == "resident"
    assert choose(digit_source, steps=(RESIZED, CROP)) == "device"
    assert choose(digit_source, task=Rotation((0, 45))) == "host"
    assert choose(digit_source, compiled=False) == "host"
    with pytest.raises(
        UserError, match=r"train\.placement must be host on a GPU without XLA, got device;"
    ):
        choose(digit_source, "device", compiled=False)
    two_arrays = Source(
        "own", digit_source.train, Images.of(digit_source.validation.take(slice(0, 3)))
    )
    assert choose(two_arrays) == "device"
    with pytest.raises(
        UserError,
        match=r"train\.placement must be device or host when validation images are in another array than training images, got resident\.",
    ):
        choose(two_arrays, "resident")
    size = placement.bytes_of(digit_source)
    assert size == (len(digit_source.train) + len(digit_source.validation)) * 16 * 16 * 3
    for memory, expected in ((4 * size, "resident"), (4 * size - 1, "device"), (None, "resident")):
        monkeypatch.setattr(devices, "device_memory", lambda memory=memory: memory)
        assert choose(digit_source) == expected
    monkeypatch.setattr(hosts, "processes", lambda: (1, 2))
    assert choose(digit_source) == "device"


def test_what_is_asked_for_is_done_or_refused(digit_source, monkeypatch):
    for wanted in ("host", "device", "resident"):
        assert choose(digit_source, wanted, compiled=False) == wanted
        task = placement.place(wanted, Rotation(), [CROP], digit_source)
        assert placement.of(task) == wanted
        assert placement.describe(task, digit_source).endswith(
            {"host": "", "device": "sent there", "resident": "MiB"}[wanted]
        )
    assert choose(digit_source, "device", steps=(RESIZED,)) == "device"
    inside = placement.place("resident", Rotation(), [CROP], digit_source)
    assert isinstance(inside, InStep)
    assert inside.resident == (digit_source.train, digit_source.validation)
    with pytest.raises(
        UserError,
        match=(r"train\.placement must be host for this task and its settings, got device;"),
    ):
        choose(digit_source, "device", task=Rotation((0, 45)))
    with pytest.raises(
        UserError,
        match=r"train\.placement must be device or host for these augmentations, got resident;",
    ):
        choose(digit_source, "resident", steps=(RESIZED,))
    monkeypatch.setattr(hosts, "processes", lambda: (0, 2))
    with pytest.raises(
        UserError, match=r"train\.placement must be device or host on several hosts, got resident;"
    ):
        choose(digit_source, "resident")
