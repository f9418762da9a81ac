"""What `rotkeras compare` shows: speeds, runs with the time left, the table and the verdict."""

import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from rotkeras import pretext
from rotkeras.cli import signals
from rotkeras.text import clock

if TYPE_CHECKING:
    from rotkeras.compare import Settings

_INTERRUPTED = "Interrupted; finished rounds and runs are kept. Repeat the command to resume."


class CompareConsole:
    """Runs a comparison and shows it, on a terminal or as plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(
            soft_wrap=True, highlight=False, markup=False, emoji=False
        )
        self._bar: Any = None
        self._run: dict[str, Any] = {}
        self._began = 0.0
        self._before: float | None = None
        """Seconds of this run before its first step: reading, tracing, the untrained network."""
        self._first = 0
        self._lasted: dict[str, list[float]] = {}

    def run(
        self, settings: "Settings", folder: Path, page: Path, overwrite: bool, pictures: bool
    ) -> dict[str, Any]:
        """Compare, print table and verdict, and return the results."""
        from rotkeras.compare import compare

        with signals.saying(lambda: _INTERRUPTED):
            try:
                found = compare(
                    settings,
                    folder,
                    page,
                    overwrite=overwrite,
                    pictures=pictures,
                    watch=self.hear,
                )
            finally:
                self._close()
        self.show(found)
        self.console.print(f"\npage:    {page}\nresults: {folder}")
        return found

    def hear(self, event: dict[str, Any]) -> None:
        """Show what happens."""
        shown = {
            "measure": self._measure,
            "plan": self._plan,
            "run": self._started,
            "heard": self._heard,
            "ended": self._ended,
            "page": self._page,
        }
        shown[event["event"]](event)

    def _measure(self, event: dict[str, Any]) -> None:
        what = "measuring the speed" if event["unit"] == "minutes" else "counting the images"
        self.console.print(f"{event['name']}: {what} …")

    def _plan(self, event: dict[str, Any]) -> None:
        entry = event["entry"]
        rounds = entry.rounds
        batch = entry.recipe.train.images_per_batch
        speed = ""
        if entry.speed:
            views = entry.speed.steps_per_second * batch * entry.views_per_image
            speed = f"{views:,.0f} views/s, so "
        self.console.print(
            f"{entry.name}: {speed}{entry.views:,} views in {rounds.count}"
            f" round{'s' if rounds.count > 1 else ''} of {rounds.steps:,} steps"
        )

    def _started(self, event: dict[str, Any]) -> None:
        self._run, self._began, self._before = event, time.monotonic(), None
        self._first = max(self._first, len(event["missing"]))
        number = self._first - len(event["missing"]) + 1
        place = f"{number}/{self._first}  {event['name']}, seed {event['seed']}"
        self.console.print(f"\n{place}{self._left(0.0)}")
        if self.console.is_terminal:
            self._open(place)

    def _heard(self, event: dict[str, Any]) -> None:
        if "done" in event and self._before is None:
            self._before = time.monotonic() - self._began
        if "tell" in event and event["tell"].startswith("note:"):
            self.console.print(f"  {event['tell']}")
        elif "done" in event and self._bar:
            self._bar.update(self._task, completed=event["done"], left=self._left(event["done"]))
        elif "round" in event:
            self._round(event)
        elif "evaluating" in event:
            self.console.print("  evaluating …")
        elif "collapsed" in event:
            self.console.print(
                "  collapsed: all images have nearly the same embedding; this run is not ranked"
            )

    def _round(self, event: dict[str, Any]) -> None:
        count, logs = self._run["entry"].rounds.count, event["logs"]
        parts = [f"round {event['round']}/{count}", f"loss {logs['loss']:.3f}"]
        probed = {
            key.split("/")[1]: value
            for key, value in logs.items()
            if key.startswith("probe/") and key.endswith("/ridge")
        }
        if probed:
            tap = max(probed, key=lambda each: probed[each])
            parts.append(f"ridge {tap} {100 * probed[tap]:.1f} %")
        monitor = pretext.facts_of_section(self._run["entry"].recipe.task).monitor
        if (value := logs.get(f"val_{monitor.metric}")) is not None:
            parts.insert(2, f"{monitor.short} {monitor.show(value)} (validation)")
        if "views_per_second" in logs:
            parts.append(f"{logs['views_per_second']:,.0f} views/s")
        self.console.print(f"  {'  '.join(parts)}{self._left(event['round'] / count)}")

    def _ended(self, event: dict[str, Any]) -> None:
        self._close()
        if "seed" in event:
            lasted = time.monotonic() - self._began
            if not event["failed"]:
                self._lasted.setdefault(event["name"], []).append(lasted)
        if event["failed"]:
            self._wrapped(f"{event['name']} failed: {event['failed']}")

    def _page(self, _event: dict[str, Any]) -> None:
        self.console.print("\nwriting the page …")

    def _left(self, done: float) -> str:
        """The time left in all, from runs that have ended and from this one; "" while unknown."""
        missing = [name for name, _ in self._run["missing"]]
        now = time.monotonic() - self._began
        before = self._before or 0.0
        this = before + (now - before) / done if done > 0.05 else self._guess(missing[0])
        rest = [self._guess(name) or this for name in missing[1:]]
        if not this:
            return ""
        return f"  about {clock(max(0.0, this - now) + sum(rest))} left"

    def _guess(self, name: str) -> float:
        """Seconds of a run of this name, or of any other, as far as one has ended; 0 if none
        has."""
        found = self._lasted.get(name) or [each for all_ in self._lasted.values() for each in all_]
        return sum(found) / len(found) if found else 0.0

    def _open(self, description: str) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._bar = Progress(*columns, console=self.console, transient=True)
        self._task = self._bar.add_task(description, total=1.0, left="")
        self._bar.start()

    def _close(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

    def show(self, found: dict[str, Any]) -> None:
        """Print the table and the verdict."""
        self.console.print(results_table(found, plain=not self.console.is_terminal))
        for sentence in found["verdict"]:
            self._wrapped(sentence)

    def _wrapped(self, text: str) -> None:
        for line in textwrap.wrap(text, 80, break_on_hyphens=False):
            self.console.print(line)


def results_table(found: dict[str, Any], plain: bool) -> Table:
    """The lines of a comparison, in 80 columns."""
    from rich import box

    from rotkeras.compare.markdown import mean, number, shown, status_of, taps_of

    title = f"\naccuracy in % on {found['images']:,} {found['part']} images"
    table = Table(
        box=None if plain else box.SIMPLE_HEAD,
        pad_edge=not plain,
        title=title if found["images"] else "\nruns",
        title_justify="left",
    )
    table.add_column("backbone" if found["by_backbone"] else "task")
    probes = ("ridge", "knn-20") if found["images"] else ()
    for heading in (*probes, *(("gain", "tap") if probes else ()), "min", "views/s", "status"):
        table.add_column(heading, justify="left" if heading in ("tap", "status") else "right")
    for name, entry in found["entries"].items():
        runs, summary = list(entry["runs"].values()), entry["summary"]
        row = [name, *(shown(summary["probes"].get(probe)) for probe in probes)]
        row += [shown(summary["gain"], sign=True), taps_of(runs)] if probes else []
        row += [number(mean(runs, key)) for key in ("minutes", "views_per_second")]
        table.add_row(*row, status_of(runs, found["seeds"]))
    return table
