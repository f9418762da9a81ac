import pytest
from click.testing import CliRunner
from PIL import Image

from rotkeras.cli import main


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    from rotkeras.backbones import nin
    from rotkeras.pretext import Rotation

    path = tmp_path_factory.mktemp("network") / "rotation.keras"
    Rotation().build_model(nin(blocks=3, width=1 / 24, input_shape=(16, 16, 3))).save(path)
    return path


@pytest.fixture
def photo(tmp_path):
    Image.linear_gradient("L").resize((60, 40)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def attend(*arguments):
    return CliRunner().invoke(main, ["attend", *map(str, arguments)])


def test_it_draws_and_names_the_pictures(network, photo, tmp_path):
    result = attend(
        network,
        photo,
        "-o",
        tmp_path / "maps",
        "--rotations",
        "--beside",
        network,
        "--size",
        32,
        "--tap",
        "conv2",
    )
    assert result.exit_code == 0, result.output
    assert f"written: {tmp_path / 'maps' / 'photo-activation.png'}" in result.output
    assert (tmp_path / "maps" / "photo-activation.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{network}", "nowhere.jpg", "-o", "{out}"], "'nowhere.jpg' does not exist"),
        (["nowhere", "{photo}", "-o", "{out}"], "nowhere does not exist"),
        (
            ["{network}", "{photo}", "-o", "{photo}"],
            "it is a file, not a folder. Give another path",
        ),
        (["{network}", "{photo}", "-o", "{out}", "--method", "cam"], "'cam' is not one of"),
        (
            ["{network}", "{photo}", "-o", "{out}", "--tap", "conv9"],
            "must be one of 'conv1', 'conv2', 'conv3', got 'conv9'",
        ),
        (["{network}", "{photo}"], "Missing option '-o'"),
        (
            ["{network}", "{photo}", "-o", "{out}", "--target", "90"],
            "--target needs a method that explains a class",
        ),
        (
            ["{network}", "{photo}", "-o", "{out}", "--method", "gradcam", "--power", "2"],
            "--power needs --method activation",
        ),
    ],
)
def test_mistakes_exit_with_2_and_leave_nothing(network, photo, tmp_path, arguments, message):
    result = attend(
        *[each.format(network=network, photo=photo, out=tmp_path / "maps") for each in arguments]
    )
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("maps/*"))


def test_a_folder_in_which_nothing_can_be_read(network, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "x.jpg").write_bytes(b"no image")
    result = attend(network, tmp_path / "photos", "-o", tmp_path / "maps")
    assert result.exit_code == 2
    assert "1 file could not be read" in result.output
    assert "None of the images could be read" in result.output
