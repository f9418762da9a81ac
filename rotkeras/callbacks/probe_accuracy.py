"""Probe every tap while the network trains."""

import time
from typing import Any, Literal

import keras

from rotkeras import taps
from rotkeras.data.source import Images, Source
from rotkeras.errors import UserError
from rotkeras.probes import linear as linear_probes
from rotkeras.probes.features import extract
from rotkeras.probes.knn import knn_accuracy

Result = dict[str, dict[str, float]]
"""{tap: {"linear": accuracy, "knn": accuracy}}, each in 0 … 1."""


class ProbeAccuracy(keras.callbacks.Callback):
    """Linear and kNN probe accuracy of every tap, on the validation part: an online number, not the published protocol.

    Features are average-pooled to a small grid (`rotkeras.taps.extractor`), standardised, and given to a closed-form linear probe
    and a cosine kNN. The same is done once for an untrained copy of the backbone, so that a reader sees what was learned.

    Args:
        source: labelled images; the probes learn from `train` and are judged on `validation`. The test part is not touched.
        every_epochs: probe after every so many epochs, and after the last; 0 for the last alone.
        train_images: most training images to learn from (a seeded draw).
        linear: "ridge" or "logistic".
        neighbours: k of the kNN probe.
        seed: of the draw.

    Adds to an epoch's logs: `probe/<tap>/linear` and `probe/<tap>/knn` (share of right answers), `probe/seconds`. Put it before
    the callbacks that should see these.

    Attributes:
        untrained: the result for the untrained copy; set at the beginning of training unless it is set already.
        results: {epoch, counted from 1: result}.

    Raises:
        UserError: when the source has no labels, one class, or no validation part.

    Reference: the comparison with an untrained network follows table 3 of Gidaris et al., ICLR 2018.
    """

    def __init__(
        self,
        source: Source,
        every_epochs: int = 10,
        train_images: int = 10000,
        linear: Literal["ridge", "logistic"] = "ridge",
        neighbours: int = 20,
        seed: int = 0,
    ) -> None:
        super().__init__()
        linear_probes.check_labels(source.train.labels)
        if source.validation is None:
            raise UserError("ProbeAccuracy needs a validation part: load the source with validation_fraction above 0.")
        self.train: Images = source.train.draw(train_images, seed)
        self.validation: Images = source.validation
        if len(set(self.train.labels.tolist())) < 2:  # type: ignore[union-attr]
            raise UserError(
                f"probe.train_images: the {len(self.train)} images drawn for the probes are all of one class: expected two or more "
                f"classes; draw more images."
            )
        self.every_epochs = every_epochs
        self.fit_linear: Any = linear_probes.NAMES[linear]
        self.neighbours = neighbours
        self.untrained: Result | None = None
        self.results: dict[int, Result] = {}
        self._extractor: Any = None
        self._epoch = 0

    def probe(self, extractor: keras.Model) -> Result:
        """Probe an extractor of `rotkeras.taps.extractor` now."""
        train, validation = extract(extractor, self.train), extract(extractor, self.validation)
        y, y_validation = self.train.labels, self.validation.labels
        assert y is not None  # checked in the constructor
        assert y_validation is not None
        return {
            tap: {
                "linear": self.fit_linear(train[tap], y).accuracy(validation[tap], y_validation),
                "knn": knn_accuracy(train[tap], y, validation[tap], y_validation, self.neighbours),
            }
            for tap in train
        }

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Probe an untrained copy of the backbone."""
        self._extractor = taps.extractor(self.model)
        if self.untrained is None:
            self.untrained = self.probe(taps.extractor(taps.untrained_copy(self.model)))
        self._epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Probe the backbone when it is due."""
        self._epoch = epoch + 1
        last = epoch + 1 == (self.params or {}).get("epochs")
        if not last and (self.every_epochs == 0 or (epoch + 1) % self.every_epochs):
            return
        start = time.perf_counter()
        result = self.results[epoch + 1] = self.probe(self._extractor)
        if logs is not None:
            for tap, accuracies in result.items():
                logs.update({f"probe/{tap}/{kind}": accuracy for kind, accuracy in accuracies.items()})
            logs["probe/seconds"] = time.perf_counter() - start

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Probe once more when training stopped before its last epoch; the logs are closed by then, `results` has it."""
        if self._epoch and self._epoch not in self.results:
            self.results[self._epoch] = self.probe(self._extractor)
