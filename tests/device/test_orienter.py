import zipfile

import numpy as np
import pytest
from bright_side import bright_side, sky
from PIL import Image

from rotkeras.device import orienter as orienter_module
from rotkeras.device.orienter import Orienter, parse_angles
from rotkeras.errors import UserError

SIZE = 12


@pytest.mark.parametrize("single_look", [True, False])
@pytest.mark.parametrize(
    "angles", [(0, 90, 180, 270), (180, 0, 270, 90), (0, 180), (270, 90), (0, 90)]
)
def test_the_angle_is_that_by_which_the_image_was_turned(angles, single_look):
    orienter = Orienter.of(bright_side(angles), SIZE, angles)
    images = np.stack([sky(SIZE, SIZE, angle) for angle in angles])
    found = orienter.orient(images, single_look=single_look)
    assert [each.angle for each in found] == list(angles)
    for each, image in zip(found, images, strict=True):
        assert (
            each.confidence
            == each.probabilities.max()
            == each.probabilities[angles.index(each.angle)]
            > 0.95
        )
        assert each.probabilities.sum() == pytest.approx(1)
        upright = np.rot90(image, -each.angle // 90)
        assert upright[:2].mean() > upright[-2:].mean() + 100


def habit(views):
    """A network that knows the bright side, but likes to say 270."""
    answers = bright_side(weight=0.02)(views) * [1, 1, 1, 8]
    return answers / answers.sum(axis=-1, keepdims=True)


def test_all_looks_together_outvote_a_habit_and_turn_exactly_with_the_image():
    orienter = Orienter.of(habit, SIZE, (0, 90, 180, 270))
    image = sky(SIZE, SIZE)
    turned = np.stack([np.rot90(image, turns) for turns in range(4)])
    assert orienter.orient(image, single_look=True)[0].angle == 270
    found = orienter.orient(turned)
    assert [each.angle for each in found] == [0, 90, 180, 270]
    for turns, each in enumerate(found):
        assert (each.probabilities == np.roll(found[0].probabilities, turns)).all()
    expected = np.exp(
        np.mean([np.log(np.roll(habit(turned[i : i + 1])[0], -i)) for i in range(4)], axis=0)
    )
    np.testing.assert_allclose(found[0].probabilities, expected / expected.sum(), rtol=1e-5)


def test_not_even_the_last_digit_depends_on_the_turn():
    orienter = Orienter.of(bright_side(weight=0.05), SIZE, (0, 90, 180, 270))
    for image in np.random.default_rng(0).integers(0, 256, (50, SIZE, SIZE, 3), dtype=np.uint8):
        first, *others = orienter.orient([np.rot90(image, turns) for turns in range(4)])
        for turns, each in enumerate(others, 1):
            assert (each.probabilities == np.roll(first.probabilities, turns)).all()


def test_an_image_without_an_up_gets_the_same_for_each_angle():
    (found,) = Orienter.of(habit, SIZE, (0, 90, 180, 270)).orient(
        np.full((SIZE, SIZE, 3), 99, np.uint8)
    )
    assert (found.probabilities == 0.25).all()


def test_a_zero_of_a_quantized_network_does_not_outvote_the_rest():
    def network(views):
        wrong = views[:, 0, 0, 0] < 10  # in one of four looks
        return np.where(wrong[:, None], np.float32([0, 0, 1, 0]), bright_side(weight=0.05)(views))

    image = sky(SIZE, SIZE)
    image[0, -1] = 0
    image[:, 0, 0] = np.maximum(image[:, 0, 0], 10)
    image[-1, -1] = image[-1, 0] = 20
    assert Orienter.of(network, SIZE, (0, 90, 180, 270)).orient(image)[0].angle == 0


def test_files_are_judged_as_a_viewer_shows_them(tmp_path):
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(sky(30, 40, 90)).save(
        tmp_path / "upright.jpg", exif=tags
    )  # stored on its side, shown upright
    Image.fromarray(sky(30, 40, 90)).save(tmp_path / "turned.png")
    orienter = Orienter.of(bright_side(), SIZE, (0, 90, 180, 270))
    assert [
        each.angle
        for each in orienter.orient([tmp_path / "upright.jpg", str(tmp_path / "turned.png")])
    ] == [0, 90]
    assert orienter.orient(tmp_path / "turned.png")[0].angle == 90
    (tmp_path / "bad.jpg").write_text("no image")
    for name in ("bad.jpg", "missing.jpg"):
        with pytest.raises(UserError, match=f"{name}.*could not be read as an image"):
            orienter.orient(tmp_path / name)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((1, SIZE, SIZE, 3)),
        np.zeros((1, SIZE, SIZE, 1), np.uint8),
    ],
)
def test_images_of_another_form_are_refused(images):
    with pytest.raises(UserError, match=r"12, 12, 3\)"):
        Orienter.of(bright_side(), SIZE, (0, 90, 180, 270)).orient(images)


@pytest.mark.parametrize("angles", [(0, 45), (0, 0, 90), (0,), (), (0, 360), (-90, 0)])
def test_other_angles_than_quarter_turns_are_refused(angles):
    with pytest.raises(UserError, match=r"distinct multiples of 90 from 0 to 270"):
        Orienter.of(bright_side(), SIZE, angles)


