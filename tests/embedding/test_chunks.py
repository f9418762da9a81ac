import numpy as np
import pytest
from PIL import Image

from rotkeras.embedding import Encoder, ImageList, load_encoder, open_images, stream
from rotkeras.errors import UserError

SIZE = 12  # of the encoders in conftest.py


def upright_square(path):
    """Read independently of rotkeras; for pictures whose sides differ by an even number."""
    with Image.open(path) as picture:
        turned = {
            1: None,
            3: Image.Transpose.ROTATE_180,
            6: Image.Transpose.ROTATE_270,
            8: Image.Transpose.ROTATE_90,
        }
        how = turned[picture.getexif().get(0x0112, 1)]
        picture = (picture.transpose(how) if how is not None else picture).convert("RGB")
    side, (width, height) = min(picture.size), picture.size
    left, top = (width - side) // 2, (height - side) // 2
    return np.asarray(
        picture.crop((left, top, left + side, top + side)).resize(
            (SIZE, SIZE), Image.Resampling.BILINEAR
        )
    )


def gather(chunks):
    chunks = list(chunks)
    return [name for chunk in chunks for name in chunk.names], np.concatenate(
        [chunk.features for chunk in chunks]
    )


def test_features_equal_predict_on_images_read_independently(photographs, encoder_file):
    import keras

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photographs / "owl/09.png").save(
        photographs / "owl/turned.jpg", exif=exif, quality=95
    )
    paths = sorted(photographs.rglob("*.*"))
    assert len(paths) == 13
    expected = keras.models.load_model(encoder_file).predict(
        np.stack([upright_square(path) for path in paths]), verbose=0
    )
    names, features = gather(stream(load_encoder(encoder_file), open_images(photographs)(SIZE)))
    assert names == [path.relative_to(photographs).as_posix() for path in paths]
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)


def test_a_turned_photograph_has_the_features_of_the_upright_one(tmp_path, quick_encoder):
    upright = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    )
    upright.save(tmp_path / "a.png")
    for orientation, stored in (
        (6, Image.Transpose.ROTATE_90),
        (3, Image.Transpose.ROTATE_180),
        (8, Image.Transpose.ROTATE_270),
    ):
        exif = Image.Exif()
        exif[0x0112] = orientation
        upright.transpose(stored).save(tmp_path / f"b{orientation}.png", exif=exif)
    _, features = gather(stream(quick_encoder, open_images(tmp_path)(SIZE)))
    np.testing.assert_array_equal(features, np.repeat(features[:1], 4, axis=0))
    assert len(set(features[0])) == 6


def test_bad_files_are_left_out_and_named(photographs, quick_encoder):
    whole = (photographs / "dog/04.jpg").read_bytes()
    (photographs / "dog/truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (photographs / "dog/text.jpg").write_text("no image")
    (photographs / "dog/empty.png").write_bytes(b"")
    images = open_images(photographs)(SIZE)
    chunks = list(stream(quick_encoder, images))
    names = [name for chunk in chunks for name in chunk.names]
    assert len(images) == 15
    assert names == [name for name in images.names if "dog/t" not in name and "empty" not in name]
    for chunk in chunks:
        assert [images.names[position] for position in chunk.positions] == chunk.names
        np.testing.assert_array_equal(chunk.labels, images.labels[chunk.positions])
    skipped = {each.path: each.reason for each in images.skipped}
    assert list(skipped) == [
        str(photographs / "dog" / name) for name in ("empty.png", "text.jpg", "truncated.jpg")
    ]
    assert skipped[str(photographs / "dog/text.jpg")] == "its content is not an image"
    with pytest.raises(UserError, match=r"empty.png could not be read"):
        list(stream(quick_encoder, open_images(photographs)(SIZE), on_bad_image="error"))


def test_nothing_is_decoded_ahead_of_its_chunk(tmp_path):
    read = []

    def draw(number, size):
        read.append(number)
        return np.full((size, size, 3), number % 256, np.uint8)

    images = ImageList([str(number) for number in range(1300)], lambda position: position, draw)
    encoder = Encoder(tmp_path, 4, 2, 100, lambda batch: batch[:, 0, 0, :2].astype(np.float32))
    calls = []
    sizes, decoded = [], []
    for chunk in stream(encoder, images, progress=lambda *each: calls.append(each)):
        sizes.append(len(chunk.names))
        decoded.append(len(read))
    assert sizes == [500, 500, 300]  # whole batches, at most 512 images
    assert decoded == [500, 1000, 1300]
    assert calls[-1] == (1300, 1300)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    large = Encoder(tmp_path, 1024, 2, 4, lambda batch: np.zeros((4, 2), np.float32))
    assert [len(chunk.names) for chunk in stream(large, images, positions=range(14))] == [
        8,
        6,
    ]  # at most 32 MiB of pixels


def test_positions_choose_and_order(photographs, quick_encoder):
    images = open_images(photographs)(SIZE)
    everything, features = gather(stream(quick_encoder, images))
    names, some = gather(stream(quick_encoder, images, positions=[7, 2, 11]))
    assert names == [everything[7], everything[2], everything[11]]
    np.testing.assert_allclose(some, features[[7, 2, 11]], rtol=1e-6)


def test_features_that_are_no_numbers_stop(tmp_path):
    def forward(batch):
        features = np.ones((2, 3), np.float32)
        features[batch[:, 0, 0, 0] == 9, 1] = np.nan
        return features

    array = np.zeros((5, 4, 4, 3), np.uint8)
    array[3] = 9
    images = open_images(array)(4)
    with pytest.raises(UserError, match="features for 3 that are not finite"):
        list(stream(Encoder(tmp_path / "e.keras", 4, 3, 2, forward), images))
