"""`rotkeras benchmark train`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rotkeras.files import expanded

if TYPE_CHECKING:
    from rich.table import Table

    from rotkeras.benchmark import TrainingBenchmark
    from rotkeras.benchmark.results import Bound, Spread


PEER_PYTHON = click.option(
    "--peer-python",
    metavar="PATH",
    help="Python that has torch, for --peer.  [default: ROTKERAS_TORCH_PYTHON, or this]",
)


@click.command(name="train")
@click.argument("recipe")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Change one value; may be given again.",
)
@click.option(
    "--data-dir",
    help="Folder of prepared tensorflow-datasets sets; the same as --set data.data_dir=….",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    help="Steps of a repeat; of the input a second's at least.  [default: 3 s]",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Measurements of each part.",
)
@click.option("--peer", is_flag=True, help="Run a PyTorch peer of the same network beside it.")
@PEER_PYTHON
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the JSON to a file too.",
)
def benchmark_train(
    recipe: str,
    overrides: tuple[str, ...],
    data_dir: str | None,
    steps: int | None,
    repeats: int,
    peer: bool,
    peer_python: str | None,
    as_json: bool,
    path: Path | None,
) -> None:
    """Measure how fast RECIPE trains on this machine: its input, its step, and both together.

    Each is measured in a new process, beside what the machine reaches at its best. No run folder
    is left. Progress goes to the standard error stream.

    \b
    rotkeras benchmark train cifar10-cpu --data-dir ~/tensorflow_datasets
    rotkeras benchmark train cifar10-cpu --set backbone.width=1.0 --peer --peer-python
    torch/bin/python
    """
    from rotkeras import recipe as recipes
    from rotkeras.benchmark import benchmark_training
    from rotkeras.files import check_writable, write_json

    chosen = recipes.load(recipe, overrides, data_dir)
    if chosen.data.folder is not None:  # before the seconds that TensorFlow takes to start
        from rotkeras.data.folder import check_folder

        check_folder(expanded(chosen.data.folder), or_file=chosen.data.crops is not None)

    if path is not None:
        path = check_writable(path, "-o")
    measured = benchmark_training(
        chosen,
        steps,
        repeats,
        peer or peer_python is not None,
        peer_python,
        lambda line: click.echo(line, err=True),
    )
    if path is not None:
        write_json(path, measured.content())
    if as_json:
        click.echo(measured.json())
    else:
        _show(measured)


def _show(measured: "TrainingBenchmark") -> None:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    settings, machine = measured.recipe["train"], measured.machine
    console.print(
        f"{measured.recipe['name']}: {measured.parameters:,} parameters, {measured.images_per_step}"
        f" images = {measured.views_per_step:g} views a step, {settings['precision']}, seed"
        f" {measured.seed}{_placed(machine['placement'])}"
    )
    accelerators = machine["accelerators"]
    runs_on = f"{machine['used']} × {accelerators[0]}; host: " if accelerators else ""
    console.print(
        f"{runs_on}{machine['processor']}, {_cores(machine['cores'])}; {machine['system']}"
    )
    known = ("tensorflow", "jax", "keras", "numpy")
    packages = ", ".join(
        f"{name} {measured.versions[name]}" for name in known if name in measured.versions
    )
    console.print(f"{packages}, Python {machine['python']}; Keras runs on {measured.backend}")
    busy = machine["load"] is not None and machine["load"] > 0.5
    if busy:
        console.print(
            f"Other programs computed here before (load {machine['load']:.1f}): rates may be too"
            " low."
        )

    console.print(_table(measured))
    console.print("host MiB: the most memory that the process held.", end="")
    console.print(" device MiB: that of the first accelerator." if accelerators else "")
    waiting, first = measured.waiting, measured.first_step
    if waiting:
        share = (
            f"{_percent(waiting.median)} ({_percent(waiting.minimum)} to"
            f" {_percent(waiting.maximum)})"
        )
        console.print(f"Waiting for input: {share} of the time of both together.")
    console.print(
        f"First step after {first.seconds:.1f} s: imports {first.imports:.1f}, reading images"
        f" {first.reading_images:.1f}, building {first.building:.1f}, the step"
        f" {first.first_step:.1f}."
    )
    work, writing = measured.work, measured.writing
    console.print(
        f"Step:  {_giga(work.per_view, 'FLOPs', 'M')} a view"
        f" ({_giga(measured.forward_flops, '', 'M').strip()} forward) make"
        f" {_giga(work.per_second, 'FLOP/s', 'G')},"
    )
    console.print(f"       {_bound(work, 'FLOP/s')}")
    if measured.not_counted:
        console.print(
            f"       Not counted, though they have weights: {', '.join(measured.not_counted)}."
        )
    console.print(
        f"Input: {writing.per_view:,.0f} bytes a view make {_giga(writing.per_second, 'B/s', 'M')},"
    )
    console.print(f"       {_bound(writing, 'B/s')}")
    if measured.peer:
        peer = measured.peer
        console.print(
            f"Peer:  torch {peer.torch} on {peer.device}, {peer.parameters:,} parameters too."
        )
        if peer.step_ratio is not None and peer.best is not None:
            ratios = (
                f"{peer.step_ratio:.2f} ({peer.fastest_step_ratio:.2f} of the fastest repeats;"
                f" {peer.best.name})"
            )
            console.print(f"       step:  rotkeras / best peer = {ratios}")
        for setting in peer.step:
            if setting.error:
                console.print(f"       {setting.name}: {setting.error}")
        if peer.input_ratio is not None:
            ratios = (
                f"{peer.input_ratio:.2f} ({peer.fastest_input_ratio:.2f} of the fastest repeats)"
            )
            console.print(f"       input: rotkeras / peer = {ratios}")
        else:
            console.print(
                "       input: the peer's loader pads, crops and flips; this recipe augments"
                " otherwise."
            )
        if busy:
            console.print(
                "       Other programs slow PyTorch down the most: on a quiet machine these ratios"
                " are lower."
            )


def _placed(placement: str) -> str:
    return "" if placement == "host" else f", placement {placement}"


def _table(measured: "TrainingBenchmark") -> "Table":
    """Parts and settings of the peer by rate and memory; without an accelerator it fits 80 columns,
    with one 100."""
    from rich import box
    from rich.table import Table

    on_device = bool(measured.machine["accelerators"])
    table = Table(
        "views/s",
        "median",
        "min",
        "max",
        "steps",
        "host MiB",
        *(["device MiB"] * on_device),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in table.columns:
        column.justify = "left" if column is table.columns[0] else "right"
        column.no_wrap = True
    for name, part in (
        ("input alone", measured.input),
        ("step alone", measured.step),
        ("both together", measured.both),
    ):
        memory = (_mib(part.host_peak_mib), *([_mib(part.device_peak_mib)] * on_device))
        table.add_row(
            name, *_rates(part.views_per_second), f"{len(part.steps)}×{min(part.steps):,}", *memory
        )
    peer = measured.peer
    for setting in (*peer.step, *([peer.input] if peer.input else [])) if peer else ():
        rate = setting.views_per_second
        counted = (
            (*_rates(rate), f"{len(rate.repeats)}×{setting.steps:,}")
            if rate
            else ("–", "–", "–", "–")
        )
        table.add_row(f"peer: {setting.name}", *counted, "", *([""] * on_device))
    return table


def _rates(rate: "Spread") -> tuple[str, str, str]:
    return _rate(rate.median), _rate(rate.minimum), _rate(rate.maximum)


def _rate(value: float) -> str:
    """Views per second; of many, thousands: a terminal has 80 columns, and no rate is known to six
    digits."""
    return f"{value:,.0f}" if value < 1e5 else f"{value / 1e3:,.0f} k"


def _mib(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _giga(value: float, unit: str, prefix: str) -> str:
    scaled = value / {"M": 1e6, "G": 1e9}[prefix]
    return f"{scaled:,.3g} {prefix}{unit}" if scaled < 1000 else f"{scaled:,.0f} {prefix}{unit}"


def _bound(bound: "Bound", unit: str) -> str:
    return f"{_percent(bound.share)} of the {_giga(bound.reached_here, unit, 'G')} of {bound.of}."


def _cores(count: int) -> str:
    return f"{count} core{'s' if count != 1 else ''}"
