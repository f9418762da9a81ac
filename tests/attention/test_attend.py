import keras
import numpy as np
import pytest
from PIL import Image

from rotkeras import UserError
from rotkeras.attention import activation_maps, class_activation_maps
from rotkeras.attention.network import Network, find_network, load_network
from rotkeras.attention.pictures import View, attend, maps_of
from rotkeras.embedding.image_sources import open_images


@pytest.fixture(scope="module")
def model():
    from rotkeras.backbones import nin
    from rotkeras.pretext import Rotation

    keras.utils.set_random_seed(0)
    return Rotation().build_model(nin(blocks=3, width=1 / 24, input_shape=(16, 16, 3)))


@pytest.fixture
def network(model):
    return Network(model, "small", ("0°", "90°", "180°", "270°"))


@pytest.fixture
def photos(tmp_path):
    """Photographs of several sizes and forms, two of one name, and one that is none."""
    folder = tmp_path / "photos"
    generator = np.random.default_rng(0)
    for name, size in {
        "a/one.png": (40, 30),
        "b/one.png": (17, 90),
        "b/two three.jpg": (16, 16),
        "grey.png": (64, 64),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert("L" if name == "grey.png" else "RGB").save(folder / name)
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


def opened(path, size=16):
    return [open_images(str(path), resize=True)(size)]


def test_a_picture_for_each_image_and_the_broken_one_is_named(network, photos, tmp_path):
    lists = opened(photos)
    seen = []
    written = attend(
        [network], lists, tmp_path / "maps", View(side=48), progress=lambda *done: seen.append(done)
    )
    names = [
        "a-one-activation.png",
        "b-one-activation.png",
        "b-two-three-activation.png",
        "grey-activation.png",
    ]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == names
    assert [bad.path.endswith("broken.jpg") for bad in lists[0].skipped] == [True]
    assert seen[-1] == (5, 5)
    with Image.open(written[0]) as picture:
        assert picture.width == 4 * 52 + 12  # the image and three taps


def test_rotations_draw_the_four_views(network, photos, tmp_path):
    (written,) = attend(
        [network], opened(photos / "grey.png"), tmp_path, View(side=64, rotations=True)
    )
    from rotkeras.images import read_image

    pixels = np.asarray(Image.open(written))
    shown = read_image(photos / "grey.png", 64)
    margin = pixels.shape[1] - 4 * 68 - 12
    for turns in range(4):
        tile = pixels[34 + 68 * turns : 34 + 68 * turns + 64, margin : margin + 64]
        np.testing.assert_array_equal(tile, np.rot90(shown, turns))


def test_columns_by_method_tap_power_and_target(network, digit_source):
    images = digit_source.validation.take(np.arange(2))[:, None]
    view = View(
        methods=("activation", "gradcam", "saliency"), taps=("conv2", "conv1"), powers=(3.0,)
    )
    maps = maps_of(network, images, view, target=2)
    assert list(maps) == [
        "conv2 activation",
        "conv1 activation",
        "conv2 gradcam 180°",
        "conv1 gradcam 180°",
        "saliency 180°",
    ]
    np.testing.assert_allclose(
        maps["conv1 activation"][:, 0],
        activation_maps(network.model, images[:, 0], ["conv1"], 3)["conv1"],
        rtol=1e-5,
    )
    expected = class_activation_maps(network.model, images[:, 0], "gradcam", "conv1", 2)
    np.testing.assert_allclose(maps["conv1 gradcam 180°"][:, 0], expected, atol=1e-5)
    assert list(maps_of(network, images, View(methods=("gradcam",)))) == ["conv3 gradcam"]


def test_two_networks_beside_each_other(network, photos, tmp_path):
    from rotkeras.backbones import nin, taps

    other = Network(
        nin(blocks=3, width=1 / 24, input_shape=(24, 24, 3)), "larger"
    )  # each sees its own size
    (written,) = attend(
        [network, other], opened(photos / "a" / "one.png"), tmp_path, View(side=32, taps=("conv1",))
    )
    assert taps.names(other.model)
    with Image.open(written) as picture:
        assert picture.width == 2 * (2 * 36 + 12)


def test_pictures_that_are_there_are_kept(network, photos, tmp_path):
    lists = opened(photos / "grey.png")
    (written,) = attend([network], lists, tmp_path / "maps", View(side=32))
    before = written.read_bytes()
    with pytest.raises(
        UserError, match=r"already exists\. Add --overwrite, or give another folder with -o\."
    ):
        attend([network], lists, tmp_path / "maps", View(side=40))
    assert written.read_bytes() == before
    attend([network], lists, tmp_path / "maps", View(side=40), overwrite=True)
    assert written.read_bytes() != before


def test_of_many_images_some_evenly_spread(network, digit_source, tmp_path):
    images = digit_source.validation.take(np.arange(9))
    lists = [open_images(images, resize=True)(16)]
    assert [path.name for path in attend([network], lists, tmp_path, View(side=16), most=3)] == [
        "0-activation.png",
        "4-activation.png",
        "8-activation.png",
    ]


def test_names_that_would_be_the_same_are_told_apart(network, photos, tmp_path):
    lists = opened(photos / "grey.png") + opened(photos / "grey.png")
    assert [path.name for path in attend([network], lists, tmp_path, View(side=16))] == [
        "grey-activation.png",
        "grey-2-activation.png",
    ]


@pytest.mark.parametrize(
    ("text", "number"), [(None, None), ("predicted", None), ("90", 1), ("270°", 3), ("0", 0)]
)
def test_targets_by_name(network, text, number):
    assert network.target(text) == number


def test_targets_that_are_not_there(network, model):
    with pytest.raises(
        UserError,
        match=(
            r"--target must be predicted or one of 0°, 90°, 180°, 270°, a class of small, got 45\."
        ),
    ):
        network.target("45")
    assert Network(model, "x").target("3") == 3
    with pytest.raises(
        UserError,
        match=r"--target must be predicted or a number from 0 to 3, a class of x, got cat\.",
    ):
        Network(model, "x").target("cat")


def test_a_network_from_a_run_and_from_a_file(model, tmp_path):
    from rotkeras.recipe import dump
    from rotkeras.recipe.files import validate

    run = tmp_path / "mine"
    run.mkdir()
    model.save(run / "model.keras")
    content = {"data": {"embedded": "digits"}, "task": {"angles": [90, 0]}}
    (run / "recipe.yaml").write_text(dump(validate(content, "test"), ""))
    of_run = load_network(run)
    assert (of_run.name, of_run.answers, of_run.size) == ("mine", ("90°", "0°"), 16)
    pooled = keras.layers.GlobalAveragePooling2D()(model.get_layer("conv3").output)
    keras.Model(
        model.input,
        {"conv1": keras.layers.Dense(3)(pooled), "conv3": keras.layers.Dense(5)(pooled)},
    ).save(tmp_path / "heads.keras")
    assert load_network(tmp_path / "heads.keras").output == "conv3"
    assert load_network(tmp_path / "heads.keras", "conv1").output == "conv1"
    assert load_network(tmp_path / "heads.keras").answers == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda folder: folder / "none",
            r"does not exist\. Give a folder that `rotkeras train` wrote, such as runs/quickstart\.",
        ),
        (
            lambda folder: folder / "none.keras",
            r"does not exist\. Give a run folder or a \.keras file\.",
        ),
        (
            lambda folder: (folder / "x.txt").write_text("x") and folder / "x.txt",
            r"must be a run folder or a \.keras file\.",
        ),
        (
            lambda folder: folder,
            r"is not a run folder\. Give a folder that `rotkeras train` wrote, such as runs/quickstart\.",
        ),
    ],
)
def test_what_is_no_network_is_said_without_keras(tmp_path, make, message):
    with pytest.raises(UserError, match=message):
        find_network(make(tmp_path))


