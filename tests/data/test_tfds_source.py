import socket

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from rotkeras.data import cache, load, tfds_source
from rotkeras.data.image_file import ImageFile
from rotkeras.errors import UserError
from rotkeras.images import fit

tf = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def prepare(folder, name, image, splits):
    def rows(part):
        for number, (picture, label) in enumerate(part):
            yield number, {"image": picture, "label": label}

    features = tfds.features.FeaturesDict(
        {"image": image, "label": tfds.features.ClassLabel(names=NAMES)}
    )
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=features,
        split_datasets={split: list(rows(part)) for split, part in splits.items()},
        data_dir=folder,
        disable_shuffling=True,
    )


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return [
        (np.rint(image * (255 / 16)).astype(np.uint8)[..., None], int(label))
        for image, label in zip(*data_of(data), strict=True)
    ]


def data_of(data):
    return data.images[:70], data.target[:70]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("tfds")
    png = {"encoding_format": "png"}
    prepare(
        folder,
        "small_digits",
        tfds.features.Image(shape=(8, 8, 1), **png),
        {"train": digits[:50], "test": digits[50:]},
    )
    generator = np.random.default_rng(0)
    odd = [(generator.integers(0, 256, (6 + n, 9, 3), dtype=np.uint8), n) for n in range(10)]
    prepare(folder, "odd_sizes", tfds.features.Image(shape=(None, None, 3), **png), {"train": odd})
    wide = [(generator.integers(0, 256, (6, 9, 3), dtype=np.uint8), n) for n in range(3)]
    prepare(
        folder,
        "wide",
        tfds.features.Image(shape=(6, 9, 3), **png),
        {"train": wide, "validation": wide},
    )
    alpha = [(np.full((8, 8, 4), 40 * n, np.uint8), n) for n in range(3)]
    prepare(folder, "with_alpha", tfds.features.Image(shape=(8, 8, 4), **png), {"train": alpha})
    deep = [(np.full((8, 8, 1), 257 * 40 * n + 100, np.uint16), n) for n in range(3)]
    prepare(
        folder,
        "sixteen_bits",
        tfds.features.Image(shape=(8, 8, 1), dtype=np.uint16, **png),
        {"train": deep},
    )
    prepare(folder, "only_test", tfds.features.Image(shape=(8, 8, 1), **png), {"test": digits[:3]})
    return folder


