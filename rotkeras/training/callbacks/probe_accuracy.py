"""Probe every tap while the network trains."""

import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Budget, NotNegative, Positive, Probes, Seed
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.data.augmentation import Augmentation
from rotkeras.data.source import Images, Source
from rotkeras.errors import UserError
from rotkeras.probes.features import extract
from rotkeras.probes.fits import check_name, fit, fit_features, is_trained, pooled_features
from rotkeras.probes.linear import check_labels
from rotkeras.probes.measurable import measurable
from rotkeras.probes.settings import Settings

Result = dict[str, dict[str, float]]
"""{tap: {probe: accuracy}}, each in 0 … 1."""


class ProbeAccuracy(keras.callbacks.Callback):
    """Probe accuracy of every tap on the validation set, while the network trains: an online
    number, not the published protocol.

    Validation images of classes without a training image are left out, since no probe can predict
    these classes; `notes` names them.

    An untrained copy of the backbone, with weights drawn by the seed, is probed once, for
    comparison: the one that `rotkeras.evaluate` calls random. With probes=("conv",) the
    results are the curve of figure 5a.

    Args:
        source: labelled images; the probes are fitted on `train` and evaluated on `validation`.
            The test set is not read.
        every_epochs: probe after every so many epochs, and after the last; 0 for the last alone.
        train_images: most training images to fit on: a seeded draw that keeps the proportions of
            the classes.
        probes: names of `rotkeras.probes.fit`. Those in closed form (ridge, logistic, knn-20) take
            seconds; those that are trained (linear, nonlinear, conv) take longer and keep their
            last epoch.
        budget: of trained probes: "fast", "published", or `rotkeras.probes.Settings`.
        augmentation: of trained probes whose settings augment.
        seed: of the draw, and of trained probes.

    Adds to an epoch's logs: `probe/<tap>/<probe>` (accuracy, 0 … 1), `probe/seconds`. Put it
    before the callbacks that should see these.

    Attributes:
        untrained: the result for the untrained copy; set at the beginning of training unless it is
            set already.
        results: {epoch, counted from 1: result}.
        correct: {tap: {probe: bool (N,)}}, which validation images the latest result has correct.
        validation: the validation images that are probed, N.
        notes: a line for classes of the validation set that are left out.

    Raises:
        UserError: when the source has no labels, one class, or no validation set with two classes
            that training has, or there is no probe of a name.

    Reference:
        figure 5a, and the comparison with an untrained network of table 3, of Gidaris et al., ICLR
        2018.
    """

    @checked
    def __init__(
        self,
        source: Source,
        every_epochs: NotNegative = 10,
        train_images: Positive = 10000,
        probes: Probes = ("ridge", "knn-20"),
        budget: Budget | Settings = "fast",
        augmentation: Sequence[Augmentation] = (),
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        check_labels(source.train.labels)
        if source.validation is None:
            raise UserError(
                "ProbeAccuracy needs a validation set: load the source with validation_fraction"
                " above 0."
            )
        for probe in probes:
            check_name(probe)
        self.train: Images = source.train.draw(train_images, seed, "stratified")
        if len(set(self.train.labels.tolist())) < 2:  # type: ignore[union-attr]
            raise UserError(
                f"probe.train_images must be enough for two classes, got {train_images}; set it to"
                " a few hundred."
            )
        self.validation, self.notes = measurable(self.train, source.validation)
        self.every_epochs = every_epochs
        self.probes = tuple(probes)
        self.budget = budget
        self.augmentation = augmentation
        self.seed = seed
        self.untrained: Result | None = None
        self.results: dict[int, Result] = {}
        self.correct: dict[str, dict[str, NDArray[np.bool_]]] = {}
        self._epoch = 0
        self._extractors: tuple[keras.Model, dict[int, keras.Model]] | None = None

    def probe(self, network: keras.Model) -> Result:
        """Probe every tap of a network now; it is left as it is."""
        there = taps.names(network)
        results: Result = {tap: {} for tap in there}
        closed = [probe for probe in self.probes if not is_trained(probe)]
        sizes = sorted({pooled_features(probe) for probe in closed})
        if self._extractors is None or self._extractors[0] is not network:
            # They are traced once, not at every epoch.
            self._extractors = network, {each: taps.extractor(network, each) for each in sizes}
        features = {
            each: tuple(extract(model, part) for part in (self.train, self.validation))
            for each, model in self._extractors[1].items()
        }
        labels = self.validation.labels
        assert labels is not None  # checked in the constructor
        self.correct = {tap: {} for tap in there}
        for probe in self.probes:
            if probe in closed:
                assert self.train.labels is not None  # checked in the constructor
                train, validation = features[pooled_features(probe)]
                predicted = {
                    tap: fit_features(probe, train[tap], self.train.labels).predict(validation[tap])
                    for tap in there
                }
            else:
                trained = fit(
                    network,
                    probe,
                    self.train,
                    budget=self.budget,
                    augmentation=self.augmentation,
                    seed=self.seed,
                )
                predicted = trained.predict(self.validation)
            for tap, each in predicted.items():
                self.correct[tap][probe] = each == labels
                results[tap][probe] = float(np.mean(each == labels))
        return results

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Probe an untrained copy of the backbone."""
        if self.untrained is None:
            self.untrained = self.probe(taps.untrained_copy(self.model, self.seed))
        self._epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Probe the backbone when it is due."""
        self._epoch = epoch + 1
        last = epoch + 1 == (self.params or {}).get("epochs")
        if not last and (self.every_epochs == 0 or (epoch + 1) % self.every_epochs):
            return
        start = time.perf_counter()
        result = self.results[epoch + 1] = self.probe(self.model)
        if logs is not None:
            for tap, accuracies in result.items():
                logs.update(
                    {f"probe/{tap}/{probe}": accuracy for probe, accuracy in accuracies.items()}
                )
            logs["probe/seconds"] = time.perf_counter() - start

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Probe once more when training stopped before its last epoch; the logs are closed by then,
        `results` has it."""
        if self._epoch and self._epoch not in self.results:
            self.results[self._epoch] = self.probe(self.model)
