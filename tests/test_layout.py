import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rotkeras
from rotkeras.cli import COMMANDS

PACKAGE = Path(rotkeras.__file__).parent


def modules():
    """{"rotkeras.data.load": path} of every file of the package."""
    root = PACKAGE.parent
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


MODULES = modules()


def imports_of(path, typing=True):
    """The modules and packages that a file imports, wherever in the file; without `typing` only
    those that it imports when it runs."""
    found = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not typing:
            node.body = []  # before the walk comes to it
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = node.module
            if node.level:
                # The peers run in a Python that knows nothing of rotkeras.
                assert node.level == 1, f"{path}: a relative import"
                assert "peers" in path.parts, f"{path}: a relative import"
                folder = path.parent.relative_to(PACKAGE.parent)
                module = ".".join([*folder.parts, module])
            for each in node.names:
                name = f"{module}.{each.name}"
                found.add(name if name in MODULES else module)
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    return found


def room_of(module):
    return module.split(".")[1] if "." in module else module


SMALL = {"arguments", "errors", "files", "text"}
"""What every room but `device` may import."""

# From the lowest room to the highest: a room may import those named here, and these stand above it.
ALLOWED = {
    "errors": set(),
    "text": set(),
    "files": {"errors"},
    "new_process": {"errors", "files"},
    "arguments": {"errors"},
    "images": {"errors", "files"},
    "device": {"errors", "files", "images"},
    "page": SMALL,
    "quality": SMALL,
    "data": {*SMALL, "images"},
    "backbones": SMALL,
    "pretext": {*SMALL, "backbones", "data"},
    "optimization": SMALL,
    "recipe": {*SMALL, "backbones", "data", "optimization", "pretext"},
    "run": {*SMALL, "data", "images", "pretext", "recipe"},
    "embedding": {*SMALL, "data", "device", "images", "pretext"},
    "probes": {*SMALL, "backbones", "data"},
    "audit": {*SMALL, "data", "images", "page", "pretext"},
    "attention": {*SMALL, "backbones", "data", "embedding", "images", "pretext", "run"},
    "orient": {*SMALL, "data", "device", "images", "pretext", "run"},
    "export": {
        *SMALL,
        *("backbones", "data", "device", "images", "pretext", "probes", "recipe", "run"),
    },
    "training": {
        *SMALL,
        *(
            "attention",
            "backbones",
            "data",
            "export",
            "images",
            "optimization",
            "pretext",
            "probes",
            "quality",
            "recipe",
            "run",
        ),
    },
    "evaluate": {
        *SMALL,
        *("backbones", "data", "images", "pretext", "probes", "recipe", "run", "training"),
    },
    "benchmark": {
        *SMALL,
        *("data", "device", "images", "new_process", "pretext", "recipe", "run", "training"),
    },
    "report": {
        *SMALL,
        *("attention", "backbones", "data", "embedding", "evaluate", "page", "pretext", "probes"),
        *("quality", "recipe", "run"),
    },
    "compare": {
        *SMALL,
        *("backbones", "data", "embedding", "evaluate", "new_process", "page", "pretext"),
        *("quality", "recipe", "report", "run", "training"),
    },
    "transfer": {
        *SMALL,
        *("backbones", "data", "device", "embedding", "evaluate", "export", "images"),
        *("optimization", "page", "pretext", "probes", "recipe", "report", "run", "training"),
    },
    "reproduce": {*SMALL, "data", "evaluate", "probes", "recipe", "run", "training", "transfer"},
}


def test_every_room_is_listed_and_no_module_lies_loose():
    rooms = {
        path.stem if path.suffix else path.name
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {"__init__", "__main__", "cli"} == set(ALLOWED)
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose == {"__init__", "__main__", "errors", "files", "new_process", "text"}


def test_rooms_stand_on_those_below():
    above = {"rotkeras"}
    for room, allowed in ALLOWED.items():
        assert not {each for each in allowed if each not in above}, room
        above.add(room)


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_run_one_way(room):
    mine = {name: path for name, path in MODULES.items() if room_of(name) == room}
    assert mine
    for name, path in mine.items():
        own = {room_of(each) for each in imports_of(path) if each.startswith("rotkeras")}
        foreign = own - ALLOWED[room] - {room, "rotkeras"}  # rotkeras itself: __version__
        assert not foreign, f"{name} imports {foreign}"


def test_no_modules_import_each_other_in_a_circle():
    arrows = {
        name: imports_of(path, typing=False) & set(MODULES) - {name}
        for name, path in MODULES.items()
    }
    # A package's own file imports its modules when their names are first used.
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    done = set()
    while True:
        ready = {
            name
            for name, wanted in arrows.items()
            if name not in done and not wanted - done - packages
        }
        if not ready:
            break
        done |= ready
    assert not set(arrows) - done


@pytest.mark.parametrize(
    "room",
    [
        "audit",
        "backbones.nin",
        "backbones.taps",
        "probes",
        "training.callbacks",
        "training.optimizer",
    ],
)
def test_models_and_callbacks_need_keras_alone(room):
    files = [path for name, path in MODULES.items() if name.startswith(f"rotkeras.{room}")]
    assert files
    for path in files:
        assert "tensorflow" not in {each.split(".")[0] for each in imports_of(path)}, path


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
        "run",
        "training",
        "training.callbacks",
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


@pytest.mark.parametrize(
    "level",
    [None, "3", *(pytest.param(each, marks=pytest.mark.long) for each in ("0", "", "text"))],
)
def test_log_lines_of_tensorflow_stay_out_of_the_terminal(level):
    code = (
        "from rotkeras.training import devices; devices.quiet(); import tensorflow as tf;"
        " tf.constant(1) + 1; print('done')"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert (result.stdout, result.stderr) == ("done\n", "")


def test_log_lines_of_tensorflow_are_shown_if_asked_for():
    code = "from rotkeras.training import devices; devices.quiet(); import tensorflow"
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
    from rotkeras.training import devices

    monkeypatch.setenv("XLA_FLAGS", given)
    monkeypatch.setattr(devices, "_xla_knows", lambda flag: known)
    devices.avoid_wrong_fusions()
    assert os.environ["XLA_FLAGS"] == (given if expected is None else expected)


def test_a_flag_is_looked_up_in_the_library_of_jax():
    from rotkeras.training import devices

    assert devices._xla_knows("xla_gpu_deterministic_ops")
    assert not devices._xla_knows("xla_no_such_flag")
