"""One part of the benchmark, in a process of its own: `python -m rotkeras.benchmark.measure`; see
training.py."""

import itertools
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rotkeras.benchmark.batch_file import arrays, read
from rotkeras.benchmark.results import FirstStep, Part, Spread
from rotkeras.errors import UserError

if TYPE_CHECKING:
    from rotkeras.data import Source
    from rotkeras.recipe import Recipe

_SECONDS_OF_A_REPEAT = 3.0
_SECONDS_OF_AN_INPUT_REPEAT = 1.0
_WARM_UP_EXECUTIONS = 3
_INPUT_WARM_UP_STEPS = 10
_INPUT_STEPS_AT_ONCE = 10

Tell = Callable[[str], None]


def start(recipe: dict[str, Any]) -> "Recipe":
    """Import what training imports and set it up as training does.

    Returns:
        The recipe of this content.

    Raises:
        UserError: for a recipe that is none, and a backend that is not trained with.
    """
    from rotkeras.recipe import validate
    from rotkeras.training import devices

    made = validate(recipe, "recipe")
    devices.check_backend()
    devices.quiet()
    devices.keep_freed_memory()
    import keras

    from rotkeras.training import trainer  # noqa: F401  (part of the imports that are timed)

    if made.train.deterministic:
        devices.make_deterministic()
    keras.utils.set_random_seed(made.train.seed)
    return made


def measure_both(
    recipe: dict[str, Any],
    steps: int | None,
    repeats: int,
    batch_file: str,
    started: float,
    tell: Tell,
) -> dict[str, Any]:
    """Training as `rotkeras train` does it, without validation, probes and checkpoints.

    Args:
        recipe: content of a recipe.
        steps: of each repeat; None for as many as take three seconds.
        repeats: epochs of so many steps; warm-up comes before.
        batch_file: an .npz that is written: one batch (x, y), for `measure_step`.
        started: `time.time()` when this process was started.
        tell: called with what is being done.

    Returns:
        `part` and `first_step` as dicts of the classes of results.py, `waiting` (a Spread as dict,
        or None), and what the other parts need: `images`, `validation`, `image_shape`, `shape`,
        `views_per_step`, `bytes_per_view`, `parameters`, `forward_flops`, `training_flops`,
        `not_counted`.
    """
    began = time.perf_counter() - (time.time() - started)
    tell("starting")
    made = start(recipe)
    from rotkeras.benchmark.flops import count_flops
    from rotkeras.training import build, devices, placement

    imported = time.perf_counter() - began

    tell("reading images")
    source = build.load_source(made)
    read = time.perf_counter() - began
    tell("building the network and its input")
    augmentation = build.build_augmentation(made)
    shape = build.training_shape(source, augmentation)
    with devices.parallel(made.train.devices, made.train.images_per_batch):
        task, model = build.build(made, source, shape, augmentation)
        batches = build.build_pipeline(made, source, task, augmentation)
        built = time.perf_counter() - began
        views = made.train.images_per_batch * task.views_per_image()
        tell("training: the first step")
        part, clock, waited = _fit(
            made, model, batches.dataset, views, steps, repeats, tell, batches.input_wait
        )
        used = _devices(model) | {"placement": placement.of(task)}
    first = clock.first - began
    # After all that is timed: another pipeline begins with the same first batch.
    x, y = next(iter(build.build_pipeline(made, source, task, augmentation).dataset))
    batch = {**arrays("x", x), **arrays("y", y)}
    np.savez(batch_file, **batch)
    work = count_flops(model)
    return {
        "part": asdict(part),
        "waiting": asdict(Spread.of(waited)) if waited else None,
        "first_step": asdict(
            FirstStep(first, imported, read - imported, built - read, first - built)
        ),
        "images": len(source.train),
        "validation": 0 if source.validation is None else len(source.validation),
        "image_shape": source.image_shape,
        "shape": shape,
        "views_per_step": views,
        "bytes_per_view": sum(value.nbytes for value in batch.values()) / views,
        "parameters": work.parameters,
        "forward_flops": work.forward,
        "training_flops": work.training,
        "not_counted": work.not_counted,
        "devices": used,
        "backend": devices.backend(),
    }


