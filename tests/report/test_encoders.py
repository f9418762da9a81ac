import json

import numpy as np
import pytest

from rotkeras.embedding import load_encoder
from rotkeras.report.encoders import embed_once, encoder_table
from rotkeras.report.gathering import gather


@pytest.fixture
def encoder(evaluated_run):
    return load_encoder(evaluated_run.path)


def test_what_was_embedded_once_is_remembered(encoder, digit_source):
    images = digit_source.test.take(np.arange(70))  # more than a batch
    embedded = embed_once(encoder, images)
    np.testing.assert_array_equal(embedded.features, encoder.embed(images))
    shuffled = images[::-1]
    np.testing.assert_array_equal(embedded.encoder.embed(shuffled), embedded.features[::-1])
    assert 0 < embedded.milliseconds < 1e4


def test_the_table_names_what_leaves_a_run(evaluated_run, encoder, digit_source):
    gathered = gather(evaluated_run.path, "run1")
    best = json.loads(evaluated_run.summary.read_text())["encoder"]["best"]
    embedded = embed_once(encoder, digit_source.test.take(np.arange(4)))
    table = encoder_table(gathered, embedded)
    assert table.columns == ["file", "size", "tap", "epoch", "ridge probe, online, %", "dimensions", "ms per image"]
    first, last = ([cell.text for cell in line] for line in table.cells)
    assert first[0] == "encoder.keras"
    assert first[2:6] == [best["tap"], str(best["epoch"]), f"{100 * best['value']:.1f}", str(encoder.dimensions)]
    assert float(first[6]) > 0
    assert last[0] == "encoder-last.keras"
    assert last[5:] == ["", ""]  # it was not loaded
    assert [cell.text for cell in encoder_table(gathered).cells[0]][5:] == ["", ""]


def test_without_a_score_there_is_no_column_for_it(evaluated_run):
    gathered = gather(evaluated_run.path, "run1")
    for entry in gathered.summary["encoder"].values():
        entry.update(measure="epoch", value=0.0)
    assert encoder_table(gathered).columns == ["file", "size", "tap", "epoch", "dimensions", "ms per image"]
