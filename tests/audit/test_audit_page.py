import re
from html.parser import HTMLParser

import numpy as np
import pytest
from damaged import rotated
from PIL import Image

from rotkeras import audit
from rotkeras.audit import network
from rotkeras.audit.charts import shortcut_figure
from rotkeras.audit.page import folder_table, page
from rotkeras.audit.sheets import sheet
from rotkeras.errors import UserError


@pytest.fixture(scope="module")
def report():
    """Of six hundred pictures with every fault, with a judgement made by hand."""
    from rotkeras.data import load

    def predict_unseen(images, seed, progress):
        found = np.full((len(images), 4, 4), 0.25, np.float32)
        found[:500] = 0.8 * np.eye(4) + 0.05
        found[:20] = 0.96 * np.roll(np.eye(4), 1, axis=1) + 0.01
        return found

    before, network.predict_unseen = network.predict_unseen, predict_unseen
    images = (
        load("digits", image_size=24, validation_fraction=0).train.draw(600).take(slice(None)) // 2
        + 60
    )
    images[:100] = rotated(np.roll(images[:100], 3, axis=1), 20)
    images[100:130] = images[130:160]
    images[:, -1] = 255
    try:
        return audit.audit((images, np.repeat([0, 1, 2], 200)))
    finally:
        network.predict_unseen = before


class Reader(HTMLParser):
    """What a browser would fetch, and the text that it would show."""

    def __init__(self, html):
        super().__init__()
        self.fetched, self.text, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.fetched += [
            value
            for name, value in attributes
            if name in ("src", "href") and not value.startswith(("#", "data:"))
        ]
        self.open.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def test_the_page_needs_nothing_else(report, tmp_path):
    path = audit.write(report, tmp_path / "audit.html")
    html = path.read_text()
    reader = Reader(html)
    assert reader.fetched == []
    assert "url(http" not in html
    assert html.startswith("<!doctype html>")
    assert len(html) < 2_000_000


def test_the_page_says_what_was_found(report):
    text = " ".join(" ".join(Reader(page(report)).text).split())
    assert not report.fit
    assert f"{len(report.findings)} finding" in text
    for finding in report.findings:
        assert finding.name in text
        assert finding.what.replace("  ", " ") in text
        assert finding.fix in text
    for note in report.notes:
        assert note in text
    for heading in (
        "Folders",
        "Shortcuts",
        "Confusion",
        "Most ambiguous",
        "Most likely rotated",
        "Copies",
    ):
        assert heading in text
    assert "Not read" not in text


def test_a_report_of_too_few_images_says_so(crops):
    html = page(audit.audit(crops[:9]))
    assert "<strong>Too few images to decide.</strong>" in html
    assert "<strong>Fit.</strong>" not in html
    assert "Shortcuts</h2>" not in html
    assert "Only 9 images could be evaluated" in html


def test_names_are_escaped(tmp_path, crops):
    for number in range(3):
        folder = tmp_path / f"<b>{number}"
        folder.mkdir()
        Image.fromarray(crops[0]).save(folder / "a&b.png")
    html = page(audit.audit(tmp_path))
    assert "<b>0" not in html
    assert "&lt;b&gt;0" in html
    assert "a&amp;b.png" in html


def test_the_folder_table_sorts_by_number(report):
    table = folder_table(report.folders)
    assert [row[0].text for row in table.cells] == ["(all)", "0", "1", "2"]
    assert all(table.numeric[1:])
    whole = table.cells[0]
    assert whole[1].value == 600
    assert whole[2].text == f"{100 * report.whole.accuracy:.1f} % ± {100 * report.whole.margin:.1f}"
    assert whole[2].shade == report.whole.accuracy


def test_every_bar_tells_its_value(report):
    figure = shortcut_figure(report.shortcuts, report.whole.accuracy)
    values = re.findall(r'data-value="([^"]+)"', figure.svg)
    assert len(values) == 8  # five predictors, three of them with a control
    border = report.shortcuts[0]
    assert f"border: {100 * border.accuracy:.1f} % ± {100 * border.margin:.1f}" in values
    assert "border" in figure.description.split("limits:")[1]
    assert len(figure.table.rows) == 5


def test_a_sheet_shows_its_images_in_place(crops):
    picture = sheet([crops[:8], np.rot90(crops[:8], 1, (1, 2))], "eight crops", "words")
    side, step = 80, 88  # doubled, and a gap
    assert (picture.width, picture.height) == (6 * step - 8, 4 * step - 8)
    assert picture.pixelated
    assert (picture.alternative, picture.caption) == ("eight crops", "words")
    assert side == 2 * crops.shape[1]
    single = sheet([crops[:1]], "one", "")
    assert (single.width, single.height) == (80, 80)


def test_a_page_that_is_there_is_kept(report, tmp_path):
    (tmp_path / "a.html").write_text("precious")
    with pytest.raises(UserError, match="--overwrite"):
        audit.write(report, tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text() == "precious"
    audit.write(report, tmp_path / "a.html", overwrite=True)
    with pytest.raises(UserError, match=r"must end in \.html, got \.pdf\."):
        audit.write(report, tmp_path / "a.pdf")