@pytest.fixture
def no_network(monkeypatch):
    """No socket connects, and the waits between retries are noted, not waited."""
    waits = []

    def refuse(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(
        "urllib3.util.retry.Retry._sleep_backoff",
        lambda self: waits.append(self.get_backoff_time()),
    )
    return waits


def read(name, data_dir, **options):
    return load(name, kind="tfds", data_dir=data_dir, **{"validation_fraction": 0, **options})


def test_a_prepared_set_gives_its_images_and_labels_in_order(data_dir, digits, no_network):
    source = read("small_digits", data_dir)
    expected = np.stack([np.repeat(image, 3, axis=2) for image, _ in digits])
    assert np.array_equal(source.train.array, expected[:50])
    assert source.train.labels.tolist() == [label for _, label in digits[:50]]
    assert source.train.class_names == tuple(NAMES)
    assert np.array_equal(source.test.array, expected[50:])
    assert source.test.labels.tolist() == [label for _, label in digits[50:]]
    assert source.name == "small_digits"


def test_images_are_resized_in_order(data_dir, digits):
    source = read("small_digits", data_dir, image_size=12)
    expected = np.stack(
        [fit(Image.fromarray(np.repeat(image, 3, axis=2)), 12) for image, _ in digits[:50]]
    )
    assert np.array_equal(source.train.array, expected)
    assert source.train.labels.tolist() == [label for _, label in digits[:50]]


def test_labels_none_and_split(data_dir):
    source = read("small_digits", data_dir, labels="none", validation_fraction=0.2, train_images=5)
    assert (len(source.train), len(source.validation)) == (5, 10)
    assert source.train.labels is None
    assert source.test.labels is None


def test_the_test_split_is_read_only_when_asked_for(data_dir, monkeypatch):
    splits = []
    original = tfds_source.read_split

    def note(builder, split, *args, **options):
        splits.append(split)
        return original(builder, split, *args, **options)

    monkeypatch.setattr(tfds_source, "read_split", note)
    source = read("small_digits", data_dir)
    assert splits == ["train"]
    assert len(source.test) == len(source.test) == 20
    assert splits == ["train", "test"]


def test_progress_ends_with_all(data_dir):
    for options in ({}, {"image_size": 10}):
        calls = []
        read(
            "small_digits",
            data_dir,
            progress=lambda *each, calls=calls: calls.append(each),
            **options,
        )
        assert calls[-1] == (50, 50)


def test_images_that_differ_in_size_need_an_image_size(data_dir):
    with pytest.raises(UserError, match=r"data\.image_size.*differ in size"):
        read("odd_sizes", data_dir)
    source = read("odd_sizes", data_dir, image_size=9)
    assert source.image_shape == (9, 9, 3)
    assert source.train.labels.tolist() == list(range(10))


def test_images_that_are_not_square_keep_their_size(data_dir):
    assert read("wide", data_dir).image_shape == (6, 9, 3)
    assert read("wide", data_dir, image_size=[8, 12]).image_shape == (8, 12, 3)
    assert read("wide", data_dir, image_size=8).image_shape == (8, 8, 3)


def test_a_set_without_test_split_uses_validation(data_dir):
    assert len(read("wide", data_dir, image_size=8).test) == 3


def test_a_set_without_train_split_is_a_user_error(data_dir):
    with pytest.raises(UserError, match="no split 'train'"):
        read("only_test", data_dir)


@pytest.mark.parametrize("image_size", [None, 10])
def test_alpha_is_dropped(data_dir, image_size):
    assert read("with_alpha", data_dir, image_size=image_size).train.array[:, 1, 1].tolist() == [
        [40 * n] * 3 for n in range(3)
    ]


@pytest.mark.parametrize("image_size", [None, 10])
def test_16_bit_images_are_scaled(data_dir, image_size):
    assert read("sixteen_bits", data_dir, image_size=image_size).train.array[:, 1, 1].tolist() == [
        [40 * n] * 3 for n in range(3)
    ]


def test_a_set_that_does_not_fit_in_memory_is_read_from_a_cache(data_dir, tmp_path, monkeypatch):
    memory = read("small_digits", data_dir, image_size=12)
    assert memory.kept.startswith("decoded into memory, ")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "available_memory", lambda: 1000)
    for how in ("decoded into", "found in"):
        disk = read("small_digits", data_dir, image_size=12)
        assert disk.kept.startswith(f"{how} the cache {tmp_path}/rotkeras/small_digits-train-")
        assert isinstance(disk.train.array, ImageFile)
        for part, same in ((disk.train, memory.train), (disk.test, memory.test)):
            assert np.array_equal(part.array, same.array)
            assert part.labels.tolist() == same.labels.tolist()
            assert part.class_names == tuple(NAMES)
    assert len(list((tmp_path / "rotkeras").iterdir())) == 2  # train and test


def test_a_named_cache_holds_a_set_and_is_another_for_another_size_or_set(data_dir, tmp_path):
    first = read("with_alpha", data_dir, cache=tmp_path)
    assert first.train.take(slice(None))[:, 1, 1].tolist() == [[40 * n] * 3 for n in range(3)]
    again = read("with_alpha", data_dir, cache=tmp_path)
    assert again.kept.startswith("found in")
    assert again.train.labels.tolist() == [0, 1, 2]
    assert read("with_alpha", data_dir, cache=tmp_path, image_size=10).kept.startswith(
        "decoded into the cache"
    )


def test_an_image_that_cannot_be_resized_shows_its_own_error(data_dir, monkeypatch):
    def fail(image, size):
        raise MemoryError("no room")

    monkeypatch.setattr(tfds_source, "fit", fail)
    with pytest.raises(MemoryError, match="no room"):
        read("small_digits", data_dir, image_size=10)


def test_a_wrong_name_suggests_the_right_one(tmp_path, no_network):
    with pytest.raises(UserError, match=r"cifar1O.*did you mean 'cifar10'"):
        read("cifar1O", tmp_path)


@pytest.mark.parametrize(
    "name",
    ["no such folder/x", "My Photos", "cifar10/nope", "cifar10:9.9.9", "huggingface:foo/bar"],
)
def test_other_wrong_names_are_user_errors(tmp_path, no_network, name):
    with pytest.raises(UserError, match=r"data\.tfds"):
        read(name, tmp_path)


