"""Docstrings of tasks, losses and layers say something."""

import ast
from pathlib import Path

import pytest

from rotkeras import pretext

FILES = sorted(Path(pretext.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_docstrings_have_a_subject(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            words = ast.get_docstring(node) or ""
            # A shape alone says what is returned.
            assert not words or "(" in words or len(words.split()) > 2, f"{node.name}: {words}"
            assert not words.startswith(("That of the", "Those of the task.")), node.name
