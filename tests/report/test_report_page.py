import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from rotkeras import UserError
from rotkeras.evaluate.intervals import share_margin
from rotkeras.recipe import dump
from rotkeras.report import write_report


class Reader(HTMLParser):
    """Elements of a page with their attributes, and its text; fails on tags that are closed in
    another order."""

    VOID = ("meta", "link", "img", "br", "hr", "input")

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def sections(reader):
    return [each["id"].partition("-")[2] for each in reader.of("h2") if "id" in each]


def test_the_page_has_every_part(page, evaluated_run):
    reader = Reader(page.read_text())
    assert sections(reader) == [
        "training",
        "unlabelled",
        "features",
        "attention",
        "filters",
        "neighbours",
        "map",
        "encoders",
        "recipe",
    ]
    summary = json.loads(evaluated_run.summary.read_text())
    assert (
        f"the rotation accuracy is {100 * summary['metrics']['val_accuracy']:.1f} % on validation"
        " images" in reader.text
    )
    for word in (
        "digits",
        "320",
        "encoder.keras",
        "tensorflow",
        "seed",
        "rotkeras train",
        "t-SNE",
        "orientation spread",
    ):
        assert word in reader.text, word


def test_numbers_are_those_of_the_evaluation(page, evaluated_run):
    content = json.loads((evaluated_run.path / "evaluation.json").read_text())
    text = Reader(page.read_text()).text
    for row in content["rows"]:
        if row["labels_per_class"] == "all":
            assert f"{100 * row['test']['accuracy']:.1f}" in text
    frozen = {
        row["tap"]: row
        for row in content["rows"]
        if row["mode"] == "frozen" and row["labels_per_class"] == "all"
    }
    sentence = re.search(r"A ridge probe on tap (\w+) has an accuracy of ([\d.]+) %", text)
    tap, accuracy = sentence.groups()
    assert accuracy == f"{100 * frozen[tap]['test']['accuracy']:.1f}"
    best = max(row["validation"]["accuracy"] for row in frozen.values())
    apart = best - frozen[tap]["validation"]["accuracy"]
    assert apart <= share_margin(best, content["images"]["validation"])
    assert tap == "conv2" or apart == 0


def test_a_choice_that_validation_does_not_decide_is_called_arbitrary(run, tmp_path):
    sentence = "The choice of tap conv2 is arbitrary: on 18 validation images"
    (run.path / "evaluation.json").rename(tmp_path / "evaluation.json")
    summary = run.load_summary()
    record = {"images": 18, "rivals": ["conv1", "conv2"], "arbitrary": True, "by": "default"}
    summary["encoder"]["best"] |= {"tap": "conv2", **record}
    run.write_summary(summary)
    page = write_report([run.path], tmp_path / "page.html", pictures=False)
    text = " ".join(Reader(page.read_text()).text.split())
    assert text.count(sentence) == 1
    assert "Use more validation images to decide." in text
    content = json.loads((tmp_path / "evaluation.json").read_text())
    for row in content["rows"]:
        row["validation"]["accuracy"] = 0.5 + 0.01 * (row["tap"] == "conv3")
    content["images"]["validation"] = 18
    (run.path / "evaluation.json").write_text(json.dumps(content))
    page = write_report([run.path], tmp_path / "again.html", pictures=False)
    assert " ".join(Reader(page.read_text()).text.split()).count(sentence) == 2


def test_it_needs_nothing_else(page):
    html = page.read_text()
    reader = Reader(html)
    for _, attributes in reader.elements:
        for name in ("src", "href", "xlink:href", "action", "poster", "data"):
            assert attributes.get(name) is None or attributes[name].startswith(("#", "data:")), (
                attributes
            )
    assert not re.search(r"@import|url\((?!#)", html)
    assert not reader.of("iframe")
    assert len(html) < 4e6


def test_everything_seen_has_words(page):
    reader = Reader(page.read_text())
    assert all(len(image["alt"]) > 20 for image in reader.of("img"))
    plots = [each for each in reader.of("div") if each.get("class") == "plot"]
    assert len(plots) >= 4
    assert all(each["role"] == "application" and len(each["aria-label"]) > 40 for each in plots)
    assert all(each["aria-label"] for each in reader.of("table"))
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = [each["href"][1:] for each in reader.of("a")]
    assert set(targets) <= set(ids)


def test_two_runs_side_by_side(run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run.path, other)
    (other / "evaluation.json").unlink()
    html = write_report([run.path, other], tmp_path / "both.html", pictures=False).read_text()
    reader = Reader(html)
    assert "2 runs side by side" in reader.text
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {
        "run1",
        "run2",
        "all-monitor-figure_1",
        "run1-monitor-figure_1",
        "run2-monitor-figure_1",
    } <= set(ids)
    assert not reader.of("img")


def test_runs_of_one_name_are_told_apart(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "again" / "small")
    html = write_report(
        [run.path, tmp_path / "again" / "small"], tmp_path / "both.html", pictures=False
    ).read_text()
    assert "again/small" in Reader(html).text
    with pytest.raises(UserError, match="The same run was given twice"):
        write_report([run.path, run.path], tmp_path / "both.html")


def test_a_run_that_has_not_ended_shows_what_is_there(run, tmp_path):
    for name in ("summary.json", "model.keras", "evaluation.json"):
        (run.path / name).unlink()
    run.metrics.write_text(run.metrics.read_text().splitlines()[0] + "\n")
    text = Reader(write_report([run.path], tmp_path / "page.html").read_text()).text
    assert "This run has not ended" in text
    assert "After 1 epoch the rotation accuracy is" in text
    assert "No pictures of the network:" in text
    run.metrics.unlink()
    assert "No epoch has ended yet." in write_report([run.path], tmp_path / "page.html").read_text()


def test_images_that_have_gone_are_noted(run, tmp_path):
    recipe = run.load_recipe()
    data = recipe.data.model_copy(update={"embedded": None, "folder": "nowhere"})
    run.recipe.write_text(dump(recipe.model_copy(update={"data": data}), ""))
    text = Reader(write_report([run.path], tmp_path / "page.html").read_text()).text
    assert "No pictures of images: The image folder 'nowhere' does not exist" in text
    assert "Filters of the first layer" in text


def test_a_broken_evaluation_is_noted_and_a_broken_summary_refused(run, tmp_path):
    (run.path / "evaluation-x.json").write_text('{"rows": [{}]}')
    assert (
        "evaluation-x.json could not be read"
        in write_report([run.path], tmp_path / "page.html", pictures=False).read_text()
    )
    run.summary.write_text("{")
    with pytest.raises(UserError, match="has a broken summary.json"):
        write_report([run.path], tmp_path / "other.html", pictures=False)
    assert not (tmp_path / "other.html").exists()


def test_names_of_a_user_cannot_break_the_page(run, tmp_path):
    odd = tmp_path / 'a "quoted" <b>run</b>'
    shutil.move(run.path, odd)
    reader = Reader(write_report([odd], tmp_path / "page.html", pictures=False).read_text())
    assert 'a "quoted" <b>run</b>' in reader.text
    assert not reader.of("b")


def test_no_run(tmp_path):
    with pytest.raises(
        UserError,
        match=r"does not exist\. Give a folder that `rotkeras train` wrote, such as runs/quickstart\.",
    ):
        write_report([tmp_path / "none"], tmp_path / "page.html")
    with pytest.raises(UserError, match="runs must not be empty, got"):
        write_report([], tmp_path / "page.html")
