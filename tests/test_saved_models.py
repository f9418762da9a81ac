import hashlib
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from rotkeras import recipe, taps

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[1] / "saved_models").glob("*/encoder.keras"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_encoder_is_the_one_the_card_speaks_of_and_embeds(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert re.search(r"SHA-256 .*`([0-9a-f]{64})`", card)[1] == hashlib.sha256((folder / "encoder.keras").read_bytes()).hexdigest()
    summary = json.loads((folder / "summary.json").read_text())
    assert f"{100 * summary['encoder']['best']['value']:.1f} %" in card
    made = recipe.load(str(folder / "recipe.yaml"))
    assert made.name == summary["name"] == folder.name
    encoder = keras.models.load_model(folder / "encoder.keras")
    images = np.random.default_rng(0).integers(0, 256, (4, *encoder.input_shape[1:]), dtype=np.uint8)
    vectors = encoder.predict(images, verbose=0)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert len({vector.tobytes() for vector in vectors}) == 4
    assert summary["encoder"]["best"]["tap"] in taps.names(encoder)


def test_there_is_one():
    assert FOLDERS
