import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rotkeras
from rotkeras.cli import COMMANDS

PACKAGE = Path(rotkeras.__file__).parent


def imports_of(path):
    """The rooms of rotkeras that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (
                [node.module]
                if node.module != "rotkeras"
                else [f"rotkeras.{each.name}" for each in node.names]
            )
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("rotkeras.")}
        found |= {name.split(".")[0] for name in names if not name.startswith("rotkeras")}
    return found


LOWEST = {"accepted", "checks", "errors", "sentences"}
"""What every room but `device` may import."""

ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "text": set(),
    "registered": set(),
    "accepted": {"errors"},
    "sentences": {"accepted", "errors"},
    "checks": {"accepted", "errors", "sentences"},
    "images": {"errors", "files"},
    "device": {"errors", "files", "images"},
    "recipe": {"files", "errors"},
    "run": {"errors", "files", "recipe", "text", "__version__"},
    "run_images": {"data", "errors", "files", "recipe", "run", "text"},
    "data": {"files", "errors", "images"},
    "pretext": {"errors", "data"},
    "building": {
        "backbones",
        "data",
        "devices",
        "errors",
        "hosts",
        "initial_weights",
        "optimizers",
        "placement",
        "pretext",
        "recipe",
        "run_images",
    },
    "train": {
        "building",
        "callbacks",
        "data",
        "devices",
        "errors",
        "export",
        "files",
        "hosts",
        "optimizers",
        "placement",
        "recipe",
        "run",
        "run_images",
        "taps",
        "__version__",
    },
    "placement": {"data", "devices", "errors", "hosts", "pretext"},
    "fused_batch_norm": set(),
    "backbones": {"errors", "fused_batch_norm"},
    "taps": {"errors"},
    "probes": {"errors", "data", "taps", "backbones", "fused_batch_norm", "optimizers"},
    "attention": {"files", "errors", "run", "taps"},
    "attend": {"attention", "data", "embedding", "errors", "files", "images", "taps"},
    "audit": {"data", "errors", "files", "images", "page"},
    "export": {
        "data",
        "device",
        "errors",
        "files",
        "probes",
        "recipe",
        "run",
        "run_images",
        "taps",
        "text",
        "__version__",
    },
    "orient": {"data", "device", "errors", "files", "images", "orientation_network"},
    "orientation_network": {"device", "errors", "files", "run"},
    "report": {
        "probes",
        "attention",
        "data",
        "embedding",
        "errors",
        "evaluate",
        "files",
        "page",
        "recipe",
        "run",
        "run_images",
        "taps",
        "text",
    },
    "page": {"errors", "files", "__version__"},
    "embedding": {"errors", "files", "images", "text", "data", "device"},
    "evaluate": {
        "building",
        "data",
        "devices",
        "errors",
        "files",
        "probes",
        "run",
        "run_images",
        "taps",
        "text",
    },
    "benchmark": {
        "building",
        "callbacks",
        "data",
        "device",
        "devices",
        "errors",
        "files",
        "placement",
        "pretext",
        "recipe",
        "run",
        "train",
    },
    "reproduce": {
        "data",
        "devices",
        "errors",
        "evaluate",
        "probes",
        "recipe",
        "run",
        "run_images",
        "train",
    },
    "callbacks": {"attention", "errors", "files", "hosts", "text", "data", "probes", "taps"},
    "hosts": {"devices", "errors", "files"},
    "initial_weights": {"taps"},
    "optimizers": {"recipe"},
    "devices": {"errors"},
}

NO_PYDANTIC = {"device", "files", "images", "text", "registered", *LOWEST}


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_run_one_way(room):
    files = (
        [PACKAGE / f"{room}.py"]
        if (PACKAGE / f"{room}.py").exists()
        else list((PACKAGE / room).glob("*.py"))
    )
    assert files
    rooms = {path.stem if path.suffix else path.name for path in PACKAGE.iterdir()} | {
        "__version__"
    }
    for path in files:
        allowed = ALLOWED[room] | {room} | (LOWEST if room not in NO_PYDANTIC else set())
        foreign = (imports_of(path) & rooms) - allowed
        assert not foreign, f"{path.relative_to(PACKAGE)} imports {foreign}"


@pytest.mark.parametrize(
    "room", ["audit", "backbones", "taps", "probes", "optimizers", "callbacks"]
)
def test_models_and_callbacks_need_keras_alone(room):
    files = (
        [PACKAGE / f"{room}.py"]
        if (PACKAGE / f"{room}.py").exists()
        else list((PACKAGE / room).glob("*.py"))
    )
    for path in files:
        assert "tensorflow" not in imports_of(path), path


def loaded_after(code):
    script = (
        f"import sys\n{code}\nprint(sorted(m for m in ('tensorflow', 'keras', 'sklearn',"
        " 'matplotlib') if m in sys.modules))"
    )
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]


def test_importing_rotkeras_imports_neither_tensorflow_nor_keras():
    assert (
        loaded_after(
            "import rotkeras; rotkeras.data.load; rotkeras.recipe.load; rotkeras.UserError"
        )
        == "[]"
    )


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_no_help_imports_tensorflow(command):
    code = f"""