def test_files_that_are_no_network_of_images(tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"PK no")
    with pytest.raises(UserError, match=r"Keras could not load .*broken\.keras.*stock layers"):
        load_network(tmp_path / "broken.keras")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "vectors.keras")
    with pytest.raises(
        UserError,
        match=r"must have one input of square RGB images \(B, S, S, 3\), got \(None, 4\)\.",
    ):
        load_network(tmp_path / "vectors.keras")


def test_names_that_numbering_would_make_the_same(network, tmp_path):
    for name in ("a.bmp", "a.png", "a-2.png", "A.gif"):
        Image.new("RGB", (16, 16), "red").save(tmp_path / name)
    written = attend([network], opened(tmp_path), tmp_path / "maps", View(side=16))
    assert len({path.name.casefold() for path in written}) == 4
    assert all(path.exists() for path in written)


def test_long_names_in_any_letters(network, tmp_path):
    Image.new("RGB", (16, 16), "red").save(tmp_path / ("図" * 80 + ".png"))
    (written,) = attend([network], opened(tmp_path), tmp_path / "maps", View(side=16))
    assert written.exists()


def test_a_folder_that_cannot_be_made(network, photos):
    with pytest.raises(UserError, match="cannot be written: .* Give another path"):
        attend([network], opened(photos / "grey.png"), photos / "grey.png" / "maps", View(side=16))


def test_arrays_of_another_size_than_a_network(network, digit_source, tmp_path):
    from rotkeras.backbones import nin

    other = Network(nin(blocks=3, width=1 / 24, input_shape=(32, 32, 3)), "larger")
    lists = [open_images(digit_source.validation.take(np.arange(2)), resize=True)(16)]
    assert len(attend([network, other], lists, tmp_path, View(side=48, taps=("conv1",)))) == 2


def test_a_target_that_only_one_of_two_networks_knows(network, model, photos, tmp_path):
    pooled = keras.layers.GlobalAveragePooling2D()(model.get_layer("conv3").output)
    classes = Network(keras.Model(model.input, keras.layers.Dense(10)(pooled)), "classes")
    view = View(("gradcam",), side=16, target="90")
    assert len(attend([network, classes], opened(photos / "grey.png"), tmp_path, view)) == 1
    with pytest.raises(
        UserError,
        match=r"--target must be predicted or a number from 0 to 9, a class of classes, got 90\.",
    ):
        attend([classes], opened(photos / "grey.png"), tmp_path, view)
    assert attend(
        [classes], opened(photos / "grey.png"), tmp_path, View(side=16, target="90")
    )  # activation asks for no answer


def test_a_classifier_without_taps_is_asked_at_its_last_feature_map(photos, tmp_path):
    layers = [
        keras.Input((16, 16, 3)),
        keras.layers.Conv2D(4, 3),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3),
    ]
    network = Network(keras.Sequential(layers), "plain")
    maps = maps_of(network, np.zeros((1, 1, 16, 16, 3), np.uint8), View(("gradcam",)))
    assert list(maps) == ["gradcam"]
