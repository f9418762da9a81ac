"""`rotkeras worth-it --task`: fine-tunings from a pre-trained encoder and from scratch."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from rotkeras.cli import signals

_INTERRUPTED = "Interrupted; finished pairs are kept. Repeat the command to make the rest."


def compare_fine_tunings(
    run: Path,
    task: str,
    data: str | None,
    data_dir: str | None,
    recipe: str,
    overrides: Sequence[str],
    counts: Sequence[int | None],
    seeds: int,
    output: Path | None,
) -> None:
    """Compare, print the table and the verdict, and write a JSON file.

    Args:
        run: a run folder or a .keras file.
        task: "classify", "detect" or "segment".
        data: the labelled images.
        data_dir: of prepared tensorflow-datasets sets.
        recipe: of the fine-tuning.
        overrides: "key.path=value".
        counts: labels per class, or training images; None for all.
        seeds: how many.
        output: the JSON file; None for one beside the network.
    """
    from rotkeras.files import check_writable
    from rotkeras.recipe.files import load_kind
    from rotkeras.training import devices
    from rotkeras.transfer.settings import FineTuning

    if data is None:
        raise click.UsageError("--task needs labelled images: give --labelled PATH.")
    given = {"path": data, **({"data_dir": data_dir} if data_dir else {})}
    chosen = load_kind(FineTuning, recipe, overrides, given)
    if chosen.task.name != task:
        raise click.UsageError(
            f"The recipe {recipe} is one to {chosen.task.name}, and the task is {task}."
        )
    if str(run) == "none":
        raise click.UsageError("worth-it compares a pre-trained encoder: give a run, not none.")
    chosen = chosen.model_copy(update={"encoder": str(run)})
    devices.check_tensorflow("worth-it --task")
    beside = run if run.is_dir() else run.parent
    path = check_writable(output or beside / f"worth-it-{task}.json", "-o")

    from rotkeras.cli.embed import new_console, start

    console = new_console()
    start(console)
    from rotkeras.pretext.base import Monitor
    from rotkeras.training.callbacks.progress import Progress
    from rotkeras.transfer.run import prepare
    from rotkeras.transfer.worth_it import compare

    goal, encoder, labelled = prepare(chosen, lambda line: console.print(line, markup=False))
    for note in labelled.notes:
        console.print(f"note: {note}", markup=False)
    monitor = Monitor(f"val_{goal.score.key}", goal.score.words, f"validation {goal.score.short}")

    def bar(title: str) -> list[Any]:
        if console.is_terminal:
            console.print(title, markup=False)
            return [Progress(console, monitor=monitor)]
        return []

    with signals.saying(lambda: _INTERRUPTED):
        result = compare(
            chosen,
            goal,
            encoder,
            labelled,
            counts,
            seeds,
            path,
            callbacks=bar,
            tell=lambda line: console.print(line, markup=False),
        )
    _show(console, result)
    console.print(f"written: {path}", markup=False)


def _show(console: Any, result: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False)
    what = "labels per class" if result["task"] == "classify" else "training images"
    for name in (what, "from scratch", "pre-trained", "gain"):
        table.add_column(name, justify="right")
    for count, each in result["counts"].items():
        sign = "" if each["significant"] else " (not significant)"
        table.add_row(
            f"{each['training_images']:,}" if count == "all" else count,
            _with_margin(each["scratch"]),
            _with_margin(each["pretrained"]),
            f"{100 * each['gain']:+.1f} ±{100 * each['margin']:.1f}{sign}",
        )
    about = f"{result['images']:,} test images"
    console.print(f"\n{result['score']} in % on {about}", markup=False)
    console.print(table)
    console.print(
        f"± is the 95 % interval over {result['seeds']} seeds; of the gain, paired by seed and"
        " joined with that of the test images.\n"
    )
    for line in textwrap.wrap(result["verdict"], 80, break_on_hyphens=False):
        console.print(line, style="bold", markup=False)


def _with_margin(pair: Sequence[float | None]) -> str:
    mean, margin = pair
    return f"{100 * (mean or 0.0):.1f}" + ("" if margin is None else f" ±{100 * margin:.1f}")