def measure_step(
    recipe: dict[str, Any],
    steps: int | None,
    repeats: int,
    batch_file: str,
    images: int,
    validation: int,
    image_shape: tuple[int, int, int],
    shape: tuple[int, int, int],
    tell: Tell,
) -> dict[str, Any]:
    """The step alone, on one batch that stays in memory; reads no images.

    Args:
        recipe, steps, repeats, tell: as of `measure_both`.
        batch_file, images, validation, image_shape, shape: what `measure_both` left and gave.

    Returns:
        `part`, as a dict, and `matrix_product`: operations per second of an accelerator, None
            without one.
    """
    tell("starting")
    made = start(recipe)
    from rotkeras.benchmark.yardsticks import device_matrix_product
    from rotkeras.training import build, devices

    tell("building the network")
    product = None
    with devices.parallel(made.train.devices, made.train.images_per_batch):
        source = _stand_in(images, validation, image_shape)
        task, model = build.build(made, source, shape, build.build_augmentation(made))
        with np.load(batch_file) as batch:
            dataset = _again_and_again(read("x", batch), read("y", batch))
        views = made.train.images_per_batch * task.views_per_image()
        tell("the first step")
        part, _, _ = _fit(made, model, dataset, views, steps, repeats, tell)
        used = _devices(model)["used"]
    if devices.accelerators():
        tell("what a product of matrices reaches on the device")
        product = device_matrix_product(made.train.precision) * used
    return {"part": asdict(part), "matrix_product": product}


def _again_and_again(x: Any, y: Any) -> Any:
    """What `fit` takes of one batch for ever."""
    from rotkeras.training import devices

    if devices.backend() != "tensorflow":
        return ((x, y) for _ in itertools.count())
    import tensorflow as tf

    from rotkeras.data.batches import untuned

    return untuned(tf.data.Dataset.from_tensors((x, y)).repeat().prefetch(tf.data.AUTOTUNE))


def measure_input(
    recipe: dict[str, Any], steps: int | None, repeats: int, tell: Tell
) -> dict[str, Any]:
    """The input pipeline alone: its batches are taken as fast as it gives them, and left.

    Args:
        recipe, repeats, tell: as of `measure_both`.
        steps: of each repeat, at least: a repeat takes a second at least.

    Returns:
        `part`, as a dict.
    """
    tell("starting")
    made = start(recipe)
    from rotkeras.training import build, devices

    tell("reading images")
    source = build.load_source(made)
    augmentation = build.build_augmentation(made)
    task = build.build_task(made, source, augmentation)
    batches = build.build_pipeline(made, source, task, augmentation)
    views = made.train.images_per_batch * task.views_per_image()
    take = _taker(batches.dataset)
    take(_INPUT_WARM_UP_STEPS)
    rates, counts = [], []
    for _ in range(repeats):
        began, count = time.perf_counter(), 0
        while count < (steps or 1) or time.perf_counter() - began < _SECONDS_OF_AN_INPUT_REPEAT:
            more = (
                max(1, min(_INPUT_STEPS_AT_ONCE, steps - count)) if steps else _INPUT_STEPS_AT_ONCE
            )
            take(more)
            count += more
        rates.append(count * views / (time.perf_counter() - began))
        counts.append(count)
        tell(f"{rates[-1]:,.0f} views/s")
    part = Part(
        Spread.of(rates),
        tuple(counts),
        _INPUT_WARM_UP_STEPS,
        devices.peak_memory(),
        devices.device_peak_memory(),
    )
    return {"part": asdict(part)}


def _taker(dataset: Any) -> Callable[[int], None]:
    """A function that takes so many batches and leaves them; of a `tf.data.Dataset` inside
    TensorFlow, as a compiled `fit` does."""
    iterator = iter(dataset)
    if not hasattr(dataset, "element_spec"):

        def take_from_python(count: int) -> None:
            for _ in range(count):
                next(iterator)

        return take_from_python
    import tensorflow as tf

    @tf.function
    def take(count: Any) -> None:
        for _ in tf.range(count):
            next(iterator)

    return lambda count: take(tf.constant(count))


