"""`rotkeras train`."""

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from rotkeras.cli import signals
from rotkeras.errors import UserError
from rotkeras.files import expanded, is_full
from rotkeras.text import Words, command_line


@click.command()
@click.argument("recipe")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Change one value; may be given again.",
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    help="Run folder; by default runs/<name of the recipe>.",
)
@click.option(
    "--data-dir",
    help="Folder of prepared tensorflow-datasets sets; the same as --set data.data_dir=….",
)
@click.option("--resume", is_flag=True, help="Resume the run; starts if no run exists.")
@click.option("--overwrite", is_flag=True, help="Delete the existing run and start again.")
@click.option(
    "--hosts",
    "addresses",
    metavar="A:PORT,B:PORT",
    help="All processes that train together, on JAX; the first writes.",
)
@click.option("--host-id", "number", type=int, help="Which of --hosts this one is, from 0.")
def train(
    recipe: str,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    data_dir: str | None,
    resume: bool,
    overwrite: bool,
    addresses: str | None,
    number: int | None,
) -> None:
    """Pre-train RECIPE, a YAML file or the name of a built-in recipe, and write a run folder.

    \b
    rotkeras train quickstart
    rotkeras train recipes/cifar10.yaml --data-dir ~/tensorflow_datasets
    rotkeras train folder --set data.folder=photos --set train.epochs=20
    rotkeras train cifar10 --hosts one:1234,two:1234 --host-id 0     # and on the host two:
    --host-id 1
    """
    from rotkeras import recipe as recipes
    from rotkeras.run.folder import Run
    from rotkeras.training import devices, hosts

    chosen = recipes.load(recipe, overrides, data_dir)
    run = Run(run_dir or Path("runs") / chosen.name)
    together = hosts.find(addresses, number)
    if together:
        hosts.check_backend()
        hosts.check_split(together, chosen.train.images_per_batch)
    devices.check_backend()
    if together is None or together.number == 0:  # the others write nothing
        run.check(chosen, resume=resume, overwrite=overwrite)
        if run.resuming:
            _check_places(chosen, run)

    if chosen.data.folder is not None:  # before the seconds that TensorFlow takes to start
        from rotkeras.data.folder import check_folder

        check_folder(expanded(chosen.data.folder), or_file=chosen.data.crops is not None)

    if together and not hosts.watched():
        sys.exit(hosts.watch(together, sys.argv[1:]))

    from rotkeras.cli.train_console import TrainConsole

    console = TrainConsole(together=together)
    try:
        # An interrupt that arrives while a library calls back into Python can be swallowed there or
        # come out as another error: training looks after every step whether one was received.
        with signals.soon(), signals.saying(lambda: _interrupted(run, together)):
            console.run(chosen, run, signals.received)
    except (KeyboardInterrupt, Exception) as error:
        interrupted = signals.received or isinstance(error, KeyboardInterrupt)
        if together and not interrupted:
            _leave(error)
        if together:
            if together.number == 0:
                signals.tell()
            os._exit(signals.exit_code(error))  # at a common exit the others would be waited for
        if not interrupted and is_full(error):
            raise UserError(_full(run)) from None
        raise
    if console.rejected or console.collapsed:
        sys.exit(1)


def _interrupted(run: Any, together: Any) -> str:
    """What is said when a training is interrupted."""
    from rotkeras.training import devices

    if not run.recipe.exists():
        return "Interrupted before training began; nothing was written."
    if run.summary.exists():
        return f"Interrupted; training had ended, and {str(run.path)!r} is whole."
    words: Words = ["rotkeras", "train", run.recipe, "--run-dir", run.path, "--resume"]
    command = command_line(*words)
    if together:
        command += (
            f" --hosts {','.join(together.addresses)} --host-id 0 (and with their numbers on the"
            " others)"
        )
    elif devices.backend() != "tensorflow":
        command = f"KERAS_BACKEND={devices.backend()} {command}"
    finished = (run.checkpoints / "state.json").exists()
    kept = "finished epochs are kept" if finished else "no epoch was finished"
    return f"Interrupted; {kept}. Resume with: {command}"


def _check_places(chosen: Any, run: Any) -> None:
    """Raise a `UserError` when the images of a run to resume are no longer where the recipe
    says."""
    from rotkeras.run.places import PATHS, check_places

    command: Words = ["rotkeras", "train", run.recipe, "--run-dir", run.path, "--resume"]
    recorded = run.recorded_images()
    # Without a record, another folder would be another recipe.
    check_places(chosen, recorded, command, tuple(PATHS) if recorded else ["data_dir"])


def _full(run: Any) -> str:
    """What is said when the disk becomes full during a training."""
    sentence = f"The disk became full while {str(run.path)!r} was written."
    if not (run.checkpoints / "state.json").exists():
        return f"{sentence} No epoch was finished; make room and start again."
    command = command_line("rotkeras", "train", run.recipe, "--run-dir", run.path, "--resume")
    return f"{sentence} Finished epochs are kept; make room, then: {command}"


def _leave(error: BaseException) -> NoReturn:
    """End one of several processes after an error, without the common exit, which would wait for
    the others."""
    import traceback

    from rotkeras.training import hosts

    code = 1
    if isinstance(error, UserError):
        click.echo(f"Error: {error}", err=True)
        code = 2
    elif hosts.was_lost(error):
        code = hosts.LOST
    else:
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
