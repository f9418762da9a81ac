import json
import time

import pytest
from click.testing import CliRunner
from small_training import SMALL, three_taps

from rotkeras import backbones, recipe
from rotkeras.benchmark import benchmark_training, peer, train
from rotkeras.benchmark import measure as measure_part
from rotkeras.benchmark.results import PeerSetting, Spread
from rotkeras.cli import main
from rotkeras.errors import UserError


@pytest.fixture(scope="module")
def in_this_process():
    """Parts are measured in this process, eagerly, with a network that costs little, and as short
    as they come.

    Gives what they returned, by their names.
    """
    import tensorflow as tf

    parts = {}

    def measure(part, wanted, tell):
        wanted = json.loads(json.dumps(wanted))
        quick = {"seconds": 0.0} if part == "machine" else {}
        parts[part] = json.loads(json.dumps(measure_part.PARTS[part](**wanted, **quick, tell=tell)))
        return parts[part]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.part_process, "measure", measure)
        patch.setattr(measure_part, "_SECONDS_OF_AN_INPUT_REPEAT", 0.0)
        patch.setitem(backbones.NAMES, "nin", lambda **_: three_taps())
        patch.setattr(
            "rotkeras.training.devices.keep_freed_memory", lambda: None
        )  # it would hold for the tests after these
        tf.config.run_functions_eagerly(True)
        yield parts
        tf.config.run_functions_eagerly(False)


def call(folder, *options):
    (folder / "small.yaml").write_text(json.dumps(SMALL))
    command = ["benchmark", "train", str(folder / "small.yaml"), "--set", "train.seed=5", *options]
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, command)


PEER = peer.Peer(
    "2.13.0",
    "cpu",
    7,
    (
        *(PeerSetting(name, Spread.of([123456.0] * 3), 11080) for name in peer._SETTINGS[:3]),
        PeerSetting(peer._SETTINGS[3], None, 0, "could not be run (no compiler)"),
    ),
    PeerSetting("DataLoader, 16 workers", Spread.of([200.0]), 1),
    *[None] * 4,
)


