"""The model card of an export, and examples of use in Python, Kotlin and C++."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from rotkeras import __version__
from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.export.parts import Parts
from rotkeras.export.profiles import Profile
from rotkeras.files import write_text
from rotkeras.images import size as sizes
from rotkeras.probes.choice import describe
from rotkeras.text import readable_size

_EXAMPLES = ("example.py", "example.kt", "example.cpp")
_SHOWN_FIRST = (
    *("int8", "mediapipe", "mixed", "dynamic", "int16x8", "float16", "float32"),
    *("learner", "classifier", "orient"),
)


@dataclass(frozen=True)
class Origin:
    """Where an exported network comes from.

    Attributes:
        name: of the encoder.
        source: of the images.
        command: that exported it; empty when a script did.
        author: for the metadata; empty when nobody is named.
        licence: of the files; empty when none is named.
        train_images: how many it was trained on; 0 when that is not known.
        recipe: the resolved recipe in YAML; empty without a run.
        training: sentences on how training went.
        numbers: (what, value in percent, how it was measured) of this encoder.
        method: how it was pre-trained, after "by"; empty when that is not known.
    """

    name: str
    source: str
    command: str = ""
    author: str = ""
    licence: str = ""
    train_images: int = 0
    recipe: str = ""
    training: Sequence[str] = ()
    numbers: Sequence[tuple[str, str, str]] = ()
    method: str = ""


def write(
    folder: Path, parts: Parts, kinds: Sequence[Profile], proof: Mapping[str, Any], origin: Origin
) -> None:
    """Write `model_card.md` and, when there is a TFLite file, `example.py`, `example.kt` and
    `example.cpp` into a folder."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rotkeras.export"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    on_devices = [kind for kind in kinds if kind.runtime == "tflite"]
    shown = min(on_devices, key=lambda kind: _SHOWN_FIRST.index(kind.name), default=None)
    headings, rows = comparison(proof)
    content = {
        "parts": parts,
        "kinds": kinds,
        "proof": proof,
        "origin": origin,
        "table": proof_table(proof),
        "candidates": proof.get("candidates"),
        "comparison": [
            [cell.replace("\n", " ") for cell in headings],
            rows,
        ],
        "choice": describe(parts.tap, proof["encoder"].get("choice") or {}),
        "version": __version__,
        "shown": shown,
        "in_pixels": sizes.shown,
        "sides": sizes.sides_of(parts.input_size),
        "centre_of": sizes.centre_of,
        "probes": {
            name: drop["keras"]
            for each in proof["files"].values()
            for name, drop in each["drops"].items()
        },
    }
    if shown is not None:
        signature, output = shown.answer
        tensor = TFLiteFile(folder / shown.file).outputs(signature)[output]
        content |= {
            "signature": signature,
            "output": output,
            "tensor": tensor,
            "length": tensor.shape[-1],
        }
        for name in _EXAMPLES:
            write_text(folder / name, environment.get_template(f"{name}.jinja").render(content))
    card = environment.get_template("model_card.md.jinja").render(content)
    write_text(
        folder / "model_card.md", re.sub(r"\n{3,}", "\n\n", card)
    )  # parts that are left out leave their blank lines


def proof_table(proof: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of the TFLite files of a `verify.json`: size, milliseconds, agreement, and
    what each probe lost."""
    files = proof["files"]
    probes = list(dict.fromkeys(name for each in files.values() for name in each["drops"]))
    headings = ["file", "size", "ms", "cosine", "least", *(f"{name} drop" for name in probes)]
    rows = []
    for name, each in files.items():
        agreement = each.get("agreement", each.get("likeness"))  # its older name
        drops = [each["drops"].get(probe) for probe in probes]
        rows.append(
            [
                name,
                readable_size(each["bytes"]),
                f"{each['milliseconds']:.2f}",
                f"{agreement['cosine']:.5f}" if agreement else "",
                f"{agreement['cosine_min']:.4f}" if agreement else "",
                *(f"{drop['drop']:+.2f} ±{drop['margin']:.2f}" if drop else "" for drop in drops),
            ]
        )
    return headings, rows


def made(proof: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The records of all files that were made: those that are kept, and those that `auto` compared
    besides."""
    compared = (proof.get("candidates") or {}).get("records", [])
    names = {each["profile"] for each in compared}
    return [*compared, *(each for each in proof["files"].values() if each["profile"] not in names)]


def comparison(proof: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of all encoders that were made, by profile; with the ratios to float32, and
    a star at the recommended one, where `auto` compared them."""
    found = proof.get("candidates")
    records = [each for each in made(proof) if "agreement" in each]
    exact = next((each for each in records if each["profile"] == "float32"), None)
    probes = list(dict.fromkeys(name for each in records for name in each["drops"]))
    ratio = ["ratio"] if found else []
    headings = ["profile", "size", *ratio, "ms", *ratio, "cosine"]
    rows = []
    for each in records:
        star = " *" if found and each["profile"] == found["recommended"] else ""
        row = [f"{each['profile']}{star}"]
        for key, shown in (
            ("bytes", readable_size(each["bytes"])),
            ("milliseconds", _three(each["milliseconds"])),
        ):
            row.append(shown)
            if found and exact is not None:
                row.append(f"{each[key] / exact[key]:.2f}")
        row.append(f"{each['agreement']['cosine']:.5f}")
        row += [_drop(each["drops"].get(probe)) for probe in probes]
        rows.append(row)
    return [*headings, *(f"{probe}\ndrop" for probe in probes)], rows


def predictions(proof: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(headings, rows) of the files of the network's own prediction."""
    rows = [
        [
            each["profile"],
            readable_size(each["bytes"]),
            _three(each["milliseconds"]),
            *(_drop(drop) for drop in each["drops"].values()),
        ]
        for each in made(proof)
        if "agreement" not in each
    ]
    return ["profile", "size", "ms", "prediction drop"], rows


def _three(milliseconds: float) -> str:
    """Three significant digits, and two decimals at least: 0.0213, 1.64, 12.34."""
    return f"{milliseconds:.2f}" if milliseconds >= 1 else f"{milliseconds:#.3g}"


def _drop(record: Mapping[str, Any] | None) -> str:
    return f"{record['drop']:+.1f} ±{record['margin']:.1f}" if record else ""
