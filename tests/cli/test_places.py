"""Commands that read a run's images, where these have moved or changed."""

import shlex
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from rotkeras import UserError
from rotkeras.cli import main
from rotkeras.data import load
from rotkeras.report.images import sample_of_run
from rotkeras.run.folder import Run
from rotkeras.run.images import NOT_RECORDED, load_source

COMMANDS = {
    "evaluate": ["--probe", "ridge", "--tap", "conv1"],
    "worth-it": ["--labels-per-class", "5"],
    "export": ["--profile", "float32", "--no-saved-model", "--max-drop", "100"],
}


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a trained run, beside whose folder its images lie in a file, and others."""
    shutil.copytree(trained[1].path, tmp_path / "run")
    whole = load_source(trained[1].load_recipe(), train_images=None)
    rows = np.concatenate([whole.train.rows, whole.validation.rows])
    order = np.argsort(rows)
    array = whole.train.array[rows[order]]
    labels = np.concatenate([whole.train.labels, whole.validation.labels])[order]
    np.savez(
        tmp_path / "same.npz",
        images=array,
        labels=labels,
        test_images=whole.test.take(slice(None)),
        test_labels=whole.test.labels,
    )
    np.savez(
        tmp_path / "more.npz", images=np.r_[array, array[:9]], labels=np.r_[labels, labels[:9]]
    )
    return Run(tmp_path / "run")


def invoke(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert "Traceback" not in result.output
    return result


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_images_name_a_command_that_works(run, command):
    more = COMMANDS[command]
    result = invoke(command, run.path, *more, "--set", f"data.arrays={run.path.parent}/none.npz")
    assert result.exit_code == 2
    assert (
        "none.npz' does not exist. If the images have moved, name the new path: " in result.output
    )
    assert "starting" not in result.output
    advice = result.output.strip().rpartition(": ")[2].removeprefix("rotkeras ")
    assert advice == f"{command} {run.path} --set data.arrays=NEW"
    if command == "worth-it":  # it takes a minute
        return
    works = shlex.split(advice.replace("NEW", str(run.path.parent / "same.npz")))
    result = invoke(*works, *more)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_changed_images_stop_the_command(run, command):
    more = COMMANDS[command]
    result = invoke(command, run.path, *more, "--set", f"data.arrays={run.path.parent}/more.npz")
    assert result.exit_code == 2
    assert (
        "The images have changed since this run began: 1,438 images then, 1,447 now (more)."
        in result.output
    )
    assert not (run.path / "evaluation.json").exists()
    assert not run.export.exists()


def test_a_report_shows_no_changed_images(run):
    places = ({"arrays": run.path.parent / name} for name in ("same.npz", "more.npz"))
    sample = sample_of_run(run, 16, 5, data=next(places))
    assert len(sample.images) == 5
    with pytest.raises(UserError, match="The images have changed"):
        sample_of_run(run, 16, 5, data=next(places))
    lines = []
    run.write_summary({})
    (run.state).unlink()
    sample_of_run(run, 16, 5, tell=lines.append)
    assert lines == [NOT_RECORDED]


@pytest.mark.parametrize("command", [*COMMANDS, "report"])
def test_only_places_may_be_set(run, command):
    result = invoke(command, run.path, "--set", "data.image_size=8")
    assert result.exit_code == 2
    assert (
        "--set must name where the run's images are, one of data.folder, data.list, data.arrays, data.tfds, data.data_dir, data.cache, data.test_folder, data.list_folder, data.validation_list, data.test_list, or of the same keys of probe.data, got"
        in result.output
    )


def test_places_that_nothing_reads_are_refused(run):
    place = f"data.arrays={run.path.parent}/same.npz"
    result = invoke("report", run.path, "--no-pictures", "--set", place)
    assert result.exit_code == 2
    assert "--no-pictures reads no images" in result.output
    labelled = str(run.path.parent / "same.npz")
    result = invoke("evaluate", run.path, "--labelled", labelled, "--set", place)
    assert result.exit_code == 2
    assert "and --set cannot be used together" in result.output


def test_resuming_a_run_that_has_ended_compares_its_images(run):
    place = f"data.arrays={run.path.parent}/more.npz"
    again = ["train", run.recipe, "--run-dir", run.path, "--resume"]
    result = invoke(*again)
    assert result.exit_code == 0, result.output
    assert "there is nothing to resume" in result.output
    content = run.recipe.read_text().replace("embedded: digits", "embedded: null")
    same = f"arrays: {run.path.parent}/same.npz"
    run.recipe.write_text(content.replace("arrays: null", same))
    result = invoke(*again, "--set", place)
    assert result.exit_code == 2, result.output
    assert "1,438 images then, 1,447 now" in result.output
    assert "start a new run with --run-dir" in result.output


def test_python_evaluates_the_runs_images_alone_under_the_default_name(run):
    from rotkeras.evaluate import Options, evaluate

    options = Options(probes=("ridge",), modes=("frozen",), taps=("conv1",))
    other = load(run.path.parent / "more.npz", validation_fraction=0.2)
    with pytest.raises(UserError, match='pass name="evaluation-other" to evaluate on other images'):
        evaluate(run, options, other)
    with pytest.raises(UserError, match=r"name the place of the run's images: data=\{"):
        evaluate(run, options, data={"arrays": run.path.parent / "more.npz"})
    content = evaluate(run, options, data={"arrays": run.path.parent / "same.npz"})
    assert content["images"]["train"] == 320
    assert content["images"]["test_fingerprint"]["images"] == 359
    assert content == evaluate(run, options)  # of the digits themselves, which are the same images
