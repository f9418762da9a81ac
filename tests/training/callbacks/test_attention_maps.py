import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from rotkeras import UserError
from rotkeras.attention import equivariance_score
from rotkeras.data.source import Images
from rotkeras.pretext import InStep, Rotation
from rotkeras.training.callbacks import AttentionMaps, MetricsLog

X = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), dtype=np.uint8)
Y = np.arange(16) % 4


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


def fit(backbone, callbacks, epochs=1, **arguments):
    model = Rotation().build_model(backbone)
    model.compile(keras.optimizers.SGD(0.01), Rotation().loss(), run_eagerly=True)
    model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0, callbacks=callbacks, **arguments)
    return model


def test_pictures_before_training_when_due_and_at_the_end(tmp_path, small_backbone):
    seen = AttentionMaps(X, every_epochs=2, count=3, folder=tmp_path / "maps")
    model = fit(small_backbone, [seen, MetricsLog(tmp_path / "m.jsonl")], epochs=3)
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        f"epoch-000{n}.png" for n in (0, 2, 3)
    ]
    rows = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert ["equivariance/conv1" in row for row in rows] == [False, True, True]
    expected = equivariance_score(model, seen.images)
    assert {tap: rows[-1][f"equivariance/{tap}"] for tap in expected} == pytest.approx(expected)
    assert rows[-1]["attention/seconds"] > 0
    pictures = [
        np.asarray(Image.open(tmp_path / "maps" / f"epoch-000{number}.png")) for number in (0, 3)
    ]
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()  # the network has learned in between


def test_tensorboard_has_the_same_picture(tmp_path, small_backbone):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(
        small_backbone,
        [AttentionMaps(X, count=2, folder=tmp_path / "maps", tensorboard=tmp_path / "tb")],
    )
    events = EventAccumulator(str(tmp_path / "tb"))
    events.Reload()
    images = events.Images("attention")
    assert [image.step for image in images] == [0, 1]
    with Image.open(tmp_path / "maps" / "epoch-0001.png") as written:
        assert (images[1].width, images[1].height) == written.size


def test_it_draws_once_more_when_training_stops_early(tmp_path, small_backbone):
    fit(
        small_backbone,
        [AttentionMaps(X, every_epochs=0, count=1, folder=tmp_path), Stop()],
        epochs=9,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0000.png", "epoch-0002.png"]


def test_a_resumed_fit_does_not_draw_the_untrained_network_again(tmp_path, small_backbone):
    fit(small_backbone, [AttentionMaps(X, count=1, folder=tmp_path)], epochs=3, initial_epoch=2)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0003.png"]


def test_the_images_are_a_seeded_draw_of_a_part():
    part = Images.of(X)
    drawn = [AttentionMaps(part, count=5, seed=seed).images for seed in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()
    np.testing.assert_array_equal(drawn[0], part.draw(5, 0).take(slice(None)))


def test_a_model_that_makes_its_own_views(tmp_path, small_backbone):
    task = InStep(Rotation())
    model = task.build_model(small_backbone)
    model.compile(keras.optimizers.SGD(0.01), task.loss(), run_eagerly=True)
    callback = AttentionMaps(X, count=2, taps=["conv2"], powers=2, folder=tmp_path)
    model.fit(
        {"images": X},
        np.tile(np.arange(4), (16, 1)),
        batch_size=16,
        verbose=0,
        callbacks=[callback],
    )
    assert (tmp_path / "epoch-0001.png").exists()


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (
            X[:, :8],
            {},
            r"images must be uint8 \(N, 16, 16, 3\) with N at least 1, got uint8 \(16, 8, 16, 3\);",
        ),
        (X, {"taps": ["conv9"]}, "must be one of .*got 'conv9'"),
        (
            X,
            {"powers": [1, 2]},
            r"powers must have 3 values, one for each of conv1, conv2, conv3, got 2\.",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_training(
    tmp_path, small_backbone, images, options, message
):
    with pytest.raises(UserError, match=message):
        fit(small_backbone, [AttentionMaps(images, folder=tmp_path / "maps", **options)])
    assert not (tmp_path / "maps").exists()


def test_no_images():
    with pytest.raises(
        UserError, match=r"AttentionMaps needs at least one image, got 0 images and count=16\."
    ):
        AttentionMaps(X[:0])
    with pytest.raises(UserError, match="images must be an Images or a uint8 array, got None"):
        AttentionMaps(None)


def test_a_picture_that_cannot_be_written_does_not_end_training(tmp_path, small_backbone):
    maps = AttentionMaps(X, every_epochs=1, count=1, folder=tmp_path / "maps")
    begin = maps.on_train_begin

    def begin_and_lose_the_folder(logs=None):
        begin(logs)
        shutil.rmtree(tmp_path / "maps", ignore_errors=True)
        (tmp_path / "maps").write_text("a file")

    maps.on_train_begin = begin_and_lose_the_folder
    with pytest.warns(
        UserWarning, match="AttentionMaps could not draw .* training continues"
    ) as warned:
        fit(
            small_backbone,
            [
                maps,
                MetricsLog(tmp_path / "m.jsonl"),
            ],
            epochs=2,
        )
    assert sum("AttentionMaps" in str(each.message) for each in warned) == 1
    assert len((tmp_path / "m.jsonl").read_text().splitlines()) == 2
