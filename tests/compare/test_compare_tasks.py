"""Whole comparisons of a few steps."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from comparisons import SMALL, command, results, without_processes
from PIL import Image
from small_training import quick_nin, three_taps

from rotkeras import UserError, backbones
from rotkeras.compare import Settings, compare, process
from rotkeras.compare import plan as plans
from rotkeras.compare.results import collect
from rotkeras.quality import Spread
from rotkeras.run.folder import Run


@pytest.fixture(scope="module")
def quickly():
    """Trainings happen in this process, with a network that costs little; their names."""
    found = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(backbones.NAMES, "nin", quick_nin)
        without_processes(patched, found)
        tf.config.run_functions_eagerly(True)
        yield found
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def trained(quickly):
    """The names of the runs that are trained, and whether with the untrained network."""
    quickly.clear()
    return quickly


@pytest.fixture(scope="module")
def compared(tmp_path_factory, quickly):
    """(what the command said, the folder) of a comparison."""
    folder = tmp_path_factory.mktemp("compared") / "page.compare"
    said = command(folder)
    assert said.exit_code == 0, said.output
    return said.output, folder


def test_a_comparison_ends_with_a_verdict_a_table_and_a_page(compared):
    said, folder = compared
    found = results(folder)
    assert (found["part"], found["images"], found["source"]) == ("test", 359, "digits")
    assert "1/4  rotation, seed 0" in said
    assert "4/4  simclr, seed 1" in said
    for line in found["verdict"]:
        assert " ".join(line.split()) in " ".join(said.split())
    page = (folder.parent / "page.html").read_text()
    markdown = (folder / "results.md").read_text()
    for name in ("rotation", "simclr"):
        summary = found["entries"][name]["summary"]
        ridge = summary["probes"]["ridge"]
        assert 0.5 < ridge["mean"] < 1
        assert ridge["seeds"] == 2
        text = f"{100 * ridge['mean']:.1f} ± {100 * ridge['margin']:.1f}"
        assert text in page
        assert text in markdown
    for heading in ("Results", "Curves", "Views", "Nearest neighbours", "Settings and commands"):
        assert f">{heading}</h2>" in page
    assert page.count("views of each image</figcaption>") == 2
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_runs_are_ordinary_and_were_evaluated_by_the_protocol(compared):
    """1,024 views are 4 rounds' worth of 8 batches of 32 × 4 views, or of 8 of 64 × 2."""
    _, folder = compared
    found = results(folder)
    for name, batch in (("rotation", 32), ("simclr", 64)):
        for seed in (0, 1):
            run = Run(folder / f"{name}-seed{seed}")
            made = run.load_recipe()
            assert (made.train.epochs, made.train.images_per_epoch) == (2, 4 * batch)
            assert made.train.seed == seed
            assert run.load_summary()["epochs"] == 2
            evaluation = json.loads((run.path / "evaluation.json").read_text())
            frozen = [row for row in evaluation["rows"] if row["mode"] == "frozen"]
            assert {row["probe"] for row in frozen} == {"ridge", "knn-20", "knn-200"}
            tested = [row for row in frozen if row["test"]]
            ridge = {
                row["tap"]: row["validation"]["accuracy"]
                for row in frozen
                if row["probe"] == "ridge"
            }
            assert len(ridge) == 3
            (tap,) = {row["tap"] for row in tested}
            assert ridge[tap] == max(ridge.values())
            assert len(tested) == 3
            assert len(evaluation["test_reads"]) == 1
            there = found["entries"][name]["runs"][str(seed)]
            assert (there["tap"], there["views"]) == (tap, 1024)
            assert there["status"] == "finished"
            assert there["memory"]["process_mib"] > 100
            assert [each["round"] for each in there["rounds"]] == [1, 2]
            assert there["minutes"] == pytest.approx(1024 / there["views_per_second"] / 60)


def test_the_gain_is_paired_with_the_untrained_network_of_the_seed(compared):
    _, folder = compared
    found = results(folder)
    before = found["untrained"]["rotation"]
    assert before == found["untrained"]["simclr"]  # evaluated once for each seed
    runs = found["entries"]["simclr"]["runs"]
    gains = [
        runs[seed]["test"][runs[seed]["tap"]]["ridge"]
        - before[seed]["test"][before[seed]["tap"]]["ridge"]
        for seed in ("0", "1")
    ]
    assert found["entries"]["simclr"]["summary"]["gain"]["mean"] == pytest.approx(np.mean(gains))


