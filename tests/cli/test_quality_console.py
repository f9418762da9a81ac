import io

from rich.console import Console

from rotkeras.cli.quality_console import quality_notes, quality_table
from rotkeras.quality.measures import MEASURES


def shown(plain, tap="conv5_block3_out"):
    values = dict(zip(MEASURES, (123.456, 1.5, 110.0, -3.9876, None), strict=True))
    content = {
        "images": {"images": 5000, "part": "validation", "views": 4},
        "taps": {tap: {"untrained": values, "trained": {**values, "alignment": 0.5}}},
    }
    text = io.StringIO()
    Console(file=text, width=200, soft_wrap=True).print(quality_table(content, plain))
    return text.getvalue().splitlines()


def test_a_table_of_eighty_columns():
    for plain in (True, False):
        lines = shown(plain)
        assert max(len(line.rstrip()) for line in lines) <= 80
        row = next(line for line in lines if " untrained " in line)
        assert row.split() == [
            "conv5_block3_out", "untrained", "123.46", "1.50", "110.00", "-3.99", "–"
        ]  # fmt: skip
        assert "5,000 validation images, 4 views" in "\n".join(lines)


def test_a_small_negative_value_is_no_negative_zero():
    values = dict.fromkeys(MEASURES, -0.0004)
    content = {
        "images": {"images": 2, "part": "train", "views": 4},
        "taps": {"conv1": {"trained": values}},
    }
    text = io.StringIO()
    Console(file=text, width=200).print(quality_table(content, True))
    assert text.getvalue().split()[-5:] == ["0.00"] * 5


def test_notes_fit_too():
    assert max(map(len, quality_notes())) <= 80
    for name in MEASURES:
        assert f"{name}" in " ".join(quality_notes())
