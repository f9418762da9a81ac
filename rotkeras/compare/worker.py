"""What runs in a process of its own: measuring the speed of a recipe, or one run with its
evaluation. Prints JSON lines."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError

WARM_UP_STEPS, LEAST_STEPS, MOST_SECONDS = 3, 20, 20.0


def say(**content: Any) -> None:
    """Print one line."""
    print(json.dumps(content), flush=True)


def prepare(recipe: Any) -> None:
    """What `rotkeras train` does before Keras is imported."""
    from rotkeras.training import devices

    devices.check_backend()
    devices.quiet()
    devices.keep_freed_memory()
    if recipe.train.deterministic:
        devices.make_deterministic()


def measure(recipe: Any, seconds: float) -> None:
    """Say how many training images there are, and how fast the recipe trains.

    Args:
        recipe: to build.
        seconds: how long to measure at least, after steps to warm up; 0 for not at all.
    """
    prepare(recipe)
    from rotkeras.training.build import load_source

    source = load_source(recipe)
    say(images=len(source.train))
    if not seconds:
        return
    import keras

    from rotkeras.training import build as builds
    from rotkeras.training import devices
    from rotkeras.training.callbacks import StopOnBadLoss

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.ends: list[tuple[int, float]] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.ends.append((batch + 1, time.perf_counter()))
            if len(self.ends) <= WARM_UP_STEPS:
                return
            took, count = self.measured()
            enough = took >= seconds and count >= LEAST_STEPS
            if enough or (took >= MOST_SECONDS and count >= 1):
                self.model.stop_training = True

        def measured(self) -> tuple[float, int]:
            (first, began), (last, ended) = self.ends[WARM_UP_STEPS - 1], self.ends[-1]
            return ended - began, last - first

    keras.utils.set_random_seed(recipe.train.seed)
    augmentation = builds.build_augmentation(recipe)
    shape = builds.training_shape(source, augmentation)
    with devices.parallel(recipe.train.devices, recipe.train.images_per_batch):
        task, model = builds.build(recipe, source, shape, augmentation)
        batches = builds.build_pipeline(recipe, source, task, augmentation)
        clock = Clock()
        model.fit(
            batches.dataset,
            # An end that is never reached: the clock stops it.
            steps_per_epoch=recipe.train.steps_per_execution * 10**6,
            shuffle=False,
            verbose=0,
            callbacks=[*task.callbacks(source.train), StopOnBadLoss(), clock],
        )
    took, count = clock.measured()
    say(measured={"steps_per_second": count / took, "steps": count, "seconds": took})


def train(recipe: Any, folder: Path, untrained: bool) -> None:
    """Train a run, from its checkpoint on where there is one, and evaluate it.

    Args:
        recipe: of the run.
        folder: its folder.
        untrained: whether to evaluate the untrained network of its seed too.
    """
    prepare(recipe)
    from rotkeras.compare.evaluation import evaluate_run
    from rotkeras.compare.memory import PeakMemory, Rounds
    from rotkeras.run.folder import Run
    from rotkeras.run.images import load_source
    from rotkeras.run.probe_images import load_probe_images_beside
    from rotkeras.training.trainer import train as train_run

    run, source = Run(folder), load_source(recipe)
    labelled = load_probe_images_beside(recipe, source)
    if not run.summary.exists():
        memory = PeakMemory(run.path / "memory.json")
        train_run(
            recipe,
            run,
            source,
            callbacks=[memory, Rounds(say)],
            tell=lambda line: say(tell=line),
            resume=True,
            labelled=labelled,
        )
    say(evaluating=True)
    if evaluate_run(
        run, labelled or source, recipe.train.seed, untrained, lambda line: say(tell=line)
    ):
        say(collapsed=True)


def main(wanted: dict[str, Any]) -> None:
    """Do one job: {"job": "measure" or "train", "recipe": content, …}."""
    from rotkeras import recipe as recipes

    recipe = recipes.validate(wanted["recipe"], "the recipe of this comparison")
    if wanted["job"] == "measure":
        measure(recipe, wanted["seconds"])
    else:
        train(recipe, Path(wanted["folder"]), wanted["untrained"])


if __name__ == "__main__":
    try:
        main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
