import math
import random

import pytest
import yaml

from rotkeras import UserError
from rotkeras.recipe.read import parse, read_mapping, write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E3", 1000.0), ("-2.5e+2", -250.0), (".5", 0.5), ("1.", 1.0), ("12", 12), ("-3", -3), ("+4", 4),
        ("010", 10), ("true", True), ("False", False), ("no", "no"), ("on", "on"), ("yes", "yes"), ("null", None), ("~", None),
        ("1:30", "1:30"), ("2026-01-02", "2026-01-02"), (".inf", math.inf), ("'5'", "5"), ("0x10", "0x10"),
        ("[0, 90]", [0, 90]), ("{a: 1}", {"a": 1}), ("photos/2024", "photos/2024"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text, value):
    read = parse(f"key: {text}", "test")["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, "mine.yaml:3: a is given twice; keep one."),
        ("a:\n  b: 1\n  b: 1", 3, "mine.yaml:3: a.b is given twice; keep one."),
        ("a: [1", 1, "not valid YAML (expected"),
        ("a: 1\n\tb: 2", 2, "cannot start any token"),
        ("1: a", 1, "mine.yaml:1: 1: a key must be a word, got int."),
        ("a: !!python/object/apply:os.getcwd []", 1, "constructor"),
        ("a: &x [*x]", 1, "mine.yaml:1: a.0 must not contain itself."),
        ("a: *missing", 1, "undefined alias"),
    ],
)
def test_what_is_no_recipe_is_named_with_its_line(text, line, words):
    with pytest.raises(UserError) as error:
        parse(text, "mine.yaml")
    message = str(error.value)
    assert message.startswith(f"mine.yaml:{line}: ")
    assert words in message
    assert "\n" not in message


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "list.yaml").write_text("- a\n- b\n")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    with pytest.raises(UserError, match="it is not text"):
        read_mapping(tmp_path / "binary.yaml")
    with pytest.raises(
        UserError, match="must have sections such as 'data:' and 'train:', got a list;"
    ):
        read_mapping(tmp_path / "list.yaml")
    with pytest.raises(UserError, match="no such file"):
        read_mapping(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="holds no recipe"):
        read_mapping(tmp_path / "empty.yaml")


def test_what_is_written_is_read_back_here_and_by_other_readers():
    content = {
        "a": 1e-4,
        "b": [1, 2.0],
        "c": "no",
        "d": "1e-4",
        "e": None,
        "f": True,
        "g": {"h": "x: y"},
        "i": "5",
        "j": [{"k": 1}],
    }
    assert parse(write(content), "test") == content
    theirs = yaml.safe_load(write(content))
    assert {key: theirs[key] for key in "cdefgi"} == {key: content[key] for key in "cdefgi"}


def test_text_of_any_characters_is_written_and_read_back():
    draw = random.Random(0)
    marks = [*" \n\t'\"#:-?[]{}&*!|>%@`~,\\=", "\r", "\x85", "\u2028", "\ufeff", "\x07", "\x7f"]
    letters = [*marks * 3, *"aZ0Фé日📷", "null", "true", "1e5", "<<", "---", "...", "\u200d"]
    for _ in range(2000):
        text = "".join(draw.choices(letters, k=draw.randint(1, 5)))
        assert parse(write({"folder": text}), "test") == {"folder": text}


def test_the_content_of_a_file_that_is_no_recipe_is_not_repeated(tmp_path):
    with pytest.raises(UserError) as error:
        parse("secret:$6$hash with blanks:\n", "shadow")
    assert "hash" not in str(error.value)
    with pytest.raises(UserError, match="nested too deeply"):
        parse("[" * 5000, "deep")