from click.testing import CliRunner
from rotkeras.cli import main
result = CliRunner().invoke(main, {[*command.split(), "--help"]})
assert result.exit_code == 0 and "Usage:" in result.output, result.output"""
    assert loaded_after(code) == "[]"


def test_every_public_name_can_be_imported():
    for name in rotkeras.__all__:
        getattr(rotkeras, name)
    import importlib

    for room in (
        "attention",
        "audit",
        "benchmark",
        "data",
        "device",
        "export",
        "page",
        "report",
        "pretext",
        "backbones",
        "probes",
        "callbacks",
        "recipe",
        "embedding",
        "evaluate",
    ):
        module = importlib.import_module(f"rotkeras.{room}")
        for name in module.__all__:
            assert getattr(module, name).__doc__ or name in (
                "augmentation",
                "METHODS",
            ), f"{room}.{name}"
    with pytest.raises(AttributeError, match="nothing_here"):
        rotkeras.nothing_here  # noqa: B018


@pytest.mark.parametrize("level", [None, "0", "3", "", "text"])
def test_log_lines_of_tensorflow_stay_out_of_the_terminal(level):
    code = (
        "from rotkeras import devices; devices.quiet(); import tensorflow as tf;"
        " tf.constant(1) + 1; print('done')"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert (result.stdout, result.stderr) == ("done\n", "")


def test_log_lines_of_tensorflow_are_shown_if_asked_for():
    code = "from rotkeras import devices; devices.quiet(); import tensorflow"
    environment = {**os.environ, "ROTKERAS_TENSORFLOW_LOG": "1", "TF_CPP_MIN_LOG_LEVEL": "0"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert "oneDNN" in result.stderr


@pytest.mark.parametrize(
    ("given", "known", "expected"),
    [
        ("", True, "--xla_cpu_experimental_ynn_fusion_type="),
        ("--xla_dump_to=x", True, "--xla_dump_to=x --xla_cpu_experimental_ynn_fusion_type="),
        ("--xla_cpu_experimental_ynn_fusion_type=A", True, None),
        ("--xla_dump_to=x", False, None),
    ],
)
def test_flags_of_xla_are_kept_and_only_known_ones_added(given, known, expected, monkeypatch):
    from rotkeras import devices

    monkeypatch.setenv("XLA_FLAGS", given)
    monkeypatch.setattr(devices, "_xla_knows", lambda flag: known)
    devices.avoid_wrong_fusions()
    assert os.environ["XLA_FLAGS"] == (given if expected is None else expected)


def test_a_flag_is_looked_up_in_the_library_of_jax():
    from rotkeras import devices

    assert devices._xla_knows("xla_gpu_deterministic_ops")
    assert not devices._xla_knows("xla_no_such_flag")