@pytest.fixture(scope="module")
def measured(in_this_process, tmp_path_factory):
    """What the command printed, and the content of the file that it wrote; the peer's figures are
    made up."""
    folder = tmp_path_factory.mktemp("benchmark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "find_torch", lambda python, torchvision: peer.Torch(python, "2.13.0"))
        patch.setattr(train, "run_peer", lambda *_: PEER)
        options = (
            "--steps",
            "2",
            "--repeats",
            "2",
            "--peer-python",
            "somewhere",
            "-o",
            str(folder / "measured.json"),
        )
        result = call(folder, *options)
    assert result.exit_code == 0, result.output
    assert list(in_this_process) == ["machine", "both", "step", "input"]
    assert {path.name for path in folder.iterdir()} == {"small.yaml", "measured.json"}
    return result, json.loads((folder / "measured.json").read_text())


def test_steps_repeats_and_views_are_those_asked_for(measured):
    _, content = measured
    assert (
        content["images_per_step"],
        content["views_per_step"],
        content["seed"],
        content["repeats"],
    ) == (16, 64, 5, 2)
    assert content["both"]["warm_up_steps"] == content["step"]["warm_up_steps"] == 3
    for part in (content["both"], content["step"], content["input"]):
        rate = part["views_per_second"]
        assert part["steps"] == [2, 2]
        assert len(rate["repeats"]) == 2
        assert (
            0
            < rate["minimum"]
            == min(rate["repeats"])
            <= rate["median"]
            <= rate["maximum"]
            == max(rate["repeats"])
        )
        assert part["host_peak_mib"] > 100
        assert part["device_peak_mib"] is None
    assert 0 <= content["waiting"]["minimum"] <= content["waiting"]["maximum"] <= 1
    first = content["first_step"]
    assert sum(value for name, value in first.items() if name != "seconds") == pytest.approx(
        first["seconds"]
    )
    assert min(first.values()) > 0


def test_operations_parameters_and_bytes_by_hand(measured):
    _, content = measured
    first, *others = (
        2 * side**2 * 9 * inputs * outputs
        for side, inputs, outputs in ((8, 3, 4), (4, 4, 8), (2, 8, 8))
    )
    others.append(2 * 8 * 4)
    work, writing = content["work"], content["writing"]
    assert content["forward_flops"] == first + sum(others)
    assert work["per_view"] == 2 * first + 3 * sum(others)
    assert content["parameters"] == 9 * (3 * 4 + 4 * 8 + 8 * 8) + 2 * (4 + 8 + 8) + 9 * 4
    assert writing["per_view"] == 16 * 16 * 3 + 4  # uint8 pixels, an int32 label
    for bound, part in ((work, "step"), (writing, "input")):
        assert (
            bound["per_second"] == content[part]["views_per_second"]["median"] * bound["per_view"]
        )
        assert bound["share"] == bound["per_second"] / bound["reached_here"]


def test_json_has_everything(measured):
    _, content = measured
    assert set(content) == {
        "recipe", "seed", "repeats", "backend", "versions", "machine", "images_per_step", "views_per_step", "parameters", "input",
        "step", "both", "waiting", "first_step", "work", "forward_flops", "not_counted", "writing", "peer",
    }  # fmt: skip
    assert set(content["machine"]) == {
        "processor",
        "cores",
        "system",
        "python",
        "load",
        "accelerators",
        "used",
        "placement",
    }
    assert set(content["first_step"]) == {
        "seconds",
        "imports",
        "reading_images",
        "building",
        "first_step",
    }
    assert (content["backend"], content["recipe"]["name"], content["not_counted"]) == (
        "tensorflow",
        "small",
        [],
    )
    assert content["versions"]["tensorflow"]
    assert content["peer"]["step"][3]["error"] == "could not be run (no compiler)"
    assert content["peer"]["step_ratio"] == content["step"]["views_per_second"]["median"] / 123456
    assert content["peer"]["input_ratio"] == content["input"]["views_per_second"]["median"] / 200


def test_the_table_fits_a_terminal(measured):
    result, _ = measured
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100, lines
    table = lines[lines.index(next(line for line in lines if "median" in line)) :][:9]
    assert max(map(len, table)) <= 80, table
    assert "…" not in result.stdout  # no column was cut
    for words in (
        "input alone",
        "both together",
        "peer: channels last, eager",
        "Waiting for input: ",
        "First step after ",
        " 123 k ",
        "3×11,080",
    ):
        assert words in result.stdout
    assert "772 bytes a view" in result.stdout
    assert "rotkeras / best peer = " in result.stdout
    assert "channels last, compiled: could not be run (no compiler)" in result.stdout
    assert "step: building the network\n" in result.stderr


def test_json_instead_of_a_table(measured, in_this_process, tmp_path, monkeypatch):
    monkeypatch.setattr(train.part_process, "measure", lambda part, *_: in_this_process[part])
    result = call(tmp_path, "--steps", "2", "--repeats", "2", "--json")
    content = json.loads(result.stdout)
    assert content["peer"] is None
    _, written = measured
    for part in ("step", "both", "input", "writing", "first_step"):
        assert content[part] == written[part]


@pytest.mark.parametrize(("steps", "repeats"), [(0, 1), (1, 0)])
def test_counts_below_one_are_told(steps, repeats):
    with pytest.raises(UserError, match="(steps|repeats) must be at least 1, got 0"):
        benchmark_training(recipe.validate(SMALL, "test"), steps, repeats)


def test_executions_are_whole_and_images_may_lie_on_the_device(in_this_process, tmp_path):
    train = {**SMALL["train"], "steps_per_execution": 2, "placement": "resident"}
    content = recipe.validate({**SMALL, "train": train}, "test").model_dump(mode="json")
    batch_file = str(tmp_path / "batch.npz")
    both = measure_part.measure_both(content, 3, 1, batch_file, time.time(), lambda _: None)
    assert both["part"]["steps"] == (4,)  # three, rounded up to whole executions
    assert (
        both["bytes_per_view"] == 4 + (4 + 2 * 4) / 4
    )  # a label, and a quarter of a row and two draws
    assert both["views_per_step"] == 64
    sizes = {name: both[name] for name in ("images", "validation", "image_shape", "shape")}
    assert measure_part.measure_step(content, 3, 1, batch_file, **sizes, tell=lambda _: None)[
        "part"
    ]["steps"] == (4,)


def test_a_stand_in_holds_one_image():
    source = measure_part._stand_in(1000, 100, (32, 32, 3))
    assert (len(source.train), len(source.validation)) == (1000, 100)
    assert source.train.array.strides[0] == 0


def test_without_torch_nothing_is_measured(in_this_process, tmp_path):
    in_this_process.clear()
    result = call(tmp_path, "--peer-python", str(tmp_path / "nowhere"))
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert in_this_process == {}


def test_an_interrupt_is_a_sentence(monkeypatch, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train.part_process, "measure", interrupt)
    result = call(tmp_path)
    assert result.exit_code == 130
    assert result.output.strip() == "Interrupted; no unfinished file was left."
