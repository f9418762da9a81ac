import re
import xml.etree.ElementTree as ElementTree

import pytest

from rotkeras.page import new_axes, to_figure
from rotkeras.page.figures import SERIES


def drawn(name="one", values=None):
    figure, axes = new_axes()
    axes.plot([1, 2, 3], [5, 7, 6], color=SERIES[0], marker="o", gid="line0", label="a < b & c")
    axes.bar([1, 2], [3, 4], color=SERIES[1])[0].set_gid("bar0")
    axes.legend()
    return to_figure(
        figure,
        name,
        "A title",
        "Words.",
        values or {"line0": ["x: 5", "y: 7", "z: 6"], "bar0": ["three"]},
    )


def elements(figure):
    return list(ElementTree.fromstring(figure.svg).iter())


def test_points_tell_their_values_in_order():
    found = [each for each in elements(drawn()) if each.get("class") == "point"]
    points = [each for each in found if each.get("data-value") != "three"]
    assert [each.get("data-value") for each in points] == ["x: 5", "y: 7", "z: 6"]
    assert len(found) == 4
    places = [float(each.get("x")) for each in points]
    assert places == sorted(places)
    heights = [float(each.get("y")) for each in points]
    assert heights[1] < heights[2] < heights[0]  # y grows downwards


def test_every_id_is_the_figures_own_and_every_reference_is_met():
    for name in ("one", "other"):
        svg = drawn(name).svg
        ids = re.findall(r'\bid="([^"]+)"', svg)
        assert len(set(ids)) == len(ids)
        assert all(each.startswith(f"{name}-") for each in ids)
        references = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
        assert references
        assert set(references) <= set(ids)


def test_colours_and_letters_are_those_of_the_page():
    svg = drawn().svg
    assert "var(--series-0)" in svg
    assert "var(--series-1)" in svg
    assert "var(--ink)" in svg
    assert not re.search(r"#0[1-5]00\w\w|#010101|#020202|#030303", svg)
    assert "DejaVu" not in svg
    assert "<text" in svg  # letters, and not their outlines: they can be found and read
    assert "a &lt; b &amp; c" in svg


def test_it_is_the_same_at_every_run():
    assert drawn().svg == drawn().svg


@pytest.mark.parametrize("values", [{"line0": ["x"]}, {"nothing": ["x"]}])
def test_another_number_of_values_than_points_is_a_defect(values):
    with pytest.raises(ValueError, match="points and 1 values"):
        drawn(values=values)


@pytest.mark.parametrize(
    "name", ["a$\\alpha$", "b$_$", "_old", "line\nfeed \x01", '<b> & "q"', "日本 📷"]
)
@pytest.mark.filterwarnings("error")
def test_names_of_a_user_are_shown_as_they_are(name):
    from rotkeras.page.figures import plain

    figure, axes = new_axes()
    axes.plot([1, 2], [3, 4], gid="line0", marker="o", label=plain(name))
    axes.legend()
    svg = to_figure(figure, "x", "t", "d", {"line0": [name, name]}).svg
    texts = [
        "".join(each.itertext()).strip("\u200b")
        for each in ElementTree.fromstring(svg).iter()
        if each.tag.endswith("text")
    ]
    shown = name.replace("\n", "�").replace("\x01", "�")
    assert shown in texts
    assert [
        each.get("data-value")
        for each in ElementTree.fromstring(svg).iter()
        if each.get("data-value")
    ] == [shown.replace("_old", "\u200b_old")] * 2
