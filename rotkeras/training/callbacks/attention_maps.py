"""Attention maps of some images while the network trains."""

import io
import os
import socket
import time
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rotkeras.arguments.accepted import AnyPath, ImageBatch, NotNegative, Positive, Seed, TapNames
from rotkeras.arguments.checked import checked
from rotkeras.attention import attention_grid, mean_correlation, quadruple_maps, quadruples
from rotkeras.attention.activation import Powers, check_images, resolve_powers
from rotkeras.backbones import taps as taps_
from rotkeras.data.source import Images
from rotkeras.errors import UserError
from rotkeras.files import check_writable, write_whole

_SIDE = 64
_VIEWS = ("0°", "90°", "180°", "270°")


class AttentionMaps(keras.callbacks.Callback):
    """Draw where the features are strong, for the four views of some images, and tell how well the
    maps turn with the image.

    Writes `epoch-0000.png` before training, and `epoch-<number>.png` after each epoch that is due:
    images × views × taps. The same picture goes to TensorBoard.

    Args:
        images: a part of a source, such as `source.validation`, or uint8 (N, S, S, 3) of the
            model's size, values 0 … 255.
        every_epochs: draw after every so many epochs, and after the last; 0 for the last alone.
        count: images of a picture, by a seeded draw.
        taps: names of taps; None for the first three.
        powers: as in `rotkeras.attention.activation_maps`; None for the published 1, 2, 4.
        folder: where the pictures go.
        tensorboard: folder of TensorBoard logs, or None.
        seed: of the draw.

    Adds to the logs of an epoch that is due: `equivariance/<tap>`, the score of
    `rotkeras.attention.equivariance_score` on these images, -1 … 1 (not there when all maps are
    constant), and `attention/seconds`. Put it before the callbacks that should see these.

    What goes wrong while drawing, such as a full disk, is warned of once, and training goes on.

    Raises:
        UserError: without images; at the beginning of training, for folders that cannot be written,
            images of another size than the model's or that are not square, or a tap that is not
            there.

    Reference:
        figures 3 and 6 of Gidaris et al., ICLR 2018.
    """

    @checked
    def __init__(
        self,
        images: Images | ImageBatch,
        every_epochs: NotNegative = 10,
        count: Positive = 16,
        taps: TapNames | None = None,
        powers: Powers = None,
        folder: AnyPath = "attention",
        tensorboard: AnyPath | None = None,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        if images is None:  # the test set of a source that has none, say
            raise UserError(
                "AttentionMaps needs images, got None; pass another part of the source, such as"
                " validation."
            )
        part = images if isinstance(images, Images) else Images.of(np.asarray(images))
        if not len(part) or count < 1:
            raise UserError(
                f"AttentionMaps needs at least one image, got {len(part)} images and count={count}."
            )
        self.images = part.draw(count, seed).take(slice(None))
        self.every_epochs = every_epochs
        self.taps = taps
        self.powers = powers
        self.folder = Path(folder)
        self.tensorboard = None if tensorboard is None else Path(tensorboard)
        self._epoch = 0
        self._drawn = -1
        self._warned = False
        self._log: Path | None = None

    def draw(self, epoch: int) -> dict[str, float]:
        """Draw the model as it is, as the picture of an epoch (counted from 1; 0 is before
        training).

        Returns:
            {tap: equivariance score}, without taps whose maps are all constant.
        """
        maps = quadruple_maps(self.model, self.images, self._taps(), self.powers)
        picture = attention_grid(quadruples(self.images), maps, _VIEWS, side=_SIDE)
        buffer = io.BytesIO()
        picture.save(
            buffer, "PNG", compress_level=3
        )  # photographs hardly shrink further, and it takes a third of the time
        write_whole(
            self.folder / f"epoch-{epoch:04d}.png",
            lambda working: working.write_bytes(buffer.getvalue()),
        )
        if self.tensorboard is not None:
            self._summarise(buffer.getvalue(), picture.width, picture.height, epoch)
        self._drawn = epoch
        scores = {tap: mean_correlation(each) for tap, each in maps.items()}
        return {tap: score for tap, score in scores.items() if score is not None}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the folders, and that images, taps and powers fit the model."""
        check_writable(self.folder, "AttentionMaps: folder", folder=True)
        if self.tensorboard is not None:
            check_writable(self.tensorboard, "AttentionMaps: tensorboard", folder=True)
        check_images(self.model, self.images)
        quadruples(self.images[:1])
        for tap in self._taps():
            taps_.check(self.model, tap)
        resolve_powers(taps_.names(self.model), self._taps(), self.powers)
        self._epoch, self._drawn = 0, -1

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw the untrained network."""
        if epoch == 0:
            self._try_to_draw(0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw when it is due."""
        self._epoch = epoch + 1
        last = epoch + 1 == (self.params or {}).get("epochs")
        if not last and (self.every_epochs == 0 or (epoch + 1) % self.every_epochs):
            return
        start = time.perf_counter()
        scores = self._try_to_draw(epoch + 1)
        if logs is not None:
            logs.update({f"equivariance/{tap}": score for tap, score in scores.items()})
            logs["attention/seconds"] = time.perf_counter() - start

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Draw once more when training stopped before its last epoch."""
        if self._epoch and self._drawn != self._epoch:
            self._try_to_draw(self._epoch)
        self._log = None

    def _try_to_draw(self, epoch: int) -> dict[str, float]:
        # A full disk, say: hours of training are worth more than a picture.
        try:
            return self.draw(epoch)
        except Exception as error:
            self._drawn = epoch
            if not self._warned:
                warnings.warn(
                    f"AttentionMaps could not draw ({type(error).__name__}: {error}); training"
                    " continues.",
                    stacklevel=2,
                )
            self._warned = True
            return {}

    def _taps(self) -> list[str]:
        return taps_.names(self.model)[:3] if self.taps is None else list(self.taps)

    def _summarise(self, encoded: bytes, width: int, height: int, epoch: int) -> None:
        # By TensorBoard's own classes: they need no TensorFlow, and so this works on every backend
        # of Keras. Its EventFileWriter writes in a thread, which reports a full disk by a traceback
        # and to nobody else.
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        assert self.tensorboard is not None
        now = time.time()
        events = []
        if self._log is None:
            self.tensorboard.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}"
            self._log = self.tensorboard / name
            events.append(Event(wall_time=now, file_version="brain.Event:2"))
        image = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=encoded
        )
        value = Summary.Value(tag="attention", image=image)
        events.append(Event(wall_time=now, step=epoch, summary=Summary(value=[value])))
        with open(self._log, "ab") as file:
            for event in events:
                RecordWriter(file).write(event.SerializeToString())
