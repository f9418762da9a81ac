"""The documentation site, as `.ci/run` builds it: ROTKERAS_SITE names the folder."""

import importlib
import os
import re
import zlib
from pathlib import Path

import pytest

if "ROTKERAS_SITE" not in os.environ:
    pytest.skip("ROTKERAS_SITE does not name a built site", allow_module_level=True)

SITE = Path(os.environ["ROTKERAS_SITE"])
API = Path(__file__).parents[1] / "docs" / "api"
PAGES = sorted(SITE.rglob("*.html"))


def test_every_public_name_is_in_the_api_reference():
    content = (SITE / "objects.inv").read_bytes().split(b"\n", 4)[4]
    names = {line.split(" ")[0] for line in zlib.decompress(content).decode().splitlines()}
    rooms = [path.stem for path in API.glob("rotkeras.*.md")]
    assert len(rooms) >= 17
    for room in rooms:
        module = importlib.import_module(room)
        public = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", None) == room and not name.startswith("_")
        ]
        assert {f"{room}.{name}" for name in public} <= names


def test_pages_load_nothing_from_another_address():
    assert len(PAGES) > 30
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", text):
            assert not re.search(r"(?:src|href)=\"(?:https?:)?//", tag), (page.name, tag)
    for sheet in SITE.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text), sheet.name
