import pytest
from click.testing import CliRunner
from small_training import SMALL

from rotkeras.cli import main
from rotkeras.recipe import dump
from rotkeras.recipe.files import validate


@pytest.fixture
def run(tmp_path):
    """The folder of a run that has just begun."""
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(dump(validate(SMALL, "small"), "tensorflow 2.21.0"))
    return folder


def report(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def test_the_page_is_in_the_run_and_is_made_anew(run):
    for _ in range(2):
        result = report(run, "--no-pictures")
        assert result.exit_code == 0, result.output
        assert f"open: {run / 'report.html'}" in result.output
    assert "TensorFlow" not in result.output
    assert "mine" in (run / "report.html").read_text()


def test_another_page_is_not_replaced_unasked(run, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("old")
    result = report(run, "--no-pictures", "-o", page)
    assert (result.exit_code, page.read_text()) == (2, "old")
    assert "already exists. Add --overwrite, or give another name." in result.output
    assert report(run, "--no-pictures", "-o", page, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["a", "b"], "needs an output file: -o PAGE.html"),
        ([], "Missing argument"),
        (["{run}", "-o", "x.txt"], "The page 'x.txt' must end in .html, got .txt."),
    ],
)
def test_mistakes_exit_with_2(run, arguments, message):
    result = report(*[each.format(run=run) for each in arguments])
    assert result.exit_code == 2
    assert message in result.output