def measure_machine(tell: Tell, seconds: float = 2.0) -> dict[str, Any]:
    """What NumPy reaches here.

    Args:
        tell: as of `measure_both`.
        seconds: for how long each of the two is tried.

    Returns:
        `matrix_product` in operations per second and `memory_copy` in bytes per second.
    """
    from rotkeras.benchmark.yardsticks import matrix_product, memory_copy
    from rotkeras.device.host import describe_host

    tell("a product of matrices, and a copy of memory, by NumPy")
    return {
        "matrix_product": matrix_product(seconds=seconds),
        "memory_copy": memory_copy(describe_host().cores, seconds=seconds),
    }


def _fit(
    recipe: "Recipe",
    model: Any,
    dataset: Any,
    views: float,
    steps: int | None,
    repeats: int,
    tell: Tell,
    input_wait: Any = None,
) -> tuple[Part, Any, list[float]]:
    """Stock `fit`: some executions to warm up, then an epoch for each repeat, whose first execution
    does not count."""
    from rotkeras.benchmark.clock import StepClock
    from rotkeras.training import devices
    from rotkeras.training.callbacks import StopOnBadLoss, Throughput

    clock = StepClock(tell)
    callbacks = [StopOnBadLoss(), Throughput(views, input_wait), clock]
    execution = recipe.train.steps_per_execution

    def fit(executions: int, epochs: int) -> None:
        model.fit(
            dataset,
            steps_per_epoch=executions * execution,
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )

    fit(_WARM_UP_EXECUTIONS, 1)
    if steps is None:
        executions = max(2, math.ceil(_SECONDS_OF_A_REPEAT / clock.seconds_of_an_execution))
    else:
        executions = math.ceil(steps / execution)
    clock.begin_repeats()
    fit(executions + 1, repeats)
    rates = [logs["views_per_second"] for logs in clock.epochs]
    waited = [logs["input_wait"] for logs in clock.epochs if "input_wait" in logs]
    counted = (executions * execution,) * repeats
    part = Part(
        Spread.of(rates),
        counted,
        _WARM_UP_EXECUTIONS * execution,
        devices.peak_memory(),
        devices.device_peak_memory(),
    )
    return part, clock, waited


def _stand_in(images: int, validation: int, image_shape: tuple[int, int, int]) -> "Source":
    """A source of as many black images that takes no memory, for what depends on their number
    alone."""
    from rotkeras.data import Images, Source

    one = np.zeros((1, *image_shape), np.uint8)
    every = Images.of(np.broadcast_to(one, (images + validation, *image_shape)))
    train, held_out = (every.part(rows) for rows in np.split(np.arange(len(every)), [images]))
    return Source("stand-in", train, held_out if validation else None)


def _devices(model: Any) -> dict[str, Any]:
    """What training runs on: the accelerators, and how many of them (or one CPU) share a batch."""
    import keras

    from rotkeras.training import devices

    used = 1
    if keras.config.backend() == "tensorflow":
        used = model.distribute_strategy.num_replicas_in_sync
    elif distribution := keras.distribution.distribution():
        used = distribution.device_mesh.devices.size
    return {"accelerators": devices.accelerators(), "used": used}


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "both": measure_both,
    "step": measure_step,
    "input": measure_input,
    "machine": measure_machine,
}
"""What a new process can measure."""


def main(wanted: dict[str, Any]) -> None:
    """Measure the wanted part and print JSON lines: `tell` for progress, at last `result`."""

    def write(content: dict[str, Any]) -> None:
        print(json.dumps(content), flush=True)

    part = PARTS[wanted.pop("part")]
    write({"result": part(**wanted, tell=lambda what: write({"tell": what}))})


if __name__ == "__main__":
    try:
        main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
