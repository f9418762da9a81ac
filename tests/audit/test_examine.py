import json

import numpy as np
import pytest
from damaged import rotated
from PIL import Image

from rotkeras import audit
from rotkeras.audit import limits, network
from rotkeras.data import load
from rotkeras.errors import UserError


@pytest.fixture(scope="module")
def digits():
    """The 1438 digits of the training set at 16 × 16, and their classes."""
    train = load("digits", image_size=16, validation_fraction=0).train
    return train.take(slice(None)), train.labels


@pytest.fixture
def quick(monkeypatch):
    """A judgement without a network, where it is not that which is tested."""

    def predict_unseen(images, seed, progress):
        progress(8, 8)
        return np.full((len(images), 4, 4), 0.25, np.float32)

    monkeypatch.setattr(network, "predict_unseen", predict_unseen)


def save(folder, images, names, **options):
    for image, name in zip(images, names, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name, **options)


def test_digits_are_fit_and_turned_ones_are_found(monkeypatch):
    monkeypatch.setattr(network, "STEPS", 40)
    train = load("digits", validation_fraction=0).train  # 8 × 8
    images, labels = train.take(slice(0, 1000)), train.labels[:1000]
    report = audit.audit((images, labels))
    whole = report.whole
    assert "no-up" not in [each.name for each in report.findings]
    assert whole.accuracy > 0.6
    assert (whole.images, whole.evaluated, report.size) == (1000, 1000, 8)
    assert [each.name for each in report.folders[1:]] == list("0123456789")
    assert sum(each.images for each in report.folders[1:]) == 1000
    mean = sum(each.accuracy * each.evaluated for each in report.folders[1:]) / 1000
    assert mean == pytest.approx(whole.accuracy)
    told = report.to_json()
    json.dumps(told)
    assert len(told["turned"]) == round(whole.turned * 1000)
    assert np.array(told["confusion"]).trace() / 4 == pytest.approx(whole.accuracy)

    random = np.random.default_rng(0)
    for row in range(len(images)):
        images[row] = np.rot90(images[row], random.integers(4))
    lost = audit.audit(images)
    assert lost.findings[0].name == "no-up"
    assert not lost.fit
    assert lost.whole.accuracy + lost.whole.margin < limits.UP_ACCURACY


def test_photographs_of_a_folder(tmp_path, crops):
    """Too few to be evaluated, and yet turned files, corners, and copies are told for each folder."""
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path, crops[:10], [f"camera/{n}.jpg" for n in range(10)], exif=exif)
    save(tmp_path, crops[10:20, :, :30], [f"scans/{n}.png" for n in range(10)])
    save(tmp_path, rotated(crops[20:40], 20), [f"tilted/{n:02d}.png" for n in range(20)])
    save(tmp_path, np.rot90(crops[20:24, :, :], 1, (1, 2)), [f"x/{n}.png" for n in range(4)])
    save(tmp_path, crops[20:25], [f"y/{n}.png" for n in range(5)])
    (tmp_path / "camera/bad.jpg").write_text("no image")
    report = audit.audit(tmp_path, image_size=40)
    by_name = {each.name: each for each in report.folders}
    assert list(by_name) == ["(all)", "camera", "scans", "tilted", "x", "y"]
    assert by_name["(all)"].images == 49
    assert [by_name[name].exif for name in ("camera", "scans")] == [1.0, 0.0]
    assert by_name["(all)"].exif == pytest.approx(10 / 49)
    assert by_name["scans"].portrait == 1.0
    assert by_name["tilted"].corners > 0.6
    assert by_name["camera"].corners == by_name["y"].corners == 0.0
    assert by_name["y"].turned_duplicates == 0.8
    assert by_name["y"].duplicates == 0.0
    assert {each.name for each in report.findings} == {"corners", "turned-duplicates"}
    assert [each.path for each in report.skipped] == ["camera/bad.jpg"]
    assert (report.shortcuts, report.up, report.whole.accuracy) == ([], None, None)
    notes = " ".join(report.notes)
    assert "10 of 49 files are rotated by their EXIF orientation" in notes
    assert "4 pairs of copies lie in two folders" in notes
    assert "Only 49 images could be evaluated" in notes
    assert {
        "first": "x/0.png",
        "second": "y/0.png",
        "degrees": 270,
        "same_pixels": True,
    } in report.to_json()["duplicates"]


