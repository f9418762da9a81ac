"""`rotkeras benchmark input`."""

import json
from pathlib import Path

import click

from rotkeras.cli.benchmark_train import PEER_PYTHON


@click.command(name="input")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--size", type=click.IntRange(8, 4096), default=224, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--peer", is_flag=True, help="Run a PyTorch DataLoader with torchvision on the same boxes."
)
@PEER_PYTHON
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def benchmark_input(
    folder: Path, size: int, repeats: int, peer: bool, peer_python: str | None, as_json: bool
) -> None:
    """Measure how fast the photographs of FOLDER become random crops of --size pixels, flipped, on
    all cores.

    \b
    rotkeras benchmark input photos
    rotkeras benchmark input photos --peer --peer-python torch/bin/python
    """
    from rotkeras.benchmark.input import benchmark_input as measure

    found = measure(
        folder,
        size,
        repeats,
        peer=peer or peer_python is not None,
        peer_python=peer_python,
        tell=lambda line: click.echo(line, err=True),
    )
    if as_json:
        click.echo(json.dumps(found.content(), indent=2))
        return
    height, width = found.sides
    click.echo(
        f"{found.images:,} photographs of {width}×{height} pixels (median), crops of {size}×{size};"
        f" {found.machine['processor']}, {found.machine['cores']} cores"
    )
    rows = [("crops, rotkeras", found.crops), ("decoding alone, Pillow", found.decoding)]
    rows += [(f"crops, {each.name}", each.views_per_second) for each in found.peer]  # type: ignore[misc]
    for name, rate in rows:
        if rate is not None:
            click.echo(
                f"{name:<42} {rate.median:9,.0f} images/s ({rate.minimum:,.0f} to"
                f" {rate.maximum:,.0f})"
            )
    for each in found.peer:
        if each.error:
            click.echo(f"{each.name}: {each.error}")
    click.echo(f"rotkeras / decoding alone = {found.share:.2f}")
    if found.ratio is not None:
        click.echo(f"rotkeras / fastest of PyTorch {found.torch} = {found.ratio:.2f}")
