"""The table of a comparison as Markdown, for documentation."""

from typing import Any

from rotkeras.compare.protocol import is_ranked
from rotkeras.compare.verdict import Interval


def as_markdown(content: dict[str, Any]) -> str:
    """Verdict and table of `results.json`."""
    noun = "backbone" if content["by_backbone"] else "task"
    probes = list(
        dict.fromkeys(
            probe for entry in content["entries"].values() for probe in entry["summary"]["probes"]
        )
    )
    part = content["part"]
    headings = [
        noun,
        *(f"{probe}, %" for probe in probes),
        *(["gain (ridge)", "tap"] if probes else []),
        *("min", "views", "views/s", "memory, MiB", "status"),
    ]
    rows = []
    untrained: dict[str, Any] | None = None
    for name, entry in content["entries"].items():
        summary, runs = entry["summary"], list(entry["runs"].values())
        untrained = untrained or summary["untrained"] or None
        cells = [name, *(shown(summary["probes"].get(probe)) for probe in probes)]
        if probes:
            cells += [shown(summary["gain"], sign=True), taps_of(runs)]
        cells += [
            number(mean(runs, "minutes")),
            f"{entry['views']:,}",
            number(mean(runs, "views_per_second")),
            memory_of(runs),
            status_of(runs, content["seeds"]),
        ]
        rows.append(cells)
    if untrained and not content["by_backbone"]:
        cells = ["untrained", *(shown(untrained.get(probe)) for probe in probes), "", ""]
        rows.append(cells + [""] * (len(headings) - len(cells)))
    lines = [f"**{' '.join(content['verdict'])}**", ""]
    lines += [_row(headings), _row(["---"] * len(headings)), *(map(_row, rows)), ""]
    if probes:
        lines.append(
            f"Accuracy on {content['images']:,} {part} images of {content['source']}, at the tap"
            f" that ridge chooses on validation; ± is half the width of a 95 % interval over"
            f" {content['seeds']} seed{'s' if content['seeds'] > 1 else ''} and images. Budget:"
            f" {content['budget']}."
        )
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def shown(record: dict[str, Any] | None, sign: bool = False) -> str:
    """An interval of `results.json` as text."""
    return "" if record is None else Interval(**record).text(sign)


def mean(runs: list[dict[str, Any]], key: str) -> float | None:
    """The mean of a number over runs; None where none has it."""
    values = [run[key] for run in runs if run[key]]
    return sum(values) / len(values) if values else None


def number(value: float | None) -> str:
    """A number of minutes or views per second; "" for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def taps_of(runs: list[dict[str, Any]]) -> str:
    """The chosen taps, with how often each was chosen where seeds differ."""
    taps = [run["tap"] for run in runs if is_ranked(run) and run["tap"]]
    counts = {tap: taps.count(tap) for tap in sorted(set(taps))}
    if len(counts) < 2:
        return "".join(counts)
    return ", ".join(f"{count}× {tap}" for tap, count in counts.items())


def memory_of(runs: list[dict[str, Any]]) -> str:
    """The highest peak of the runs: that of the GPU where there is one."""
    for key, unit in (("gpu_mib", " (GPU)"), ("process_mib", "")):
        if found := [run["memory"][key] for run in runs if run["memory"].get(key)]:
            return f"{max(found):,.0f}{unit}"
    return ""


def status_of(runs: list[dict[str, Any]], seeds: int) -> str:
    """How many runs ended otherwise than finished, or "finished"."""
    statuses = [run["status"] for run in runs]
    counts = {each: statuses.count(each) for each in ("collapsed", "failed", "unfinished")}
    counts["not started"] = seeds - len(runs)
    said = [f"{status} {count} of {seeds}" for status, count in counts.items() if count]
    return ", ".join(said) or "finished"
