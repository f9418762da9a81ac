"""`evaluation.json`: rows of results, each added whole, and how often the test part was read."""

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError
from rotkeras.files import write_json

KEY = ("tap", "probe", "mode", "labels_per_class", "draw", "seed", "budget")
"""What tells one row from another."""

PROTOCOL = (
    "Validation images, split from training, chose the epoch of trained probes that had all labels; probes of few labels took the "
    "last epoch, for a validation part larger than the labels would be labels by another name. "
    "A tap or a setting is to be chosen by the validation column. The test part was read after all fitting, once for each row."
)


class Record:
    """The rows that are there, on disk at every moment.

    Args:
        path: `evaluation.json`.
        network: the file of the network that is evaluated; another network's rows are refused.
        images: {"source": name, "train": N, "validation": N}; rows of other images are refused.

    Raises:
        UserError: when the file is broken, or of another network or other images.
    """

    def __init__(self, path: Path, network: Path, images: dict[str, Any]) -> None:
        self.path = path
        self.content: dict[str, Any] = {
            "protocol": PROTOCOL,
            "network": {"file": network.name, "sha256": hashlib.sha256(network.read_bytes()).hexdigest()},
            "images": images,
            "test_reads": [],
            "rows": [],
        }
        if not path.exists():
            return
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            there_network, there_images = there["network"]["sha256"], {key: there["images"][key] for key in images}
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{path} could not be read as an evaluation: expected the file that evaluate wrote; remove it."
            ) from None
        if there_network != self.content["network"]["sha256"] or there_images != images:
            raise UserError(
                f"{path} holds an evaluation of another network or of other images: expected one of {network.name} as it is "
                f"now, with {images['train']} training images of {images['source']}; move it away to begin anew."
            )
        self.content = there

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows, in the order in which they were added."""
        rows: list[dict[str, Any]] = self.content["rows"]
        return rows

    def find(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """The row of this key, or None."""
        return next((row for row in self.rows if all(row[name] == key[name] for name in KEY)), None)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Add rows and write the file."""
        self.rows.extend(rows)
        self.write()

    def begin_test(self, count: int, images: int) -> None:
        """Note that the test part is about to be read for so many rows."""
        self.content["images"]["test"] = images
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.content["test_reads"].append({"time": now, "rows": count})
        self.write()

    def write(self) -> None:
        """Write the file whole."""
        write_json(self.path, self.content)


def result(labels: Any, predicted: Any, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Accuracy, per-class accuracy and confusion matrix of predicted labels.

    Args:
        labels: integers (N,), the truth.
        predicted: integers (N,).
        class_names: the name of each label.

    Returns:
        {"accuracy": share, "per_class": {name: share of the class's images that are told right, or None without any},
        "confusion": counts, a row for each true class and a column for each predicted one}.
    """
    import numpy as np

    count = len(class_names)
    confusion = np.zeros((count, count), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    totals = confusion.sum(axis=1)
    return {
        "accuracy": float(np.mean(labels == predicted)),
        "per_class": {
            name: float(confusion[number, number] / totals[number]) if totals[number] else None
            for number, name in enumerate(class_names)
        },
        "confusion": confusion.tolist(),
    }