def test_a_set_that_is_not_prepared_and_cannot_be_downloaded_is_one_sentence(tmp_path, no_network):
    with pytest.raises(
        UserError, match=r"'cifar10' is not prepared in .*connect to the network.*--data-dir"
    ) as caught:
        read("cifar10", tmp_path)
    assert "\n" not in str(caught.value)
    assert sum(no_network) < 30  # seconds that the download would have waited between its retries


@pytest.mark.parametrize("name", ["[x] #1: 100%", "a*b?", "Фото 📷", " blanks "])
def test_the_folder_of_sets_may_have_any_name(name, data_dir, tmp_path):
    (tmp_path / name).mkdir()
    (tmp_path / name / "small_digits").symlink_to(data_dir / "small_digits")
    source = load("small_digits", data_dir=str(tmp_path / name))
    assert len(source.train) == 45
    assert len(source.test) == 20


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """(pictures as JPEG bytes, folder of a set of them in ArrayRecord); the sixth is broken."""
    from io import BytesIO

    from sklearn.datasets import load_sample_images

    folder, random, encoded = tmp_path_factory.mktemp("records"), np.random.default_rng(0), []
    for number in range(24):
        left, top = random.integers(0, 200, 2)
        wide, tall = random.integers(60, 220, 2)
        exif = Image.Exif()
        exif[274] = 1 + number % 8
        picture = Image.fromarray(load_sample_images().images[number % 2])
        file = BytesIO()
        picture.crop((left, top, left + wide, top + tall)).save(file, "JPEG", exif=exif)
        encoded.append(file.getvalue() if number != 5 else file.getvalue()[:60])
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=NAMES)}
    )

    class SmallPhotographs(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, _manager):
            return {"train": self._generate_examples(20), "test": self._generate_examples(4)}

        def _generate_examples(self, count):
            for number, content in enumerate(encoded[:count]):
                yield number, {"image": BytesIO(content), "label": number % 3}

    SmallPhotographs(data_dir=folder, file_format="array_record").download_and_prepare()
    return encoded, folder


@pytest.fixture
def headers_of_a_test(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("storage", ["memory", "file", "encoded"])
def test_records_are_read_by_every_store(photographs, headers_of_a_test, storage):
    from io import BytesIO

    from rotkeras.images import read_image

    encoded, folder = photographs
    settings = {"image_size": 16, "validation_fraction": 0, "storage": storage}
    for _ in range(2):  # of encoded records, the second time by the headers that were kept
        source = load("tfds:small_photographs", data_dir=folder, **settings)
        assert [each.reason != "" for each in source.skipped] == [True]
        assert "small_photographs train, record" in source.skipped[0].path or storage == "file"
        assert len(source.train) == 19
        # The set shuffles its examples: each image tells its place by its pixels.
        expected = {
            read_image(BytesIO(content), 16).tobytes(): number % 3
            for number, content in enumerate(encoded[:20])
            if number != 5
        }
        found = source.train.take(slice(None))
        assert [expected[image.tobytes()] for image in found] == source.train.labels.tolist()
        assert len({image.tobytes() for image in found}) == 19
        assert source.train.class_names == tuple(NAMES)
        assert len(source.test) == 4
    assert ("records stay encoded" in source.kept) == (storage == "encoded")


def test_crops_of_records_are_those_of_files(photographs, headers_of_a_test, tmp_path):
    """The same photographs as files, in the order of the records."""
    from rotkeras.data import pipeline
    from rotkeras.data.augmentation import random_resized_crop
    from rotkeras.data.records import Records
    from rotkeras.data.tfds_source import open_builder
    from rotkeras.pretext import Rotation

    _, folder = photographs
    records = Records(open_builder("small_photographs", folder), "train", "image")
    for row in range(len(records)):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / f"{row:02}.jpg").write_bytes(records.open(row).read())
    batches = []
    for place in ("tfds:small_photographs", tmp_path / "photos"):
        source = load(
            place, data_dir=folder, image_size=16, validation_fraction=0, storage="encoded"
        )
        made = pipeline(
            source.train,
            Rotation(),
            images_per_batch=19,
            seed=1,
            augmentation=[random_resized_crop()],
        )
        batches.append(np.asarray(next(iter(made.dataset))[0]))
    np.testing.assert_array_equal(*batches)


def test_a_set_without_random_access_cannot_stay_encoded(data_dir):
    with pytest.raises(UserError, match=r"is prepared as tfrecord: prepare it with tfds build"):
        load("small_digits", data_dir=data_dir, storage="encoded")
