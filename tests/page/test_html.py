import os

import pytest

from rotkeras import UserError
from rotkeras.page import check_page, render, write_page


def test_what_is_shown_is_escaped():
    html = render("rotkeras.page", "base.html.j2", "<script>alert(1)</script>")
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>" in html
    assert html.count("<script>") == 1  # the page's own


def test_the_style_and_the_script_are_inside():
    html = render("rotkeras.page", "base.html.j2", "x")
    assert "prefers-color-scheme: dark" in html
    assert "ArrowRight" in html
    assert "src=" not in html
    assert "@import" not in html
    assert "http" not in html.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("page.pdf", r"must end in \.html, got \.pdf\."),
        ("page", r"must end in \.html, got no ending\."),
        ("folder.html", "is a folder"),
        ("there.html", r"already exists\. Add --overwrite, or give another name\."),
    ],
)
def test_pages_that_may_not_be_written(tmp_path, name, message):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "there.html").write_text("old")
    with pytest.raises(UserError, match=message):
        check_page(tmp_path / name)
    assert check_page(tmp_path / "there.html", overwrite=True) == tmp_path / "there.html"


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="could not be written"):
        write_page(tmp_path / "file" / "page.html", "new")
    page = tmp_path / "page.html"
    write_page(page, "new")
    assert page.read_text() == "new"
    assert os.listdir(tmp_path) == ["file", "page.html"] or sorted(os.listdir(tmp_path)) == [
        "file",
        "page.html",
    ]
