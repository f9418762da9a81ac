"""The shortcut test for any task, on provoked shortcuts and on honest views."""

import numpy as np
import pytest
from PIL import Image
from tile_task import TilePairs

from rotkeras import audit
from rotkeras.audit.questions import Question, task_shortcuts
from rotkeras.audit.shortcuts import ShortcutResult, shortcut_test
from rotkeras.audit.task_findings import find_of_task
from rotkeras.audit.verdicts import is_shortcut
from rotkeras.data.augmentation import color_jitter, random_grayscale
from rotkeras.errors import UserError
from rotkeras.pretext import (
    AET,
    ESSL,
    Exemplar,
    InstanceDiscrimination,
    Jigsaw,
    RelativePatch,
    Rotation,
    ShortcutViews,
    SimCLR,
)


@pytest.fixture(scope="module")
def photographs():
    """Six hundred crops of two photographs, 48 × 48, each mirrored at random."""
    from sklearn.datasets import load_sample_image

    random = np.random.default_rng(0)
    wide = [
        np.asarray(Image.fromarray(load_sample_image(name)).resize((480, 320), Image.BICUBIC))
        for name in ("china.jpg", "flower.jpg")
    ]
    found = []
    for number in range(600):
        top, left = random.integers(0, 320 - 48), random.integers(0, 480 - 48)
        crop = wide[number % 2][top : top + 48, left : left + 48]
        found.append(np.rot90(crop, random.integers(4))[:, :: random.choice((-1, 1))])
    return np.stack(found)


def aberrated(images, share=0.03):
    """Red enlarged by a share about the middle, as a lens does."""
    side, scale = images.shape[1], 1 / (1 + share)
    offset = side / 2 * (1 - scale)
    made = images.copy()
    for image in made:
        red = Image.fromarray(np.ascontiguousarray(image[..., 0]))
        place = (scale, 0, offset, 0, scale, offset)
        image[..., 0] = red.transform((side, side), Image.Transform.AFFINE, place, Image.BICUBIC)
    return made


def found_in(images, task, **options):
    questions = task_shortcuts(images, task, **options)
    return [
        {each.name: each for each in find_of_task([question], task, images.shape[1])}
        for question in questions
    ]


def test_rotation_is_told_what_the_audit_tells(photographs):
    (question,) = task_shortcuts(photographs, Rotation(), seed=3)
    told = {each.name: each for each in question.results}
    lens = told.pop("lens")
    assert [*told.values()] == shortcut_test(photographs, seed=3)
    assert lens.accuracy == pytest.approx(0.25, abs=0.06)
    assert (question.kind, question.classes, question.shape) == ("rotation", 4, (1, 48, 48))


def test_tiles_without_a_gap_meet(photographs):
    (apart,), (joined,) = (found_in(photographs, TilePairs(gap)) for gap in (5, 0))
    assert not apart
    assert list(joined) == ["edge"]
    assert "lines and colours that run on from one tile into the next" in joined["edge"].what
    assert "points more than lines 4 pixels further inside" in joined["edge"].what
    assert "position of the second tile" in joined["edge"].what
    assert joined["edge"].fix == "set task.gap to 0.25 or more, or set task.standardize to true"


def test_chromatic_aberration_is_found_and_grey_takes_it_away(photographs):
    bent = aberrated(photographs)
    (found,) = found_in(bent, TilePairs(5))
    assert "lens" in found
    assert "chromatic aberration" in found["lens"].what
    assert "chance is 12.5 %" in found["lens"].what
    assert not found_in(bent, TilePairs(5, grey=True))[0]
    step = random_grayscale(1.0)
    (question,) = task_shortcuts(bent, TilePairs(5), [step])
    assert not any(is_shortcut(each) for each in question.results)


@pytest.mark.parametrize("task", [RelativePatch, Jigsaw])
def test_shortcuts_of_tasks_of_tiles_are_gone_with_their_countermeasures(photographs, task):
    (joined,) = found_in(photographs, task(gap=0.0, standardize=False, grayscale=0.0))
    assert "edge" in joined
    (apart,) = found_in(photographs, task(gap=0.25, grayscale=0.0))
    assert not apart
    wide = aberrated(photographs)
    (coloured,) = found_in(wide, task(grayscale=0.0))
    assert "lens" in coloured
    (grey,) = found_in(wide, task(grayscale=1.0))
    assert not grey


def test_transformations_have_no_shortcut_and_copies_of_one_colour_have(photographs):
    assert not found_in(photographs, AET())[0]
    (copies,) = found_in(photographs, Exemplar(copies=2, color_strength=0.0, grayscale=0.0))
    assert "colour" in copies


def test_two_views_without_colour_jitter_are_told_by_colours(photographs):
    (without,) = found_in(photographs, SimCLR(color_strength=0.0, grayscale=0.0))
    assert "colour" in without
    assert "set task.color_strength to 0.5 or more" in without["colour"].fix
    assert not found_in(photographs, SimCLR())[0]


def test_two_views_of_one_place_are_told_by_their_border(photographs):
    (found,) = found_in(photographs, SimCLR(crop_scale=(0.95, 1.0), color_strength=0.2))
    assert len(found) == 1
    (finding,) = found.values()
    assert finding.name in ("border", "mark")
    assert "task.crop_scale" in finding.fix


def test_a_task_of_several_questions_and_one_of_one_view(photographs):
    pairs, rotations = task_shortcuts(photographs, ESSL())
    assert (pairs.kind, pairs.classes, pairs.shape) == ("pairs", 64, (2, 48, 48))
    assert (rotations.kind, rotations.classes, rotations.shape) == ("rotation", 4, (1, 24, 24))
    (instance,) = task_shortcuts(photographs[:70], InstanceDiscrimination())
    assert instance.kind == "pairs"
    assert (instance.examples[:, 0] != instance.examples[:, 1]).any(axis=(1, 2, 3)).all()