def test_landscape_and_portrait_are_noted(tmp_path, crops):
    save(tmp_path, crops[:3, :30], [f"{n}.png" for n in range(3)])
    save(tmp_path, crops[3:5, :, :30], [f"{n}.png" for n in range(3, 5)])
    report = audit.audit(tmp_path)
    assert "3 images are wider than high and 2 higher than wide" in report.notes[0]
    assert (report.whole.landscape, report.whole.portrait, report.size) == (0.6, 0.4, 64)
    assert len(report.folders) == 1


def test_copies_across_parts(tmp_path, crops):
    np.savez(
        tmp_path / "a.npz",
        images=crops[:30],
        test_images=np.concatenate([crops[5:8], crops[40:45]]),
    )
    report = audit.audit(tmp_path / "a.npz")
    assert "3 images of the test set are copies of training images." in report.notes
    assert report.whole.duplicates == 0.0  # those of the training set alone
    assert report.folders[-1].name == "(test set)"
    assert report.folders[-1].duplicates == 3 / 8
    assert report.undecided
    assert not report.fit


def test_copies_within_training_are_a_finding(crops):
    report = audit.audit(np.concatenate([crops, crops[:10]]))
    assert [each.name for each in report.findings] == ["duplicates"]
    assert report.whole.duplicates == pytest.approx(10 / 90)


def test_a_visible_seam_is_found(digits, quick):
    images = load("digits", image_size=24, validation_fraction=0).train.take(slice(0, 600))
    images[:, :, 0] = 255
    report = audit.audit(images)
    assert "border" in [each.name for each in report.findings]
    assert [each.name for each in report.shortcuts] == [
        "border",
        "mark",
        "colour",
        "grid",
        "residue",
    ]


def test_files_whose_exif_tag_is_stale(tmp_path, crops, monkeypatch):
    """Many files with a tag look turned after it was applied: their pixels had been turned
    already."""
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path, crops[:12], [f"{n:02d}.png" for n in range(12)], exif=exif)
    save(tmp_path, crops[12:40], [f"{n:02d}.png" for n in range(12, 40)])

    def predict_unseen(images, seed, progress):
        found = np.full((len(images), 4, 4), 0.01, np.float32)
        for row in range(len(images)):
            for view in range(4):
                found[row, view, (view + (3 if row < 9 else 0)) % 4] = 0.97
        return found

    monkeypatch.setattr(limits, "FEWEST_IMAGES", 20)
    monkeypatch.setattr(network, "predict_unseen", predict_unseen)
    report = audit.audit(tmp_path)
    assert any(
        "9 of the 12 evaluated files with an EXIF rotation look rotated after it was applied"
        in each
        for each in report.notes
    )
    assert "turned" in [each.name for each in report.findings]
    assert report.to_json()["turned"][0] == {"name": "00.png", "degrees": 270}


def test_the_same_seed_gives_the_same_and_progress_is_told(digits, quick):
    told = []
    first = audit.audit(digits[0], images=600, progress=lambda *each: told.append(each))
    again = audit.audit(digits[0], images=600)
    assert json.dumps(first.to_json()["shortcuts"]) == json.dumps(again.to_json()["shortcuts"])
    np.testing.assert_array_equal(first.drawn, again.drawn)
    assert first.whole.evaluated == 600
    phases = list(dict.fromkeys(what for what, _done, _all in told))
    assert phases == [
        "reading images",
        "searching duplicates",
        "trying shortcuts",
        "training networks",
    ]
    for phase in phases:
        assert [each for each in told if each[0] == phase][-1][1:] in (
            (1438, 1438),
            (16, 16),
            (1, 1),
            (8, 8),
        )


def test_no_image_to_judge_is_a_mistake(crops):
    with pytest.raises(UserError, match="images must be at least 1, got 0"):
        audit.audit(crops, images=0)