def test_a_network_with_another_number_of_answers_is_refused():
    with pytest.raises(
        UserError,
        match=r"'the network' must predict \(1, 2\), one probability for each of its angles, got \(1, 4\)\.",
    ):
        Orienter.of(bright_side(), SIZE, (0, 180))


def test_an_exported_file_knows_digits(exported, digit_source):
    orienter = Orienter(exported / "orient.tflite", threads=1)
    assert orienter.angles == (0, 90, 180, 270)
    digits = np.asarray(digit_source.test.take(slice(0, 60)))
    assert orienter.input_size == digits.shape[1]
    right = {True: 0, False: 0}
    for turns in range(4):
        views = np.ascontiguousarray(np.rot90(digits, turns, axes=(1, 2)))
        for single_look in right:
            right[single_look] += sum(
                each.angle == 90 * turns for each in orienter.orient(views, single_look=single_look)
            )
    assert right[True] > 0.4 * 240  # by chance 0.25; the network learned for seconds
    assert right[False] > 0.5 * 240
    first, quarter = orienter.orient(np.stack([digits[0], np.rot90(digits[0])]))
    assert (np.roll(first.probabilities, 1) == quarter.probabilities).all()


def test_files_for_other_things_are_refused(exported, tmp_path):
    with pytest.raises(
        UserError,
        match=r"is an encoder \(signatures embed\)\. The file must have the signature predict, which predicts the angle of an image: give the orient\.tflite beside it\.",
    ):
        Orienter(exported / "encoder-float32.tflite")
    with pytest.raises(UserError, match="is a learner"):
        Orienter(exported / "learner.tflite")
    with pytest.raises(UserError, match="does not exist"):
        Orienter(tmp_path / "none.tflite")
    content = (exported / "orient.tflite").read_bytes()
    bare = content[: content.index(b"PK\x03\x04")]
    for angles, reason in (
        (None, "must predict distinct multiples of 90 from 0 to 270 degrees, got none;"),
        ("0\n45\n90\n135\n", "45"),
        ("0\nleft\n", r"must have one whole number of degrees per line"),
        (
            "0\n180\n",
            r"must predict \(1, 2\), one probability for each of its angles, got \(1, 4\)\.",
        ),
    ):
        (tmp_path / "a.tflite").write_bytes(bare)
        if angles is not None:
            with zipfile.ZipFile(tmp_path / "a.tflite", "a") as archive:
                archive.writestr("angles.txt", angles)
        with pytest.raises(UserError, match=reason):
            Orienter(tmp_path / "a.tflite")


def test_angles_are_one_per_line(tmp_path):
    assert parse_angles(b"0\n90\r\n180\n", tmp_path) == (0, 90, 180)
    with pytest.raises(UserError, match=r"must have one whole number of degrees per line"):
        parse_angles("0°\n".encode(), tmp_path)


def test_a_file_whose_signature_has_its_older_name_is_taken(exported, monkeypatch):
    from rotkeras.device import orienter

    file = str(exported / "orient.tflite")
    expected = Orienter(file).orient(np.zeros((16, 16, 3), np.uint8))

    class Older(orienter.TFLiteFile):
        """As of a file that was exported before its signature was renamed."""

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.signatures = ["rotation"]

        def inputs(self, name=None):
            return super().inputs(self._renamed(name))

        def outputs(self, name=None):
            return super().outputs(self._renamed(name))

        def run(self, name=None, **given):
            return super().run(self._renamed(name), **given)

        @staticmethod
        def _renamed(name):
            assert name == "rotation"
            return "predict"

    monkeypatch.setattr(orienter, "TFLiteFile", Older)
    (found,) = Orienter(file).orient(np.zeros((16, 16, 3), np.uint8))
    assert found.angle == expected[0].angle


def test_temperatures_soften_or_sharpen_and_change_no_answer():
    image = sky(SIZE, SIZE, 90)
    angles = (0, 90, 180, 270)
    (plain,) = Orienter.of(bright_side(weight=0.02), SIZE, angles).orient(image)
    soft = Orienter.of(bright_side(weight=0.02), SIZE, angles, "a network", (2.0, 3.0))
    (found,) = soft.orient(image)
    expected = plain.probabilities**0.5
    np.testing.assert_allclose(found.probabilities, expected / expected.sum(), rtol=1e-4)
    assert found.angle == plain.angle
    (single,) = soft.orient(image, single_look=True)
    (plain,) = Orienter.of(bright_side(weight=0.02), SIZE, angles).orient(image, single_look=True)
    expected = plain.probabilities ** (1 / 3)
    np.testing.assert_allclose(single.probabilities, expected / expected.sum(), rtol=1e-4)


@pytest.mark.parametrize(("content", "expected"), [(None, (1.0, 1.0)), (b"0.8\n1.5\n", (0.8, 1.5))])
def test_temperatures_of_a_file(content, expected):
    from pathlib import Path

    assert orienter_module._parse_temperatures(content, Path("a")) == expected
    with pytest.raises(UserError, match=r"must have two numbers"):
        orienter_module._parse_temperatures(b"0.8\n", Path("a"))
