"""The pictures that a task draws of what its trained model answers."""

from collections.abc import Callable
from typing import Any

from rotkeras.data import Source
from rotkeras.errors import UserError, brief
from rotkeras.run.folder import Run
from rotkeras.run.pictures import write_pictures
from rotkeras.training import hosts


def keep_pictures(
    run: Run, task: Any, model: Any, source: Source, seed: int, tell: Callable[[str], None]
) -> None:
    """Ask the task for its pictures of validation images, or of training images where there are
    none, and keep them in the run; nothing for a task that has none.

    A picture that cannot be made is said in a line, and ends no training.

    Args:
        run: its folder.
        task: as it was trained, with what is wrapped around it.
        model: as its `build_model` returned it, trained.
        source: the images.
        seed: of the training.
        tell: called with a line.
    """
    if not hasattr(task, "pictures"):
        return
    if hosts.processes()[1] > 1:
        tell("no pictures of the task's answers: they are drawn by a training of one process")
        return
    try:
        made = task.pictures(model, source.validation or source.train, seed)
        write_pictures(run.pictures, made)
    except UserError as error:
        tell(f"no pictures of the task's answers: {error}")
    except Exception as error:  # of a user's own task, after hours of training
        tell(f"no pictures of the task's answers: {type(error).__name__}: {brief(error)}")