@pytest.mark.long
def test_what_is_finished_is_kept_and_what_is_missing_is_trained(compared, tmp_path, trained):
    """A seed more, after one run was lost and another was stopped before its evaluation."""
    folder = tmp_path / "page.compare"
    shutil.copytree(compared[1], folder)
    said = command(folder)
    assert said.exit_code == 0, said.output
    assert trained == []

    (folder / "rotation-seed1" / plans.COMPARED).unlink()
    half = collect(folder, plans.read(folder), {})
    assert half["part"] == "test"  # of the runs that are whole
    assert half["entries"]["rotation"]["runs"]["1"]["status"] == "unfinished"
    assert half["entries"]["rotation"]["summary"]["probes"]["ridge"]["seeds"] == 1
    before = (folder / "rotation-seed1" / "model.keras").read_bytes()
    said = command(folder)
    assert said.exit_code == 0, said.output
    assert trained == [("rotation-seed1", False)]
    assert (folder / "rotation-seed1" / "model.keras").read_bytes() == before
    evaluation = json.loads((folder / "rotation-seed1/evaluation.json").read_text())
    assert len(evaluation["test_reads"]) == 1  # not read again, for other taps

    trained.clear()
    said = command(folder, tasks="rotation", seeds=3, small=SMALL[:-1])
    assert said.exit_code == 0, said.output
    assert trained == [("rotation-seed2", True), ("simclr-seed2", False)]
    assert results(folder)["entries"]["simclr"]["summary"]["probes"]["ridge"]["seeds"] == 3

    trained.clear()
    assert command(folder, "--no-pictures", seeds=1).exit_code == 0
    assert trained == []
    assert results(folder)["seeds"] == 3  # what is finished stays


def test_a_run_without_a_test_result_is_left_out_and_named(compared, tmp_path):
    """The others keep theirs: validation does not decide for all."""
    folder = tmp_path / "page.compare"
    shutil.copytree(compared[1], folder)
    whole = collect(folder, plans.read(folder), {})
    path = folder / "simclr-seed1/evaluation.json"
    content = json.loads(path.read_text())
    for row in content["rows"]:
        row["test"] = None
    path.write_text(json.dumps(content))
    found = collect(folder, plans.read(folder), {})
    assert (found["part"], found["images"]) == ("test", 359)
    assert "Without a result on test images, left out: simclr, seed 1." in found["verdict"]
    one, two = (each["entries"]["simclr"]["summary"]["probes"]["ridge"] for each in (whole, found))
    assert (one["seeds"], two["seeds"]) == (2, 1)
    assert found["entries"]["rotation"]["summary"] == whole["entries"]["rotation"]["summary"]
    assert not any("Without a result" in sentence for sentence in whole["verdict"])


def test_another_plan_in_the_folder_is_refused(compared, tmp_path):
    folder = tmp_path / "page.compare"
    shutil.copytree(compared[1], folder)
    said = command(folder, "--set", "train.learning_rate=0.01")
    assert said.exit_code == 2
    assert "holds another comparison: its train.learning_rate of rotation is 0.05" in said.output
    said = command(folder, "--budget", "2048views")
    assert said.exit_code == 2
    assert "its budget is '1024views', and now it is '2048views'" in said.output


@pytest.mark.parametrize(
    ("data", "changes", "words"),
    [
        ("photos", {}, "data.folder must be the same in all that is compared, but rotation"),
        ("digits", {"backbone.blocks": 4}, "backbone.blocks must be the same in all"),
    ],
)
def test_a_folder_takes_no_task_on_other_images_or_another_backbone(
    compared, tmp_path, data, changes, words
):
    """A task that the folder lacks must fit to those that it has, which this call does not name."""
    folder = tmp_path / "page.compare"
    shutil.copytree(compared[1], folder)
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "photos/one.png")
    small = [*SMALL[:-1], *(f"{key}={value}" for key, value in changes.items())]
    before = (folder / "plan.json").read_bytes()
    place = tmp_path / "photos" if data == "photos" else data
    said = command(folder, tasks="byol", data=place, small=small)
    assert said.exit_code == 2
    assert words in " ".join(said.output.split())
    assert "or give another --folder" in " ".join(said.output.split())
    assert (folder / "plan.json").read_bytes() == before


