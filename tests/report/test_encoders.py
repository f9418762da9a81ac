import json

import numpy as np
import pytest

from rotkeras.embedding import load_encoder
from rotkeras.report.collect import gather
from rotkeras.report.encoders import embed_once, encoder_table


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
    assert table.columns == [
        "file",
        "size",
        "tap",
        "epoch",
        "ridge probe, online, %",
        "dimensions",
        "ms per image",
    ]
    first, last = ([cell.text for cell in line] for line in table.cells)
    assert first[0] == "encoder.keras"
    assert first[2:6] == [
        best["tap"],
        str(best["epoch"]),
        f"{100 * best['value']:.1f}",
        str(encoder.dimensions),
    ]
    assert float(first[6]) > 0
    assert last[0] == "encoder-last.keras"
    assert last[5:] == ["", ""]  # it was not loaded
    assert [cell.text for cell in encoder_table(gathered).cells[0]][5:] == ["", ""]


def test_without_a_score_there_is_no_column_for_it(evaluated_run):
    gathered = gather(evaluated_run.path, "run1")
    for entry in gathered.summary["encoder"].values():
        entry.update(measure="epoch", value=0.0)
    assert encoder_table(gathered).columns == [
        "file",
        "size",
        "tap",
        "epoch",
        "dimensions",
        "ms per image",
    ]


def test_exported_files_are_listed_with_their_proof(trained, exported, tmp_path):
    import json
    import shutil

    from rotkeras.report.encoders import export_table

    run = shutil.copytree(
        trained[1].path, tmp_path / "run", ignore=shutil.ignore_patterns("tensorboard", "attention")
    )
    assert export_table(gather(run, "run1")) is None
    (run / "export").mkdir()
    shutil.copy(exported / "verify.json", run / "export")
    table = export_table(gather(run, "run1"))
    proof = json.loads((exported / "verify.json").read_text())["files"]
    assert table.columns == [
        "file",
        "size",
        "ms",
        "cosine",
        "ridge, %",
        "knn-20, %",
        "prediction, %",
    ]
    rows = {row[0].text: row for row in table.cells}
    assert set(rows) == {*proof, "saved_model"}
    drop = proof["encoder-int8.tflite"]["drops"]["ridge"]
    assert rows["encoder-int8.tflite"][4].text.startswith(f"{100 * drop['file']:.1f} (")
    assert rows["orient.tflite"][4].text == ""
    (run / "export" / "verify.json").write_text('{"files": ')
    broken = gather(run, "run1")
    assert export_table(broken) is None
    assert "export/verify.json could not be read" in broken.notes[-1]


def test_what_auto_compared_is_listed_with_its_reason(exported, tmp_path):
    from types import SimpleNamespace

    from rotkeras.report.encoders import export_table

    proof = json.loads((exported / "verify.json").read_text())
    kept = proof["files"]["encoder-int8.tflite"]
    records = [{**kept, "profile": name} for name in ("int8", "mixed")]
    if "mixed" in {each["profile"] for each in proof["files"].values()}:
        del proof["files"]["encoder-mixed.tflite"]
    why = "0.5 of the size of float32"
    proof["candidates"] = {"records": records, "recommended": "int8", "aim": "size", "why": why}
    (tmp_path / "verify.json").write_text(json.dumps(proof))
    table = export_table(SimpleNamespace(run=SimpleNamespace(export=tmp_path), notes=[]))
    names = [line[0].text for line in table.cells]
    assert "encoder-int8.tflite" in names
    assert names.count("mixed (not kept)") == 1
    assert "int8 (not kept)" not in names
    assert table.caption.endswith(
        "Of 2 files that were made and compared, int8 is recommended for size: 0.5 of the size of"
        " float32."
    )
