import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language, text):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_script_runs_as_written(tmp_path):
    script = next(block for block in blocks("python", README) if "model.fit" in block)
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.jsonl", "encoder.keras"}


def test_both_commands_are_one_line_and_name_what_exists():
    commands = [block.strip() for block in blocks("bash", README)][:2]
    assert all(
        "\n" not in command and command.startswith("python3 -m venv") for command in commands
    )
    assert commands[0].endswith("rotkeras train quickstart")
    assert commands[1].endswith("pytest")


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/guides/write_recipes.md",
        "docs/guides/read_run_folders.md",
        "docs/guides/use_python.md",
        "docs/guides/embed_images.md",
        "docs/guides/evaluate_features.md",
        "docs/guides/reproduce_the_paper.md",
        "docs/guides/draw_attention_maps.md",
        "docs/guides/export_encoders.md",
        "docs/guides/run_on_devices.md",
        "docs/guides/turn_photographs_upright.md",
        "docs/guides/check_images.md",
        "docs/guides/read_reports.md",
        "CONTRIBUTING.md",
    ],
)
def test_every_link_leads_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / document).parent.joinpath(target).exists(), target


def test_nothing_was_left_to_fill_in():
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("recipes/*.yaml"),
        *ROOT.glob("saved_models/*/*.md"),
    ):
        assert "@@" not in path.read_text(encoding="utf-8"), path


def test_every_key_of_a_recipe_is_documented():
    from rotkeras.recipe import models

    pages = [ROOT / "docs" / "guides" / "write_recipes.md", *sorted(ROOT.glob("docs/tasks/*.md"))]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    for section in (
        *models.TASKS.values(),
        models.Data,
        *models.OPTIMIZERS.values(),
        *models.SCHEDULES.values(),
        models.Train,
        models.Probe,
        models.Encoder,
        models.Attention,
        models.Export,
        models.Report,
    ):
        for name in section.model_fields:
            assert name in text, f"{section.__name__}.{name}"


def test_documented_commands_parse():
    from rotkeras import recipe

    text = README + (ROOT / "docs" / "guides" / "write_recipes.md").read_text(encoding="utf-8")
    lines = [
        line.split("#")[0].strip()
        for block in blocks("bash", text)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    trained = [shlex.split(line)[2:] for line in lines if line.startswith("rotkeras train")]
    assert len(trained) >= 5
    for name, *rest in trained:
        if name != "mine.yaml":
            recipe.load(
                name, [value for flag, value in itertools.pairwise(rest) if flag == "--set"]
            )


def test_every_documented_command_has_the_options_it_is_shown_with():
    from rotkeras.cli import main

    seen = set()
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")):
        for block in blocks("bash", document.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(re.split(r"\|", line)[0], comments=True)
                if words[:1] == ["rotkeras"] and len(words) > 1 and ">" not in words:
                    main.get_command(None, words[1]).make_context(words[1], words[2:])
                    seen.add(words[1])
    assert {
        "train",
        "evaluate",
        "reproduce",
        "worth-it",
        "embed",
        "neighbours",
        "attend",
        "audit",
        "report",
        "export",
        "benchmark",
        "orient",
    } <= seen
