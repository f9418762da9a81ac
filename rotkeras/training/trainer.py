"""Train a recipe: compile, fit, callbacks, and a run folder."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from rotkeras.arguments.accepted import Task
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.data import Source
from rotkeras.data.digests import digests
from rotkeras.data.fingerprint import source_difference, source_fingerprint
from rotkeras.errors import UserError
from rotkeras.files import check_writable, one_writer, write_json, write_whole
from rotkeras.pretext.base import TaskFacts
from rotkeras.pretext.check import check_form, check_model
from rotkeras.recipe import Recipe
from rotkeras.recipe.models import OwnTask
from rotkeras.run import images as run_images
from rotkeras.run.folder import Run
from rotkeras.run.probe_images import check_probe_images, load_probe_images_beside
from rotkeras.training import devices, hosts, observe, placement
from rotkeras.training.build import (
    build,
    build_augmentation,
    build_pipeline,
    build_validation,
    check_backbone,
    load_source,
    training_shape,
)
from rotkeras.training.callbacks import (
    AveragedWeights,
    EncoderCheckpoint,
    InOneProcess,
    MetricsLog,
    RunCheckpoint,
    StopOnBadLoss,
    Throughput,
)
from rotkeras.training.callbacks.of_network import look_at
from rotkeras.training.callbacks.replaced_images import (
    ReplacedImages,
    encoded_arrays,
    own_mistakes,
)
from rotkeras.training.callbacks.run_checkpoint import restore
from rotkeras.training.notes import (
    check_own_settings,
    describe_network,
    network_notes,
    not_in_files,
)
from rotkeras.training.optimizer import schedule_note
from rotkeras.training.summary import summarise as summary_of
from rotkeras.training.task_pictures import keep_pictures


@checked
def train(
    recipe: Recipe,
    run: Run,
    source: Source | None = None,
    callbacks: Sequence[Any] = (),
    tell: Callable[[str], None] = lambda _line: None,
    task: Task | None = None,
    resume: bool = False,
    overwrite: bool = False,
    labelled: Source | None = None,
) -> dict[str, Any]:
    """Train a recipe into a run folder, from its last checkpoint on.

    Args:
        recipe: what to train.
        run: its folder. It is written to once everything else is in order.
        source: the images, when they are loaded already.
        callbacks: more Keras callbacks, called after those of the recipe.
        tell: called with a line when views are not made by the input pipeline, and when a
            `ModelCheckpoint` writes models without the recipe's weight decay.
        task: a task of your own (`rotkeras.pretext.PretextTask`), in place of the recipe's; give it
            again to resume. The run keeps what it says of itself (`task.json`).
        resume: continue the run that is in the folder; start one if there is none.
        overwrite: delete the run that is in the folder.
        labelled: the images of the recipe's `probe.data`, when they are loaded already.

    Returns:
        The summary, as `summary.json` holds it. Of several processes that train together
        (`keras.distribution.initialize` on JAX), the first writes the run folder and returns it,
        and the others return {}.

    Raises:
        UserError: for images, devices or settings that do not fit, for a task that lacks something,
            for a loss that is not finite, for a folder that holds a run that is neither to be
            resumed nor overwritten, and while another process trains in it.
    """
    devices.check_backend()
    if task is not None:
        check_form(task)
        made = OwnTask(name="own", class_name=type(task).__name__)
        recipe = recipe.model_copy(update={"task": made})
        check_own_settings(recipe, task)
    if resume or overwrite or not run.checked:
        run.check(recipe, resume=resume, overwrite=overwrite)
    if hosts.processes()[0] > 0:
        return _train(recipe, run, (source, labelled), callbacks, tell, task)
    check_writable(run.path, "The run folder", folder=True)
    run.path.parent.mkdir(parents=True, exist_ok=True)
    with one_writer(run.path):  # two trainings in one folder would mix their epochs
        return _train(recipe, run, (source, labelled), callbacks, tell, task)


def _train(
    recipe: Recipe,
    run: Run,
    loaded: tuple[Source | None, Source | None],
    callbacks: Sequence[Any],
    tell: Callable[[str], None],
    own: Any,
) -> dict[str, Any]:
    started = time.perf_counter()
    settings = recipe.train
    if settings.deterministic:
        devices.make_deterministic()
    keras.utils.set_random_seed(settings.seed)
    number, count = hosts.processes()
    first = number == 0

    check_backbone(recipe)  # before minutes of decoding
    source = loaded[0] or load_source(recipe)
    labelled = loaded[1] or load_probe_images_beside(recipe, source)
    _check_images(run, source, tell)
    if labelled is not None and run.resuming:
        check_probe_images(run, labelled)
    if note := schedule_note(settings):
        tell(note)
    augmentation = build_augmentation(recipe)
    shape = training_shape(source, augmentation)
    if shape != source.image_shape and source.validation is not None:
        height, width, _ = source.image_shape
        raise UserError(
            f"The augmentation makes images of {shape[0]}×{shape[1]} from {height}×{width}, and"
            " validation sees those. Remove the size from the augmentation, so that it follows"
            f" data.image_size, or set data.image_size to {shape[0]}."
        )

    with devices.parallel(settings.devices, settings.images_per_batch):
        task, model, state, log = _fit(
            recipe, run, (source, labelled), augmentation, shape, callbacks, tell, started, own
        )
    if not first:
        return {}
    network = task.network(model)
    # A model that was never compiled: its file names no class that a reader would have to import
    # from here.
    plain = keras.Model(network.input, network.output, name=network.name)
    write_whole(run.model, plain.save)
    keep_pictures(run, task, model, source, settings.seed, tell)
    summary = summary_of(recipe, source, task, plain, state, log, labelled)
    summary["processes"] = count
    run.write_summary(summary)
    return summary


def _fit(
    recipe: Recipe,
    run: Run,
    sources: tuple[Source, Source | None],
    augmentation: Sequence[Any],
    shape: tuple[int, int, int],
    callbacks: Sequence[Any],
    tell: Callable[[str], None],
    started: float,
    own: Any,
) -> tuple[Any, keras.Model, dict[str, Any], MetricsLog]:
    """(task, trained model, state, log), from (images of training, images of `probe.data` or None).
    Of several processes, the first alone probes and writes."""
    settings, (source, labelled) = recipe.train, sources
    number, count = hosts.processes()
    first = number == 0
    probe = observe.probe(recipe, labelled or source, augmentation) if first else None
    for note in probe.notes if probe else ():
        if note not in source.notes:  # which were shown when the images were loaded
            tell(note)
    task, model = build(recipe, source, shape, augmentation, own)
    check_model(task, model)
    tell(describe_network(recipe, task.network(model)))
    for line in network_notes(recipe, source, task, model, augmentation):
        tell(line)
    if line := placement.describe(task, source):
        tell(line)
    if line := not_in_files(recipe, callbacks):
        tell(line)
    if recipe.encoder.tap != "best":
        taps.check(model, recipe.encoder.tap)
    name = recipe.task.name if own is None else type(own).__name__
    facts = TaskFacts.of(task, name, settings.images_per_batch)
    if run.resuming and run.task.exists() and (was := run.task_facts().name) != name:
        raise UserError(
            f"The run {run.path} trains the task {was}, and this is {name}. Resume it with its own"
            " task, or choose another run folder."
        )
    if recipe.export is not None and devices.backend() == "tensorflow":
        check_export(recipe, task.network(model), source, task)

    if settings.precision != "float32":
        with hosts.alone() if count > 1 else nullcontext():
            network = task.network(model)
            network = keras.models.clone_model(network) if count > 1 else network
            devices.check_compiled(network)
    restored = restore(run.checkpoints, model) if count == 1 and run.resuming else None
    if count > 1:
        restored = _restore_in_all(recipe, run, source, shape, augmentation, model, own)
    state = restored or {"epoch": 0, "seconds": 0.0}
    done = state["epoch"]
    batches = build_pipeline(recipe, source, task, augmentation, done)
    encoder = EncoderCheckpoint(
        run.path,
        recipe.encoder.tap,
        recipe.encoder.pooling,
        recipe.probe.probes[0],
        probe,
        task.monitor,
    )
    encoder.best, encoder.last = state.get("best"), state.get("last")
    if probe:
        probe.untrained = state.get("untrained")
        probe.results = {int(epoch): result for epoch, result in state.get("probed", {}).items()}
    network = task.network(model)
    attention = observe.attention(recipe, run, source, network) if first else None
    quality = observe.quality(recipe, source, network) if first else None
    if quality:
        observe.restore(quality, state)
    log = MetricsLog(run.metrics)

    record = run_images.record(recipe, source, labelled)
    hashed, images = (record["fingerprint"]["train"][key] for key in ("pixels_of", "images"))
    if hashed < images:
        tell(
            "to notice changed images, all names and labels are recorded, and the pixels of"
            f" {hashed:,} of {images:,} training images"
        )

    def summarise() -> dict[str, Any]:
        return {
            "best": encoder.best,
            "last": encoder.last,
            "untrained": probe.untrained if probe else None,
            "probed": probe.results if probe else {},
            "probed_images": len(probe.validation) if probe else None,
            "quality": observe.found(quality),
            "seconds": state["seconds"] + time.perf_counter() - started,
            "images": record,
        }

    writing: list[Any] = []
    averaged = AveragedWeights() if settings.ema_momentum is not None else None
    if first:
        run.begin(recipe)
        write_json(run.task, asdict(facts))
        if not run.digests.exists():
            arrays: Any = digests(source)
            write_whole(run.digests, lambda path: np.savez(path, **arrays))
        spread = observe.spread(recipe, source, task)
        of_taps = [each for each in (probe, attention, quality) if each]
        looking: list[Any] = [*of_taps, *([spread] if spread else [])]
        if count == 1:
            # The spread is that of what the loss compares.
            look_at(task.network(model), [encoder, *of_taps])
        writing = [
            log,
            encoder,
            *(
                [keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False)]
                if observe.has_tensorflow()
                else []
            ),
            RunCheckpoint(run.checkpoints, summarise),
        ]
        if keras.distribution.distribution() is not None:
            looking = [InOneProcess(each, on_a_copy=True) for each in looking]
            writing = [InOneProcess(each) for each in writing]
        writing = looking + writing
    if averaged:
        # The checkpoint is of the trained weights, and of their averages in the optimizer.
        writing = [averaged, *writing[:-1], averaged.put_back, *writing[-1:]]
    if done < settings.epochs:
        speed = Throughput(settings.images_per_batch * task.views_per_image(), batches.input_wait)
        arrays = encoded_arrays(source)
        with own_mistakes(arrays):
            model.fit(
                batches.dataset,
                steps_per_epoch=batches.steps_per_epoch,
                epochs=settings.epochs,
                initial_epoch=done,
                validation_data=build_validation(recipe, source, task),
                shuffle=False,
                verbose=0,
                callbacks=[
                    *task.callbacks(source.train),
                    StopOnBadLoss(),
                    speed,
                    *writing,
                    *callbacks,
                    *([ReplacedImages(source, tell)] if arrays else []),
                ],
            )
        state = summarise()
    elif averaged:  # a run that was stopped between its last epoch and its end
        model.optimizer.finalize_variable_values(model.trainable_variables)
    return task, model, state, log


def _check_images(run: Run, source: Source, tell: Callable[[str], None]) -> None:
    """Raise a `UserError` when the run to resume was trained on other images, or when several
    processes read different ones; in all processes alike, so that none waits for another."""
    number, count = hosts.processes()
    if count == 1:
        if run.resuming:
            run_images.check_images(run, source, remedy=run_images.NEW_RUN, tell=tell)
        return
    then = run.recorded_images() if number == 0 and run.resuming else None
    if number == 0 and run.state.exists() and run.resuming and then is None:
        tell(run_images.NOT_RECORDED)
    mine = {"now": source_fingerprint(source), "then": then}
    first, *others = [json.loads(text) for text in hosts.gather(json.dumps(mine))]
    for process, other in enumerate(others, 1):
        when = ("in process 0", f"in process {process}")
        if differs := source_difference(first["now"], other["now"], when=when):
            raise UserError(
                f"The processes read different images: {differs}. Give all of them the same images."
            )
    if first["then"] is not None:
        run_images.check_record(first["then"], source, remedy=run_images.NEW_RUN)


def _restore_in_all(
    recipe: Recipe,
    run: Run,
    source: Source,
    shape: tuple[int, int, int],
    augmentation: Sequence[Any],
    model: keras.Model,
    own: Any,
) -> dict[str, Any] | None:
    """Put the checkpoint that the first process has into the model of all of them; the others need
    no run folder."""
    state, values = None, None
    variables = [*model.weights, *model.optimizer.variables]
    if hosts.processes()[0] == 0 and run.resuming:
        with hosts.alone():
            _, there = build(recipe, source, shape, augmentation, own)
            state = restore(run.checkpoints, there)
            values = [np.asarray(value) for value in (*there.weights, *there.optimizer.variables)]
    epoch = int(hosts.from_first(np.asarray(state["epoch"] if state else 0)))
    if not epoch:
        return None
    values = values or [np.zeros(variable.shape, variable.dtype) for variable in variables]
    for variable, value in zip(variables, hosts.from_first(values), strict=True):
        variable.assign(value)
    return state or {"epoch": epoch, "seconds": 0.0}


def check_export(recipe: Recipe, model: keras.Model, source: Source, task: Any) -> None:
    """Raise a `UserError`, before the first step, for what an export at the end of this training
    could not make."""
    from rotkeras.export.write import check

    assert recipe.export is not None
    check(model, source, recipe.export, task)