def test_views_are_those_of_training(photographs):
    """The first rows are what `views` makes with the same key."""
    from rotkeras.data.keyed import Key

    rows = np.arange(8)
    key = Key(np.int64(0), np.int64(0), rows, rows)
    x, _ = SimCLR().views(photographs[:8], key)
    (question,) = task_shortcuts(photographs[:16], SimCLR())
    np.testing.assert_array_equal(question.examples[:8].reshape(x.shape), x)


class Shifted:
    """Numbers: by how much the second view was made brighter."""

    def views(self, images, key):
        raise NotImplementedError

    def shortcut_views(self, images, key):
        added = (key.index % 40).astype(np.float64)[:, None]
        second = np.clip(images + added[:, None, None], 0, 255).astype(np.uint8)
        views = np.stack([images, second], axis=1)
        return (ShortcutViews("added light", views, parameters=added, parameter_names=("light",)),)


def test_parameters(photographs):
    (question,) = task_shortcuts(photographs // 2, Shifted())
    told = {each.name: each for each in question.results}
    assert (question.kind, question.classes) == ("parameters", 0)
    assert told["colour"].accuracy > 0.95
    assert told["colour"].chance == 0.0
    assert is_shortcut(told["colour"])
    (found,) = found_in(photographs // 2, Shifted())
    assert "% of the variance, where a blind guess explains none" in found["colour"].what


def test_chunks_make_no_difference(photographs, monkeypatch):
    monkeypatch.setattr("rotkeras.audit.questions._CHUNK_BYTES", 1)
    (one,) = task_shortcuts(photographs[:40], TilePairs(0), [color_jitter()])
    monkeypatch.undo()
    told = []
    (all_at_once,) = task_shortcuts(
        photographs[:40], TilePairs(0), [color_jitter()], progress=lambda *each: told.append(each)
    )
    assert one.results == all_at_once.results
    assert told[-1] == (40, 40)


@pytest.mark.parametrize("side", [24, 30])
def test_grey_and_flat_images_tell_nothing(side):
    flat = np.full((70, side, side, 3), 90, np.uint8)
    for task in (TilePairs(1), SimCLR(), Rotation()):
        for question in task_shortcuts(flat, task):
            assert not any(is_shortcut(each) for each in question.results)
            assert all(np.isfinite([each.accuracy, each.margin]).all() for each in question.results)


def test_a_setting_that_is_set_already_is_not_advised(photographs):
    """Beyond colours, something else must be the cause."""
    result = ShortcutResult("colour", "colours", 0.6, 0.01, asks="views", kind="pairs", chance=0.1)
    question = Question("views", "pairs", 64, (2, 8, 8), [result], np.zeros((0, 2, 8, 8, 3), "u1"))

    def fix(task):
        (finding,) = find_of_task([question], task, 64)
        return finding.fix

    assert fix(SimCLR()) == "set task.crop_scale to [0.08, 0.6]"
    assert fix(SimCLR(grayscale=0.1, crop_scale=(0.1, 0.5))) == "set task.grayscale to 0.2 or more"
    without = ESSL(base_settings={"color_strength": 0.0, "crop_scale": (0.1, 0.5)})
    assert fix(without) == "set task.base_settings.color_strength to 0.5 or more"
    assert fix(Nothing()) == "remove the gradient or tint from the files"


class Nothing:
    def views(self, images, key):
        return images, None


class Uneven(Nothing):
    def shortcut_views(self, images, key):
        return (ShortcutViews("what", images[:-1, None], np.zeros(len(images) - 1, int), ("a",)),)


def test_mistakes_are_sentences(photographs):
    with pytest.raises(UserError, match=r"The task Nothing cannot be searched for shortcuts: it"):
        task_shortcuts(photographs, Nothing())
    with pytest.raises(UserError, match=r"The task Nothing cannot be searched"):
        audit.audit(photographs, task=Nothing())
    with pytest.raises(UserError, match="the same number of rows for each of 8 images, got 7 rows"):
        task_shortcuts(photographs, Uneven())


def test_a_whole_audit_of_a_task(photographs, tmp_path):
    report = audit.audit(photographs, task=TilePairs(0), task_name="tiles")
    assert (report.task, report.up, report.fit, report.undecided) == ("tiles", None, False, False)
    assert [each.name for each in report.findings] == ["edge"]
    html = audit.write(report, tmp_path / "a.html").read_text()
    assert "Shortcuts: position of the second tile" in html
    assert "Accuracy for the position of the second tile" in html
    assert "none: the task predicts no rotations" in html
    assert report.to_json()["task"] == "tiles"
    few = audit.audit(photographs[:20], task=TilePairs(0))
    assert few.undecided
    assert "The shortcut test needs 500 and was left out." in few.notes[-1]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("task", [RelativePatch(), SimCLR()])
def test_fewer_images_than_can_be_fitted_are_refused(photographs, task, count):
    words = f"images must be at least 8, got {count}; one half is fitted on the other"
    with pytest.raises(UserError, match=words):
        task_shortcuts(photographs[:count], task)
    with pytest.raises(UserError, match=words):
        shortcut_test(photographs[:count])


def test_eight_images_are_enough(photographs):
    (question,) = task_shortcuts(photographs[:8], SimCLR())
    assert all(0 <= each.accuracy <= 1 and each.chance < 1 for each in question.results)
