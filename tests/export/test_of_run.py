import json
import shutil

import pytest

from rotkeras.errors import UserError
from rotkeras.export import export_run
from rotkeras.export.of_run import origin_of
from rotkeras.recipe.models import Export
from rotkeras.run.folder import Run


@pytest.fixture
def run(trained, tmp_path):
    return Run(
        shutil.copytree(
            trained[1].path,
            tmp_path / "run",
            ignore=shutil.ignore_patterns("tensorboard", "checkpoints"),
        )
    )


def test_the_card_gets_what_the_run_and_its_evaluation_say(run):
    recipe = run.load_recipe()
    row = {
        "tap": "conv2",
        "mode": "frozen",
        "labels_per_class": "all",
        "probe": "linear",
        "budget": "fast",
    }
    other = {**row, "tap": "conv1"}
    scored = {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.4321}}
    content = {
        "rows": [{**row, **scored}, {**other, **scored}],
        "images": {"test": 359, "validation": 288},
    }
    (run.path / "evaluation.json").write_text(json.dumps(content))
    origin = origin_of(
        run, recipe, Export(author="Me"), "digits", "conv2", ["rotkeras", "export", "a b"]
    )
    assert any(
        (what, value) == ("linear at conv2, fast", "43.2") and "359 test images" in how
        for what, value, how in origin.numbers
    )
    (run.path / "evaluation.json").write_text(
        json.dumps({**content, "rows": [{**other, **scored}]})
    )
    assert not any(
        "evaluate" in how
        for *_, how in origin_of(run, recipe, Export(), "digits", "conv2", []).numbers
    )
    assert not any("conv1" in what for what, *_ in origin.numbers)
    assert origin.command == "rotkeras export 'a b'"
    assert (origin.name, origin.author, origin.train_images) == ("small", "Me", 320)
    assert "image_size: 16" in origin.recipe
    assert any("in 4 epochs" in sentence for sentence in origin.training)


def test_runs_without_a_network_say_so(tmp_path, run):
    with pytest.raises(UserError, match="does not exist"):
        export_run(Run(tmp_path / "nowhere"))
    run.model.unlink()
    with pytest.raises(UserError, match=r"model\.keras"):
        export_run(run)
    run.model.write_bytes(b"no model")
    with pytest.raises(UserError, match=r"Keras could not load .*model\.keras"):
        export_run(run)
