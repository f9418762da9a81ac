"""Names of files that no encoding or table can hold as they are."""

import csv
import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from rotkeras.data import load
from rotkeras.files import as_text, from_text, write_json

BYTES = os.fsdecode(b"\xfcbad.jpg")
NAMES = [
    "plain.jpg",
    "Фото 📷 日本.png",
    "👩‍💻.png",
    "full　width.png",
    BYTES,
    os.fsdecode(b"a\xff\xfe/b\x80.png"),
    "line\nbreak.png",
    "tab\tand\rreturn.png",
    "\x1b[31mred\x1b[0m.png",
    "back\\slash.png",
    "\\xfc not a byte.png",
    "\\n not a break.png",
    'quote " and , comma.png',
    "<b>html</b>&amp;.png",
    "\u202eright to left.png",
    "\x85next line.png",
    "[red]markup[/red].png",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_written_and_read_back_to_the_same_file(name, tmp_path):
    text = as_text(name)
    assert from_text(text) == name
    text.encode("utf-8")
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    write_json(tmp_path / "a.json", {"path": text})
    assert from_text(json.loads((tmp_path / "a.json").read_text("utf-8"))["path"]) == name
    table = io.StringIO()
    csv.writer(table).writerow([text])
    assert from_text(next(csv.reader(io.StringIO(table.getvalue())))[0]) == name


@pytest.mark.parametrize("name", NAMES[:4])
def test_names_in_every_script_stay_as_they_are(name):
    assert as_text(name) == name


def test_what_is_written_of_each_kind():
    assert as_text(BYTES) == "\\xfcbad.jpg"
    assert as_text("\\xfc not a byte.png") == "\\\\xfc not a byte.png"
    assert as_text("line\nbreak") == "line\\nbreak"
    assert as_text("\x1b[31m") == "\\u001b[31m"


def test_a_json_file_is_written_whatever_it_holds(tmp_path):
    write_json(tmp_path / "a.json", {"path": BYTES})
    assert "bad.jpg" in (tmp_path / "a.json").read_text("utf-8")


def test_no_two_names_are_written_alike():
    random = np.random.default_rng(0)
    letters = ["\\", "x", "f", "c", "n", "u", "0", "\n", "\udcfc", "\u001b", "\u0085", "a"]
    names = {"".join(random.choice(letters, random.integers(1, 9))) for _ in range(4000)}
    texts = {as_text(name) for name in names}
    assert len(texts) == len(names)
    assert {from_text(text) for text in texts} == names


def test_files_with_such_names_are_read_and_bad_ones_named(tmp_path):
    folder = tmp_path / os.fsdecode(b"ph\xf6tos")
    folder.mkdir()
    good = [name for name in NAMES if "/" not in name and name != BYTES]
    for number, name in enumerate(good):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / name, "PNG")
    (folder / BYTES).write_bytes(b"no image")
    source = load(folder, image_size=8, validation_fraction=0)
    assert sorted(source.train.names) == sorted(good)
    assert source.name == "ph\\xf6tos"
    (bad,) = source.skipped
    assert from_text(bad.path) == str(folder / BYTES)
    json.dumps(vars(bad), ensure_ascii=False).encode("utf-8")
