import numpy as np
import pytest
from bright_side import bright_side, sky
from click.testing import CliRunner
from PIL import Image

from rotkeras.cli.orient import orient
from rotkeras.device.orienter import Orienter
from rotkeras.errors import UserError
from rotkeras.orient.files import find_images
from rotkeras.orient.measure import Measured, interval, measure

ANGLES = (0, 90, 180, 270)


def measured(right, confidences):
    right = np.asarray(right)
    return Measured(np.where(right, 0, 90), np.zeros(len(right), int), np.asarray(confidences))


def test_coverage_and_accuracy_by_hand():
    found = measured([True, False, True, True], [0.9, 0.5, 0.99, 0.6])
    coverage, accuracy = found.curve()
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(accuracy, [1.0, 1.0, 1.0, 0.75])
    assert [found.at(level) for level in (0.0, 0.6, 0.9, 0.995)] == [(4, 3), (3, 3), (2, 2), (0, 0)]
    assert found.calibration_error() == pytest.approx((0.1 + 0.5 + 0.01 + 0.4) / 4)


def test_twenty_answers_in_ten_bins():
    confidences = np.linspace(0.505, 0.695, 20)
    right = np.arange(20) % 2 == 0
    pairs = np.abs(confidences.reshape(10, 2).mean(axis=1) - 0.5)
    assert measured(right, confidences).calibration_error() == pytest.approx(pairs.mean())


@pytest.mark.parametrize(("right", "answered"), [(8, 10), (0, 20), (20, 20), (353, 400)])
def test_the_interval_holds_all_shares_that_the_score_test_does_not_exclude(right, answered):
    shares = np.linspace(0, 1, 200_001)
    near = np.abs(right / answered - shares) <= 1.96 * np.sqrt(shares * (1 - shares) / answered)
    low, high = interval(right, answered)
    np.testing.assert_allclose((low, high), (shares[near].min(), shares[near].max()), atol=1e-5)


@pytest.fixture
def photographs(tmp_path):
    """Upright ones; one broken file."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(12):
        Image.fromarray(sky(40, 48, seed=number)).save(folder / f"{number:02}.png")
    (folder / "06.jpg").write_bytes(b"no image")
    return folder


def test_each_image_is_turned_by_the_angle_of_the_seed(photographs):
    orienter = Orienter.of(bright_side(), 16, ANGLES)
    found = measure(orienter, find_images(photographs), 3)
    drawn = 90 * np.random.default_rng(3).integers(4, size=13)
    np.testing.assert_array_equal(found.turned, np.delete(drawn, 6))  # in the order of the names
    assert found.right.all()
    assert [each.path.endswith("06.jpg") for each in found.skipped] == [True]
    other = measure(orienter, find_images(photographs), 4)
    assert (other.turned != found.turned).any()
    # An average over all turns turns with the image: confidences are those of another seed.
    np.testing.assert_allclose(other.confidences, found.confidences)


def test_nothing_could_be_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match="None of the images could be read"):
        measure(Orienter.of(bright_side(), 16, ANGLES), find_images(tmp_path))


def test_the_command_prints_a_table_and_draws_a_curve(photographs, tmp_path, monkeypatch):
    file = tmp_path / "orient.tflite"
    file.touch()
    monkeypatch.setattr(
        "rotkeras.orient.network.Orienter", lambda *_: Orienter.of(bright_side(), 16, ANGLES)
    )
    given = [str(file), str(photographs)]
    plot = tmp_path / "curve.svg"
    result = CliRunner().invoke(orient, [*given, "--measure", "--seed", "3", "--plot", str(plot)])
    assert result.exit_code == 0, result.output
    assert "any              12  100.0 %    100.0 %  (75.7 … 100.0)" in result.output
    assert "12 upright images, each turned by a drawn angle" in result.output
    assert "06.jpg" in result.output
    assert "<svg" in plot.read_text()
    assert max(map(len, result.output.splitlines())) <= 80 + len(str(tmp_path))
    for wrong, words in (
        (["--seed", "1"], "--seed needs --measure."),
        (["--plot", "a.png"], "--plot needs --measure."),
        (["--measure", "--csv", "a.csv"], "--measure turns nothing upright: leave --csv out."),
    ):
        result = CliRunner().invoke(orient, [*given, *wrong])
        assert (result.exit_code, words in result.output) == (2, True), result.output
