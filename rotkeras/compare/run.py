"""Make a plan, train and evaluate what is missing of it, and write the page."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.compare import plan as plans
from rotkeras.compare import process, results
from rotkeras.compare.budget import parse
from rotkeras.compare.entries import Entry, check_same, entries_of
from rotkeras.compare.plan import COMPARED, Plan, Planned, Speed, run_name
from rotkeras.compare.settings import Settings
from rotkeras.errors import UserError
from rotkeras.files import check_writable, one_writer, read_json, write_json, write_text
from rotkeras.page import check_page

Watch = Callable[[dict[str, Any]], None]

FAILURES = "failures.json"

MEASURED_SECONDS, MEASURED_SHARE = 20.0, 0.1
"""Speed is measured for so many seconds, and for at most this share of the budget."""


@checked
def compare(
    settings: Settings,
    folder: AnyPath,
    page: AnyPath | None = None,
    *,
    overwrite: bool = False,
    pictures: bool = True,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Train several pretext tasks, or backbones, on the same images and budget, evaluate them by
    one protocol, and write one page.

    Each run is trained and evaluated in a process of its own, and is an ordinary run folder. What
    is finished is not repeated: the same call resumes, and one with more tasks or seeds trains
    those that are missing.

    Args:
        settings: what to compare.
        folder: holds `plan.json`, one run folder for each task and seed, `results.json` and
            `results.md`.
        page: of the HTML page; None for `page.html` in the folder.
        overwrite: delete the comparison that is in the folder.
        pictures: whether networks and images are loaded for the page's pictures.
        watch: called with what happens: {"event": "measure" | "plan" | "run" | "heard" | "ended" |
            "page", …}.

    Returns:
        The content of `results.json`; docs/guides/compare_tasks.md says what is in it.

    Raises:
        UserError: for settings that cannot be compared, a folder that holds another comparison or
            something else, and when no run could be trained.
    """
    tell = watch or (lambda _event: None)
    entries = entries_of(settings)
    path = check_writable(folder, "--folder", folder=True)
    file = path / "page.html" if page is None else check_page(page, overwrite=True)
    _check_folder(path, overwrite)
    wanted = Plan(settings.budget, settings.rounds, settings.seeds, bool(settings.backbones))
    earlier = None if overwrite else plans.read(path)
    if earlier:
        wanted.check_same(earlier, path)
        for entry in entries:
            if entry.name in earlier.entries:
                plans.same_entry(earlier.entries[entry.name], entry, path)
        there = [Entry(planned.name, planned.base) for planned in earlier.entries.values()]
        check_same([*there, *entries], wanted.by_backbone, len(there))
    path.mkdir(parents=True, exist_ok=True)
    with one_writer(path):
        if overwrite:
            _delete(path)
        failures = read_json(path / FAILURES) if (path / FAILURES).exists() else {}
        plan = _plan(wanted, earlier, entries, failures, path, tell)
        _train(plan, failures, path, tell)
        found = results.collect(path, plan, failures)
        write_json(path / "results.json", found)
        tell({"event": "page"})
        from rotkeras.compare.markdown import as_markdown
        from rotkeras.compare.page import write

        write_text(path / "results.md", as_markdown(found))
        write(file, path, plan, found, pictures)
    return found


def _plan(
    wanted: Plan,
    earlier: Plan | None,
    entries: list[Entry],
    failures: dict[str, str],
    folder: Path,
    tell: Watch,
) -> Plan:
    """The plan with all entries, earlier and new; each is written as soon as it is made."""
    budget = parse(wanted.budget)
    plan = wanted
    if earlier:
        plan.seeds = max(plan.seeds, _finished_seeds(folder, earlier))
        plan.entries = dict(earlier.entries)
    images: int | None = None
    for entry in entries:
        if entry.name in plan.entries:
            continue
        speed: Speed | None = None
        try:
            counted = budget.unit == "epochs" or plans.counts_passes(entry.recipe)
            needs = budget.unit == "minutes" or (counted and images is None)
            if needs:
                tell({"event": "measure", "name": entry.name, "unit": budget.unit})
                seconds = min(MEASURED_SECONDS, MEASURED_SHARE * 60 * budget.amount)
                images, speed = process.measure(
                    entry.recipe, seconds if budget.unit == "minutes" else 0.0, entry.name
                )
            planned = plans.planned(entry, budget, plan.rounds, images, speed)
        except UserError as error:
            if len(entries) == 1:
                raise
            failures[entry.name] = str(error)
            tell({"event": "ended", "name": entry.name, "failed": str(error)})
            continue
        failures.pop(entry.name, None)
        plan.entries[entry.name] = planned
        tell({"event": "plan", "entry": planned})
        plan.write(folder)
    write_json(folder / FAILURES, failures)
    if not plan.entries:
        raise UserError(f"Nothing could be planned: {next(iter(failures.values()))}")
    plan.write(folder)
    return plan


def _train(plan: Plan, failures: dict[str, str], folder: Path, tell: Watch) -> None:
    """Train and evaluate all runs that are not finished; what fails is noted."""
    missing = [each for each in plan.runs if not _is_over(folder, *each)]
    for number, (name, seed) in enumerate(missing):
        planned, key = plan.entries[name], run_name(name, seed)
        tell(
            {
                "event": "run",
                "name": name,
                "seed": seed,
                "entry": planned,
                "missing": missing[number:],
            }
        )
        try:
            process.train(
                planned.with_seed(seed),
                folder / key,
                _needs_untrained(plan, planned, seed, folder),
                lambda heard: tell({"event": "heard", **heard}),
            )
            failures.pop(key, None)
        except UserError as error:
            failures[key] = str(error)
        write_json(folder / FAILURES, failures)
        tell({"event": "ended", "name": name, "seed": seed, "failed": failures.get(key)})
        write_json(folder / "results.json", results.collect(folder, plan, failures))


def _is_over(folder: Path, name: str, seed: int) -> bool:
    return (folder / run_name(name, seed) / COMPARED).exists()


def _finished_seeds(folder: Path, earlier: Plan) -> int:
    """Seeds that a run has ended of: they stay in the results. Others that were planned may be
    given up by asking for fewer."""
    finished = [seed for name, seed in earlier.runs if _is_over(folder, name, seed)]
    return max(finished, default=-1) + 1


def _needs_untrained(plan: Plan, planned: Planned, seed: int, folder: Path) -> bool:
    """Whether no other run has the untrained network of the same backbone and seed."""
    return not any(
        _is_over(folder, other.name, seed)
        for other in plan.entries.values()
        if other.name != planned.name and other.recipe.backbone == planned.recipe.backbone
    )


def _check_folder(folder: Path, overwrite: bool) -> None:
    if not folder.exists() or not any(folder.iterdir()) or (folder / plans.FILE).exists():
        return
    if (folder / FAILURES).exists():  # of a comparison that could not be planned
        return
    raise UserError(
        f"The folder {folder} is not empty and holds no comparison: give another --folder."
        + (" --overwrite deletes comparisons alone." if overwrite else "")
    )


def _delete(folder: Path) -> None:
    # The plan goes last: as long as it is there, the folder is known for a comparison.
    for path in sorted(folder.iterdir(), key=lambda each: each.name == plans.FILE):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
