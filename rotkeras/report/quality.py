"""Measures without labels: taps by measure, and each measure over epochs."""

from typing import Any

from rotkeras.page import Cell, Figure, Table
from rotkeras.quality.measures import MEASURES
from rotkeras.report.collect import Gathered
from rotkeras.report.curves import Line, over_epochs

NAMES = {
    "rankme": "RankMe",
    "alpha_req": "α-ReQ",
    "lidar": "LiDAR",
    "uniformity": "uniformity",
    "alignment": "alignment",
}
"""What people read."""

WORDS = {
    "rankme": "how many dimensions the features use; higher is better",
    "alpha_req": "decay exponent of their spectrum; close to 1 is best",
    "lidar": (
        "how many directions distinguish images better than views of one image; higher is better"
    ),
    "uniformity": "how evenly images lie on the sphere; lower is more even",
    "alignment": "mean squared distance of views of one image; lower is closer",
}


def quality_table(run: Gathered) -> Table | None:
    """Taps by measure, untrained → trained; None for a run that measured none."""
    found = (run.summary or {}).get("quality") or {}
    trained, untrained = found.get("trained"), found.get("untrained") or {}
    if not trained:
        return None
    rows = [
        [tap, *(_cell((untrained.get(tap) or {}).get(name), of_tap.get(name)) for name in MEASURES)]
        for tap, of_tap in trained.items()
    ]
    caption = (
        f"Measures without labels after epoch {found['epoch']}, untrained → trained, on"
        f" {found['images']:,} {found['part']} images; LiDAR and alignment on {found['views']}"
        " views of a part of them."
    )
    key = {NAMES[name]: WORDS[name] for name in MEASURES}
    return Table(caption, ["tap", *NAMES.values()], rows, key=key)


def quality_curves(run: Gathered, name: str) -> list[Figure]:
    """Every measure of all taps over epochs; epoch 0 is the untrained network."""
    keys = [
        key.split("/")
        for row in run.metrics
        for key in row
        if key.startswith("quality/") and key.count("/") == 2
    ]
    taps = list(dict.fromkeys(key[1] for key in keys))
    untrained = ((run.summary or {}).get("quality") or {}).get("untrained") or {}
    figures = []
    for measure in MEASURES:
        lines: list[Line] = []
        for tap in taps:
            before = (untrained.get(tap) or {}).get(measure)
            start = [] if before is None else [(0, before)]
            lines.append((tap, start + run.series(f"quality/{tap}/{measure}")))
        title = f"{NAMES[measure]} of each tap over epochs"
        figure = over_epochs(lines, f"{name}-{measure}", title, NAMES[measure], percent=False)
        figures += [figure] if figure else []
    return figures


def _cell(before: float | None, after: float | None) -> Any:
    if after is None:
        return Cell("–", title="no value")
    return Cell(f"{_text(before)} → {_text(after)}", after)


def _text(value: float | None) -> str:
    # The sum makes no negative zero of a small negative value.
    return "–" if value is None else f"{round(value, 2) + 0.0:.2f}"
