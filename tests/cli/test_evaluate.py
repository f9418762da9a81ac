import io
import re
import subprocess
import sys
from dataclasses import asdict

import pytest
from click.testing import CliRunner
from rich.console import Console

from rotkeras.cli import main
from rotkeras.cli.evaluate_console import (
    EvaluateConsole,
    about_taps,
    class_tables,
    notes,
    tap_tables,
)
from rotkeras.cli.progress import Watching
from rotkeras.cli.worth_it_console import WorthItConsole
from rotkeras.evaluate.options import Patches, Unit
from rotkeras.probes.settings import FAST


def invoke(*arguments):
    return CliRunner().invoke(main, list(arguments))


def test_mistakes_are_told_without_tensorflow(tmp_path):
    code = f"""
import sys
from dataclasses import asdict
from click.testing import CliRunner
from rotkeras.cli import main
for arguments in (["evaluate", {str(tmp_path)!r}], ["worth-it", {str(tmp_path)!r}], ["reproduce", "table1", "--set", "train.seed=1"]):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
print(sorted(name for name in ("tensorflow", "keras") if name in sys.modules))"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def refused(*arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output


def test_mistakes_are_one_sentence(tmp_path):
    for command in ("evaluate", "worth-it"):
        assert (
            "does not exist. Give a folder that `rotkeras train` wrote, such as runs/quickstart."
            in refused(command, str(tmp_path / "none"))
        )
        assert (
            "is not a run folder. Give a folder that `rotkeras train` wrote, such as runs/quickstart."
            in refused(command, str(tmp_path))
        )
    assert "--init must be trained, random or scratch, got 'trainde';" in refused(
        "evaluate", "x", "--init", "trainde"
    )
    assert "--fine-tune trains the pre-trained backbone and needs --init trained;" in refused(
        "evaluate", "x", "--init", "random", "--fine-tune"
    )
    assert "must be whole numbers of at least 1 or all" in refused(
        "evaluate", "x", "--labels-per-class", "20,zero"
    )
    assert "--scale must be greater than 0 and at most 1 for images, got 2" in refused(
        "reproduce", "table1", "--scale", "2"
    )
    assert "Invalid value" in refused("reproduce", "table4")
    assert "all is not accepted" in refused("worth-it", "x", "--labels-per-class", "20,all")


def test_notes_say_what_the_numbers_are():
    def text(part, test_part, seeds=1):
        return " ".join(notes(rows(seeds), part, 1000, test_part))

    assert "The test set was read once for each row" in text("test", "judged")
    assert "There is no test set: these are validation images, which also" in text(
        "validation", "none"
    )
    assert "The test set has no labels" in text("validation", "without labels")
    assert "repeat the command" in text("validation", None)
    assert "95 % interval of one seed on 1,000 images: ±3.1 at 50 %" in text("test", "judged")
    assert "over up to 3 seeds of probes, drawn labels and untrained networks" in text(
        "test", "judged", 3
    )


def test_taps_that_validation_does_not_distinguish_are_named():
    def text(validation):
        return about_taps(rows(), {"images": {"validation": validation}, "default_tap": "conv2"})

    assert text(1000) == ""
    assert text(30).startswith(
        "The choice of tap is arbitrary for ridge (trained), knn-20 (trained), linear (trained),"
        " nonlinear (trained), conv (trained): on 30 validation images"
    )
    assert text(30).endswith("Use more validation images to decide.")


def test_options_become_modes(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        EvaluateConsole, "run", lambda self, run, options, **more: seen.update(options, **more)
    )
    assert invoke("evaluate", "r").exit_code == 0
    assert seen["modes"] == ("frozen", "random")
    assert "probes" not in seen
    invoke("evaluate", "r", "--fine-tune", "--labels-per-class", "20,all,20", "--seeds", "3")
    assert (seen["modes"], seen["labels_per_class"], seen["seeds"], seen["probes"]) == (
        ("fine_tuned",),
        (20, None),
        (0, 1, 2),
        ("conv",),
    )
    invoke("evaluate", "r", "--init", "scratch,trained", "--probe", "conv, knn")
    assert (seen["modes"], seen["probes"]) == (("scratch", "frozen"), ("conv", "knn"))
    assert (seen["patches"], seen["patch_crop"]) == (0, None)
    invoke("evaluate", "r", "--patches", "3", "--patch-crop", "1")
    assert (seen["patches"], seen["patch_crop"]) == (3, 1.0)
    assert seen["patch_standardize"] is None
    for flag, told in (("--patch-standardize", True), ("--no-patch-standardize", False)):
        invoke("evaluate", "r", "--patches", "3", flag)
        assert seen["patch_standardize"] is told
    for wrong in (("--patches", "-1"), ("--patch-crop", "0"), ("--patch-crop", "1.1")):
        assert "Invalid value" in refused("evaluate", "r", *wrong)
    said = refused("evaluate", "r", "--patch-crop", "0.5")
    assert "--patch-crop needs --patches, got --patch-crop 0.5 alone; add --patches 3" in said


def rows(seeds=1):
    made = []
    for probe in ("ridge", "knn-20", "linear", "nonlinear", "conv"):
        for mode in ("random", "frozen"):
            for number in range(1, 6):
                for seed in range(seeds):
                    judged = {
                        "accuracy": number / 10,
                        "per_class": {"a very long name of a class indeed": 0.5, "b": None},
                    }
                    made.append(
                        {
                            "tap": f"conv{number}", "probe": probe, "mode": mode, "labels_per_class": "all",
                            "seed": seed, "draw": "all", "budget": "fast" if probe in ("linear", "nonlinear", "conv") else "closed form",
                            "validation": judged, "test": judged,
                        }
                    )  # fmt: skip
    return made


def of_patches(row, standardize):
    probe = row["probe"]
    patches = Patches(3, 0.75, standardize)
    return {
        **row,
        "probe": f"{probe}, {patches}",
        "patches": {"probe": probe, **asdict(patches)},
    }


@pytest.mark.parametrize(
    ("standardize", "like"), [(False, ""), (True, ", each with one mean and deviation")]
)
@pytest.mark.parametrize("seeds", [1, 3])
def test_patches_have_columns_of_their_own_that_fit_a_terminal(seeds, standardize, like):
    both = [*rows(seeds), *(of_patches(row, standardize) for row in rows(seeds))]
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for table in [
        *tap_tables(both, "test", 1000, "title", True),
        *class_tables(both, {"images": {"validation": 1000}}, "test", True),
    ]:
        console.print(table)
    text = console.file.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    # Of each of five probes: untrained and trained by tap, trained by class.
    assert text.count("3×3 of 75 %") == 15
    told = " ".join(notes(both, "test", 1000, "judged"))
    words = ", standardised" if standardize else ""
    assert text.count("standard.") == (15 if standardize else 0)
    assert told.count(f"3×3 of 75 %{words}: features are the mean over 3×3 patches") == 1
    assert f"75 % of the sides of an image{like}." in told
    assert "patches" not in " ".join(notes(rows(), "test", 1000, "judged"))


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("seeds", [1, 3])
def test_tables_fit_a_terminal_and_mark_the_fast_budget(terminal, seeds):
    console = Console(file=io.StringIO(), width=80, force_terminal=terminal, color_system=None)
    for table in [
        *tap_tables(rows(seeds), "test", 1000, "title", not terminal),
        *class_tables(rows(seeds), {"images": {"validation": 1000}}, "test", not terminal),
    ]:
        console.print(table)
    text = console.file.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert text.count("title") == 1
    assert text.count("untrained*") == 3
    assert len(re.findall("untrained(?!\\*)", text)) == 2
    assert len([line for line in text.splitlines() if "conv3" in line]) == (3 if seeds > 1 else 2)
    assert ("±" in text) == (seeds > 1)


def test_every_fit_has_a_line_with_the_time_left():
    console = Console(file=io.StringIO(), width=200)
    watching = Watching(console)
    unit = Unit("conv", "fine_tuned", 20, "first", 0, ("conv2",), FAST["conv"])
    cheap = Unit("ridge", "frozen", None, "all", 0, ("conv2",))
    assert watching.watch(0, [unit, cheap]) == ()
    watching.done(unit, [{"tap": "conv2", "validation": {"accuracy": 0.5}, "seconds": 61.0}])
    line = console.file.getvalue()
    assert (
        "1/2  conv, fine-tuned, 20 labels per class, seed 0: conv2 50.0  (validation, 1:01" in line
    )


def test_the_bar_of_a_terminal_comes_and_goes():
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    watching = Watching(console)
    (callback,) = watching.watch(
        0, [Unit("conv", "frozen", None, "all", 0, ("conv2",), FAST["conv"])]
    )
    callback.on_epoch_end(4)
    assert watching._bar.tasks[0].completed == 0.5
    watching.tested(1, 4)
    assert watching._bar.tasks[0].completed == 0.25
    watching.close()
    assert watching._bar is None


def test_worth_it_fits_a_terminal():
    method = {"mean": 0.512, "margin": 0.031, "seconds": 75.0}
    each = {
        "methods": {"scratch": method, "conv": method, "ridge": method},
        "gain": 0.1,
        "gain_margin": 0.02,
        "significant": False,
    }
    compared = {
        "part": "test", "images": 10000, "seeds": 3, "budget": "fast", "tap": "conv2", "counts": {20: each, 5000: each},
        "verdict": "Worth it.",
    }  # fmt: skip
    console = Console(file=io.StringIO(), width=80)
    WorthItConsole(console).show(compared)
    text = console.file.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "51.2 ±3.1" in text
    assert "+10.0 ±2.0" in text
    assert "not significant" in text
