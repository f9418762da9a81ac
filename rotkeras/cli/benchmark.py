"""`rotkeras benchmark`."""

import importlib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rotkeras.device.benchmark import Benchmark


class _Counts(click.ParamType):
    """Whole numbers of at least 1, with commas between them."""

    name = "counts"

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            counts = tuple(int(each) for each in str(value).split(","))
        except ValueError:
            counts = ()
        if not counts or min(counts) < 1:
            self.fail(
                "must be whole numbers of at least 1 with commas between them, such as 1,2, got"
                f" {value!r}.",
                param,
                context,
            )
        return counts


@click.command(name="benchmark")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--threads",
    type=_Counts(),
    default="1,2",
    show_default=True,
    help="Numbers of threads to measure.",
)
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Measured runs, and 1 s, at least.",
)
@click.option(
    "--warm-up-runs",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Runs before, and 0.5 s, at least.",
)
@click.option(
    "--signature", help="What to run.  [default: embed, predict, or the first that takes images]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def benchmark_file(
    file: Path,
    threads: tuple[int, ...],
    runs: int,
    warm_up_runs: int,
    signature: str | None,
    as_json: bool,
) -> None:
    """Measure the time and memory of a .tflite FILE on this machine, or of all in a folder.

    Each number of threads is measured in a new process, which does not load TensorFlow.

    \b
    rotkeras benchmark export/encoder-int8.tflite
    rotkeras benchmark export/encoder-float32.tflite --threads 1,2,4 --json
    """
    from rotkeras.device.benchmark import measure_latency
    from rotkeras.errors import UserError

    files = sorted(file.glob("*.tflite")) if file.is_dir() else [file]
    if not files:
        raise UserError(f"The folder {str(file)!r} holds no .tflite file; give another.")
    found = []
    for number, each in enumerate(files):
        measured = measure_latency(each, threads, warm_up_runs, runs, signature)
        found.append(measured.json())
        if not as_json:
            click.echo("\n" if number else "", nl=False)
            _show(measured)
    if as_json:
        click.echo(found[0] if file.is_file() else "[" + ",\n".join(found) + "]")


_COMMANDS = {
    "train": "Measure how fast a RECIPE trains; `rotkeras benchmark train --help`.",
    "input": "Measure how fast photographs become crops; `rotkeras benchmark input --help`.",
}


class _FileOrCommand(click.Group):
    """A group that is the command above when its first argument is none of its commands."""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"rotkeras.cli.benchmark_{name}")
        command: click.Command = getattr(module, f"benchmark_{name}")
        return command

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        if args and args[0] in (*_COMMANDS, "-h", "--help"):
            return super().make_context(info_name, args, parent, **extra)
        if args and (close := get_close_matches(args[0], _COMMANDS)) and not Path(args[0]).exists():
            raise click.UsageError(
                f"There is no file and no command {args[0]!r}; did you mean {close[0]!r}?"
            )
        return benchmark_file.make_context(info_name, args, parent, **extra)

    def invoke(self, context: click.Context) -> Any:
        return (
            super().invoke(context) if context.command is self else context.command.invoke(context)
        )

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(context.command_path, "[OPTIONS] FILE")
        for usage in ("train [OPTIONS] RECIPE", "input [OPTIONS] FOLDER"):
            formatter.write_usage(context.command_path, usage, prefix=" " * len("Usage: "))

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        options = [
            each for each in benchmark_file.get_params(context) if isinstance(each, click.Option)
        ]
        records = [option.get_help_record(context) for option in options]
        with formatter.section("Options for a FILE"):
            formatter.write_dl([record for record in records if record])
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_FileOrCommand)
def benchmark() -> None:
    """Measure the time and memory of a .tflite FILE on this machine, how fast a RECIPE trains, or
    how fast the photographs of a FOLDER become random crops.

    Each number of threads is measured in a new process, which does not load TensorFlow.

    \b
    rotkeras benchmark export/encoder-int8.tflite
    rotkeras benchmark export/encoder-float32.tflite --threads 1,2,4 --json
    rotkeras benchmark train cifar10-cpu
    rotkeras benchmark input photos
    """


def _show(measured: "Benchmark") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    what = f", {measured.signature!r}" if measured.signature else ""
    fed = ", ".join(f"{name} {kind}" for name, kind in measured.inputs.items())
    console.print(f"{measured.file}{what}: {measured.bytes / 1000:,.1f} kB, noise for {fed}")
    table = Table("threads", "median", "95 %", "min", "first", "start", "memory", "peak", "runs")
    for column in table.columns:
        column.justify = "right"
        column.no_wrap = True
    for timing in measured.timings:
        times = (
            timing.median_ms,
            timing.p95_ms,
            timing.min_ms,
            timing.first_run_ms,
            timing.initialization_ms,
        )
        memory = (
            _grown(timing.memory_loaded_mb, timing.memory_before_mb),
            _grown(timing.memory_peak_mb, timing.memory_before_mb),
        )
        table.add_row(
            str(timing.threads),
            *(f"{time:.3g}" if time < 100 else f"{time:.0f}" for time in times),
            *memory,
            str(timing.runs),
        )
    console.print(table)
    before = measured.timings[0].memory_before_mb
    host = measured.host
    console.print("Times of one run in ms, of the first run, and to open and allocate (start).")
    if before is not None:
        console.print(
            f"Memory in MB, opened and at its peak, over {before:.0f} MB of Python and the runtime."
        )
    console.print(
        f"Delegate: {measured.delegate}; ai-edge-litert {host.ai_edge_litert}, Python"
        f" {host.python}."
    )
    cores = f"{host.cores} core{'s' if host.cores != 1 else ''}"
    console.print(f"Processor: {host.processor}, {cores}; {host.system}.")
    console.print(host.about_int8)


def _grown(value: float | None, before: float | None) -> str:
    return "–" if value is None or before is None else f"+{value - before:.1f}"
