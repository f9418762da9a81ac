"""`evaluation.json`: rows of results, each added whole, and how often the test part was read."""

import datetime
import json
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError
from rotkeras.files import write_json

KEY = ("tap", "probe", "mode", "labels_per_class", "draw", "seed", "budget")
"""What tells one row from another."""

PROTOCOL = (
    "Validation images, split from training, chose the epoch of trained probes that had all labels;"
    " probes of few labels took the last epoch, for a validation part larger than the labels would"
    " be labels by another name. A tap or a setting is to be chosen by the validation column. Each"
    " row was judged on the test part once, after all the fitting that was asked for with it;"
    " test_reads says when, and for how many rows."
)

MOST_CLASSES = 100
"""With more classes a row holds no confusion matrix: it would be megabytes."""


class Record:
    """The rows that are there, on disk at every moment.

    Args:
        path: `evaluation.json`.
        network: {"file", "sha256" of the weights}; another network's rows are refused.
        images: {"source", "train", "validation", "fingerprint"}; rows of other images are refused.

    Raises:
        UserError: when the file is broken, or of another network or other images.
    """

    def __init__(self, path: Path, network: dict[str, str], images: dict[str, Any]) -> None:
        self.path = path
        self.content: dict[str, Any] = {
            "protocol": PROTOCOL,
            "network": network,
            "images": images,
            "test_part": None,
            "test_reads": [],
            "rows": [],
        }
        if not path.exists():
            return
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            same = (
                there["network"]["sha256"] == network["sha256"]
                and images.items() <= there["images"].items()
            )
            complete = all(
                name in row
                for row in there["rows"]
                for name in (*KEY, "settings", "test", "classifier")
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            complete = False
        if not complete:
            raise UserError(
                f"{path} could not be read as an evaluation: expected one of this version; move it"
                " away."
            )
        if not same:
            raise UserError(
                f"{path} holds an evaluation of another network or of other images: expected one of"
                f" {network['file']} as it is now, with {images['train']} training images of"
                f" {images['source']}; move it away to begin anew."
            )
        self.content = there

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows, in the order in which they were added."""
        rows: list[dict[str, Any]] = self.content["rows"]
        return rows

    def find(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """The row of this key and these settings, or None."""
        return next(
            (
                row
                for row in self.rows
                if all(row[name] == key[name] for name in (*KEY, "settings"))
            ),
            None,
        )

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Add rows and write the file; rows of the same name that were made with other settings
        go."""
        names = [{name: row[name] for name in KEY} for row in rows]
        self.content["rows"] = [
            row for row in self.rows if {name: row[name] for name in KEY} not in names
        ] + rows
        self.write()

    def drop(self, rows: list[dict[str, Any]]) -> None:
        """Take rows out again."""
        if rows:
            self.content["rows"] = [row for row in self.rows if row not in rows]
            self.write()

    def begin_test(self, count: int, images: int, fingerprint: str) -> None:
        """Note that the test part is about to be read for so many rows.

        Raises:
            UserError: when earlier rows were judged on another test part.
        """
        if self.content["images"].get("test_fingerprint", fingerprint) != fingerprint:
            raise UserError(
                f"{self.path} has rows that were judged on another test part: expected the same"
                " one; give it, or move the file away to begin anew."
            )
        self.content["images"] |= {"test": images, "test_fingerprint": fingerprint}
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
        {"accuracy": share, "per_class": {name: share of the class's images that are told right, or
        None without any}, "confusion": counts, a row for each true class and a column for each
        predicted one, None above 100 classes}.
    """
    import numpy as np

    # The test part may have a class that training has not.
    names = [
        *class_names,
        *(
            str(number)
            for number in range(len(class_names), int(max(labels.max(), predicted.max())) + 1)
        ),
    ]
    count = len(names)
    totals = np.bincount(labels, minlength=count)
    right = np.bincount(labels[labels == predicted], minlength=count)
    confusion = None
    if count <= MOST_CLASSES:
        confusion = np.zeros((count, count), np.int64)
        np.add.at(confusion, (labels, predicted), 1)
    return {
        "accuracy": float(np.mean(labels == predicted)),
        "per_class": {
            name: float(right[at] / totals[at]) if totals[at] else None
            for at, name in enumerate(names)
        },
        "confusion": None if confusion is None else confusion.tolist(),
    }
