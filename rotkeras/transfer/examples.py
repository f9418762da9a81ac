"""The model card of a fine-tuned network, and examples of use in Python and Kotlin."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from rotkeras import __version__
from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.files import write_text
from rotkeras.text import points, readable_size

_TEMPLATES = ("example.py", "example.kt", "model_card.md")


def write_examples(folder: Path, task: str, files: Sequence[str], proof: dict[str, Any]) -> None:
    """Write `model_card.md`, `example.py` and `example.kt` into a folder.

    Args:
        folder: of the exported files.
        task: "classify", "detect" or "segment".
        files: at least one; the examples use the last, the smallest as a rule.
        proof: the content of `verify.json`.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rotkeras.transfer"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # no HTML
    )
    shown = files[-1]
    (signature,) = TFLiteFile(folder / shown).signatures
    file = TFLiteFile(folder / shown)
    _, height, width, _ = file.inputs(signature)["images"].shape
    outputs = {name: tensor.shape for name, tensor in file.outputs(signature).items()}
    content = {
        "task": task,
        "file": shown,
        "signature": signature,
        "height": height,
        "width": width,
        "outputs": outputs,
        "proof": proof,
        "version": __version__,
        "rows": _rows(proof),
    }
    for name in _TEMPLATES:
        made = environment.get_template(f"{name}.jinja").render(**content)
        write_text(folder / name, made)


def _rows(proof: dict[str, Any]) -> list[list[str]]:
    """The table of files: name, size, milliseconds, score, drop."""
    rows = []
    for name, record in proof["files"].items():
        (drop,) = record["drops"].values()
        rows.append(
            [
                name,
                readable_size(record["bytes"]),
                f"{record['milliseconds']:.3g} ms",
                f"{100 * record['score']['score']:.1f} %",
                points(drop["drop"], drop["low"], drop["high"]),
            ]
        )
    return rows
