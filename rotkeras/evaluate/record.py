"""`evaluation.json`: rows of results, each added whole, and how often the test set was read."""

import datetime
import json
from pathlib import Path
from typing import Any

from rotkeras.data import Images
from rotkeras.data.fingerprint import difference, sampled_digest, source_difference
from rotkeras.errors import UserError
from rotkeras.files import write_json

KEY = ("tap", "probe", "mode", "labels_per_class", "draw", "seed", "budget")
"""What tells one row from another."""

PROTOCOL = (
    "Validation images, split from training, chose the epoch of trained probes that had all labels;"
    " probes of few labels took the last epoch, for a validation set larger than the labels would"
    " act as extra labels. Choose a tap or a setting by the validation column. Each"
    " row was evaluated on the test set once, after all the requested fitting;"
    " test_reads says when, and for how many rows."
)

MOST_CLASSES = 100
"""With more classes a row holds no confusion matrix: it would be megabytes."""


class Record:
    """The rows that are there, on disk at every moment.

    Args:
        path: `evaluation.json`.
        network: {"file", "sha256" of the weights}; another network's rows are refused.
        images: {"source": name, "train": count, "validation": count, "fingerprint": as
            `rotkeras.data.fingerprint.source_fingerprint` gives it}; rows of other images are
            refused.
        earlier: the fingerprint that earlier versions recorded, to compare with a file of theirs.

    Raises:
        UserError: when the file is broken, or of another network or other images.
    """

    def __init__(
        self, path: Path, network: dict[str, str], images: dict[str, Any], earlier: str = ""
    ) -> None:
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
            same_network = there["network"]["sha256"] == network["sha256"]
            differs = _difference(there["images"], images, earlier)
            complete = all(
                name in row
                for row in there["rows"]
                for name in (*KEY, "settings", "test", "classifier")
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            complete = False
        if not complete:
            raise UserError(
                f"{path} could not be read as an evaluation of this version; move it away."
            )
        if not same_network:
            raise UserError(
                f"{path} holds an evaluation of another network than {network['file']} is now: move"
                " it away to start a new one."
            )
        if differs:
            raise UserError(
                f"The images have changed since {path} was begun: {differs} ({images['source']})."
                " Restore them, or move the file away to start a new one."
            )
        there["images"]["fingerprint"] = images["fingerprint"]
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

    def begin_test(self, count: int, test: Images, measured: int | None = None) -> None:
        """Record that the test set is about to be read for so many rows.

        Args:
            count: of rows.
            test: the test set.
            measured: how many of its images the rows are evaluated on; None for all.

        Raises:
            UserError: when earlier rows were evaluated on another test set.
        """
        images, current = self.content["images"], test.fingerprint().content
        then = images.get("test_fingerprint")
        differs: str | None
        if isinstance(then, dict):
            differs = difference(then, current, "test")
        else:  # of an earlier version, or none
            same = then is None or then == sampled_digest(test)
            differs = None if same else "other images or labels"
        if differs:
            raise UserError(
                f"The test images have changed since {self.path} was begun: {differs}. Restore"
                " them, or move the file away to start a new one."
            )
        images |= {"test": len(test) if measured is None else measured, "test_fingerprint": current}
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.content["test_reads"].append({"time": now, "rows": count})
        self.write()

    def write(self) -> None:
        """Write the file whole."""
        write_json(self.path, self.content)


def _difference(then: dict[str, Any], now: dict[str, Any], earlier: str) -> str | None:
    """What differs between the images of two evaluations, in words; None when they are the same."""
    if isinstance(then["fingerprint"], dict):
        return source_difference(then["fingerprint"], now["fingerprint"])
    if then["train"] != now["train"]:
        return f"{then['train']:,} training images then, {now['train']:,} now"
    return None if then["fingerprint"] == earlier else "other images or labels"


def result(labels: Any, predicted: Any, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Accuracy, per-class accuracy and confusion matrix of predicted labels.

    Args:
        labels: integers (N,), the truth.
        predicted: integers (N,).
        class_names: the name of each label.

    Returns:
        {"accuracy": share, "per_class": {name: accuracy on the images of the class, or
        None without any}, "confusion": counts, a row for each true class and a column for each
        predicted one, None above 100 classes}.
    """
    import numpy as np

    # The test set may have a class that training has not.
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
