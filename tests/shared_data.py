"""Real labelled photographs that lie beside the project, where they are."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("ROTKERAS_SHARED", Path(__file__).parents[2] / "shared"))


def shared(*parts):
    """The path of shared data; skips the test where it is missing."""
    path = SHARED.joinpath("data", *parts)
    if not path.exists():
        pytest.skip(f"the data in {path} is not there")
    return path