@pytest.mark.long
def test_an_interrupted_run_resumes_by_its_checkpoint(tmp_path, trained, monkeypatch):
    from rotkeras.compare.memory import Rounds

    folder, told = tmp_path / "page.compare", []

    def stop(self, epoch, logs=None):
        raise KeyboardInterrupt

    settings = Settings(
        tasks=("rotation",), data="digits", budget="1024views", seeds=2, rounds=2,
        overrides=SMALL[:-1],
    )  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(Rounds, "on_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            compare(settings, folder, pictures=False)
    settings = replace(settings, seeds=1)  # the second was not begun
    assert (folder / "rotation-seed0/checkpoints/state.json").exists()
    compare(settings, folder, pictures=False, watch=told.append)
    assert [each["round"] for each in told if "round" in each] == [2]
    assert results(folder)["entries"]["rotation"]["runs"]["0"]["status"] == "finished"
    assert results(folder)["seeds"] == 1


@pytest.mark.long
def test_one_failure_does_not_end_the_rest_and_is_shown(tmp_path, trained, monkeypatch):
    folder, work = tmp_path / "page.compare", process._work
    sentences = {
        "simclr-seed0": "The folder /data/collapse-study/simclr-seed0 cannot be written.",
        "simclr-seed1": "The process was ended by signal 9.",
    }

    def fails(wanted, recipe, name, hear):
        if recipe.name in sentences:
            raise UserError(sentences[recipe.name])
        work(wanted, recipe, name, hear)

    monkeypatch.setattr(process, "_work", fails)
    said = command(folder, "--no-pictures")
    assert said.exit_code == 0, said.output
    found = results(folder)
    statuses = {seed: run["status"] for seed, run in found["entries"]["simclr"]["runs"].items()}
    assert statuses == {"0": "failed", "1": "failed"}
    assert "Failed: simclr (2 of 2 runs)." in found["verdict"]
    page = (folder.parent / "page.html").read_text()
    for sentence in sentences.values():
        assert sentence in page

    sentences.clear()
    trained.clear()
    assert command(folder, "--no-pictures").exit_code == 0
    assert trained == [("simclr-seed0", False), ("simclr-seed1", False)]


@pytest.mark.long
def test_a_collapsed_run_is_not_ranked(tmp_path, trained):
    """BYOL without its predictor and its slow copy gives all images one embedding, in a few
    steps."""
    folder = tmp_path / "page.compare"
    collapses = [
        *("task.hidden_units=32", "task.projection_units=16", "task.predictor=false"),
        *("task.momentum=0.0", "train.learning_rate=2.0", "train.images_per_batch=32"),
        *("train.schedule={name: constant}", "train.optimizer={name: sgd, momentum: 0.9}"),
        "task.crop_scale=[0.08,1.0]",
    ]
    small = [*SMALL[:-1], *(f"byol:{each}" for each in collapses)]
    more = ["--no-pictures", "--budget", "1280views"]
    said = command(folder, *more, tasks="rotation,byol", small=small)
    assert said.exit_code == 0, said.output
    assert said.output.count("  collapsed: all images have nearly the same embedding") == 2
    found = results(folder)
    byol, rotation = found["entries"]["byol"], found["entries"]["rotation"]
    for seed in ("0", "1"):
        run = byol["runs"][seed]
        assert run["status"] == "collapsed"
        spread = Spread(
            *(run["label_free"][""][f"spread {each}"] for each in ("std", "rank", "cosine"))
        )
        assert spread.collapsed
        assert run["test"][run["tap"]]["ridge"] > 0  # evaluated, and not counted
        assert rotation["runs"][seed]["status"] == "finished"
    assert byol["summary"]["probes"] == {}
    assert byol["summary"]["gain"] is None
    assert rotation["summary"]["probes"]["ridge"]["seeds"] == 2
    assert "there is no other task to compare with" in found["verdict"][0]
    assert "Collapsed, left out of the ranking: byol (2 of 2 runs)." in found["verdict"]
    assert "collapsed 2 of 2" in (folder / "results.md").read_text()
    trained.clear()
    assert command(folder, *more, tasks="rotation,byol", small=small).exit_code == 0
    assert trained == []  # it would only repeat itself


def test_a_task_that_cannot_be_planned_is_left_out(tmp_path, trained):
    folder = tmp_path / "page.compare"
    more = ["--no-pictures", "--budget", "100views", "--set", "simclr:train.images_per_batch=128"]
    said = command(folder, *more, seeds=1)
    assert said.exit_code == 0, said.output
    assert "at least one step of simclr, 256 views" in said.output
    assert "Could not be trained: simclr." in results(folder)["verdict"]


def test_images_are_counted_for_a_task_whose_settings_are_passes(tmp_path, quickly, monkeypatch):
    """A budget of views needs no number of images, but SwAV's frozen passes do: 1/12 of the images
    that a run sees are 0.27 passes over 200."""

    def fails(*_arguments):
        raise UserError("Not trained here.")

    monkeypatch.setattr(process, "train", fails)
    folder = tmp_path / "page.compare"
    small = [*SMALL[:-1], "swav:train.images_per_batch=64"]
    said = command(folder, "--no-pictures", "--budget", "1280views", tasks="swav", small=small)
    assert said.exit_code == 0, said.output
    assert "swav: counting the images" in said.output
    made = plans.read(folder).entries["swav"].recipe
    assert made.train.epochs * made.train.images_per_epoch == 640
    assert made.task.frozen_epochs * 200 == pytest.approx(640 / 12)


def test_images_without_labels_have_measures_alone(tmp_path, trained):
    arrays = tmp_path / "images.npz"
    images = np.random.default_rng(0).integers(0, 256, (150, 16, 16, 3), np.uint8)
    np.savez(arrays, images=images)
    folder = tmp_path / "page.compare"
    small = [each for each in SMALL if "train_images" not in each]
    said = command(folder, data=arrays, seeds=1, small=small)
    assert said.exit_code == 0, said.output
    found = results(folder)
    assert found["no_probes"] == "the images have no labels"
    assert "because the images have no labels: look at the measures" in found["verdict"][0]
    page = (folder.parent / "page.html").read_text()
    assert "Without labels</h2>" in page
    assert "spread rank" in page


@pytest.mark.long
def test_minutes_are_measured_first_and_backbones_compared(tmp_path, trained, monkeypatch):
    monkeypatch.setattr("rotkeras.compare.worker.LEAST_STEPS", 2)
    folder, told = tmp_path / "page.compare", []
    three_taps().save(tmp_path / "mine.keras")
    settings = Settings(
        tasks=("rotation",), data="digits", budget="2s", seeds=1, rounds=2,
        backbones=("nin", f"keras_file:{tmp_path / 'mine.keras'}"),
        overrides=("data.image_size=16", "data.train_images=64", "probe.train_images=60"),
    )  # fmt: skip
    found = compare(settings, folder, tmp_path / "page.html", pictures=False, watch=told.append)
    plan = json.loads((folder / "plan.json").read_text())
    for name in ("nin", "mine"):
        measured = plan["entries"][name]["measured"]
        assert measured["steps"] >= 2
        wanted = 2 * measured["steps_per_second"] * 128
        assert plan["entries"][name]["views"] == pytest.approx(wanted, abs=128 * 2)
        assert name in found["entries"]
    events = [each["event"] for each in told]
    assert events.index("run") > max(at for at, each in enumerate(events) if each == "plan")
    assert "untrained mine" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--budget", "soon"], "--budget must be an amount above 0 with its unit"),
        (["--backbones", "nin,resnet"], "backbones are compared for one task"),
        (["--set", "train.epochs=3"], "train.epochs follows from --budget"),
        (["-o", "page.pdf"], "must end in .html"),
    ],
)
def test_wrong_arguments_are_one_sentence(tmp_path, more, words):
    said = command(tmp_path / "page.compare", *more)
    assert said.exit_code == 2
    assert said.output.count("Error: ") == 1
    assert words in " ".join(said.output.split())
    assert not (tmp_path / "page.compare").exists()


def test_a_folder_of_something_else_is_kept(tmp_path):
    (tmp_path / "page.compare").mkdir()
    (tmp_path / "page.compare/letter.txt").write_text("dear")
    said = command(tmp_path / "page.compare", "--overwrite")
    assert said.exit_code == 2
    assert "is not empty and holds no comparison" in said.output
    assert (tmp_path / "page.compare/letter.txt").exists()
