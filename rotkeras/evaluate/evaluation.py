"""Evaluate a run: fit the probes that are missing, evaluate them on validation, and read the test
part once at the end."""

import hashlib
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rotkeras.arguments.accepted import Text
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.data import Images, Source
from rotkeras.data.fingerprint import sampled_digest, source_fingerprint
from rotkeras.errors import UserError
from rotkeras.evaluate.options import (
    ALL_PROBES,
    Options,
    Patches,
    Unit,
    plan,
    with_the_patches_of,
)
from rotkeras.evaluate.patches import patch_network
from rotkeras.evaluate.record import KEY, Record, result
from rotkeras.files import check_writable, one_writer, write_whole
from rotkeras.probes import FittedProbe, PooledFeatures, extract, fit
from rotkeras.probes.fits import neighbours_of, pooled_features
from rotkeras.probes.linear import check_labels
from rotkeras.probes.measurable import measurable
from rotkeras.run import images as run_images
from rotkeras.run.folder import Run
from rotkeras.run.probe_images import load_labelled_images
from rotkeras.training import devices
from rotkeras.training.build import build_augmentation

Watch = Callable[[int, Sequence[Unit]], Sequence[keras.callbacks.Callback]]
Done = Callable[[Unit, list[dict[str, Any]]], None]
Tested = Callable[[int, int], None]
TestRows = Callable[[list[dict[str, Any]]], Sequence[dict[str, Any]]]


@checked
def evaluate(
    run: Run,
    options: Options | Sequence[Options],
    source: Source | None = None,
    *,
    data: run_images.Locations | None = None,
    watch: Watch | None = None,
    done: Done | None = None,
    tested: Tested | None = None,
    test_rows: TestRows | None = None,
    name: Text = "evaluation",
    tell: run_images.Tell = run_images.silent,
) -> dict[str, Any]:
    """Evaluate the network of a run; rows that are there already are kept, and not made again.

    Args:
        run: a run that has ended.
        options: what to evaluate; of several, all is fitted before the test set is read.
        source: labelled images with a validation set; None loads those of the run.
        data: without `source`, where the run's images lie if they have moved, such as
            {"folder": "photos"}; see `rotkeras.run.images.load_run_images`.
        watch: called before each fit with (its number from 0, all that are to be fitted); gives
            callbacks for its training.
        done: called after each fit with the unit and its new rows.
        tested: called while the test set is read with (rows evaluated, rows in all), first with 0.
        test_rows: given all rows, once all is fitted, returns those that the test set is read for;
            None for all of them. A row that has a test result keeps it.
        name: of the file, `<name>.json`, and of the folder of fitted classifiers. "evaluation" is
            of the run's own images; give another name for other images.
        tell: called with a line when the images are not where the recipe says, cannot be compared
            with those of training, or are left out.

    Returns:
        The content of `<name>.json`; docs/guides/evaluate_features.md says what is in it.

    Raises:
        UserError: for a run that has not ended, images that have changed since its training, that
            do not fit it or have no labels, a tap that is not there, or more labels per class than
            there are.
    """
    run.check_ended()
    check_writable(run.path, "The run folder", folder=True)
    recipe = run.load_recipe()
    if recipe.train.deterministic:
        devices.make_deterministic()
    if source is None:
        source = load_labelled_images(run, data, tell=tell)
    elif name == "evaluation":
        other = 'pass name="evaluation-other" to evaluate on other images.'
        run_images.check_images(run, source, remedy=other, tell=tell)
    network = load_network(run)
    check_source(source, network)
    wanted = [
        with_the_patches_of(recipe.task, each)
        for each in ([options] if isinstance(options, Options) else options)
    ]
    for tap in (tap for each in wanted for tap in each.taps or ()):
        taps.check(network, tap)
    for each in wanted:
        if (of := each.of_patches) is not None:
            patch_network(
                network, of.grid, of.crop, of.standardize
            )  # what is too small is said now
    keras.utils.set_random_seed(recipe.train.seed)
    assert source.validation is not None  # check_source
    units = list(
        dict.fromkeys(
            unit
            for each in wanted
            for unit in plan(each, taps.names(network), taps.default(network))
        )
    )
    validation, left_out = measurable(source.train, source.validation)
    for line in left_out:
        if line not in source.notes:  # which were shown when the images were loaded
            tell(line)
    images = {
        "source": source.name,
        "train": len(source.train),
        "validation": len(validation),
        "fingerprint": source_fingerprint(source),
    }
    earlier = f"{sampled_digest(source.train)}-{sampled_digest(source.validation)}"
    path = run.path / f"{name}.json"
    with one_writer(path):
        record = Record(
            path, {"file": run.model.name, "sha256": weights_digest(network)}, images, earlier
        )
        work = _Work(
            network,
            replace(source, validation=validation),
            build_augmentation(recipe),
            recipe.train.xla,
            run.path / name,
            record,
        )
        record.content["default_tap"] = taps.default(network)
        for unit in list(units):  # what is too large is said before hours of fitting
            if (neighbours := neighbours_of(unit.probe)) and neighbours > (
                count := len(work.labelled(unit))
            ):
                if any(each.probes != ALL_PROBES and unit.probe in each.probes for each in wanted):
                    raise UserError(
                        f"{unit.probe} must have at most {count} neighbours, the labelled images of"
                        f" {unit.title()}; lower it."
                    )
                units.remove(unit)  # of the default probes
            work.labelled(unit)
        work.drop_lost()
        missing = [left for unit in units if (left := _left(unit, record))]
        for number, unit in enumerate(missing):
            rows = work.fit(unit, watch(number, missing) if watch else ())
            record.add(rows)
            if done:
                done(unit, rows)
        work.read_test(tested, tell, test_rows)
    return record.content


def load_network(run: Run) -> keras.Model:
    """The flat network of a run after its last epoch; a `UserError` when the run has not ended."""
    run.check_ended()
    try:
        return keras.models.load_model(run.model, compile=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{run.model} could not be loaded ({error}). Train it again.") from None


def weights_digest(network: keras.Model) -> str:
    """SHA-256 of a network's weights, in their order; unlike that of its file it is the same
    however often it is saved."""
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def check_source(source: Source, network: keras.Model) -> None:
    """Raise a `UserError` unless the images have labels of two classes, a validation set, and the
    network's size."""
    if source.train.labels is None:
        raise UserError(
            f"An evaluation needs labels, and the images of {source.name} have none; evaluate on"
            " labelled images with --labelled."
        )
    check_labels(source.train.labels)
    if source.validation is None or source.validation.labels is None:
        raise UserError(
            f"An evaluation needs labelled validation images, and {source.name} has none; evaluate"
            " on other images with --labelled, or train with data.validation_fraction above 0."
        )
    expected, received = tuple(network.input_shape[1:3]), source.image_shape[:2]
    if expected != received:
        raise UserError(
            f"The network takes images of {expected[0]}×{expected[1]}, and those of {source.name}"
            f" are {received[0]}×{received[1]}; load them with image_size={expected[0]}."
        )


def _left(unit: Unit, record: Record) -> Unit | None:
    """The unit without the taps whose rows are there; None when nothing is left."""
    left = tuple(tap for tap in unit.taps if not record.find(unit.row(tap)))
    return replace(unit, taps=left) if left else None


class _Work:
    """Fits units, and keeps between them what several need: the network of a mode and seed, and its
    pooled features."""

    def __init__(
        self,
        network: keras.Model,
        source: Source,
        augmentation: list[Any],
        xla: bool,
        folder: Path,
        record: Record,
    ) -> None:
        self.trained = network
        self.source = source
        self.augmentation = augmentation
        self.xla = xla
        self.folder = folder
        self.record = record
        self._subsets: dict[tuple[int | None, str, int], Images] = {}
        self._network: tuple[Any, keras.Model] | None = None
        self._pooled: dict[int, PooledFeatures] = {}

    def labelled(self, unit: Unit) -> Images:
        """The training images that the unit may know the labels of."""
        if unit.labels_per_class is None:
            return self.source.train
        key = unit.labels_per_class, unit.draw, unit.seed if unit.draw == "seeded" else 0
        if key not in self._subsets:
            seed = unit.seed if unit.draw == "seeded" else None
            self._subsets[key] = self.source.train.per_class(unit.labels_per_class, seed)
        return self._subsets[key]

    def fit(self, unit: Unit, callbacks: Sequence[Any]) -> list[dict[str, Any]]:
        """Fit a unit, keep its classifier, and give its rows with validation results."""
        started = time.perf_counter()
        devices.reset_peak_memory()
        probe = self._fit(unit, callbacks)
        seconds = time.perf_counter() - started
        memory = devices.peak_memory()
        validation = self.source.validation
        assert validation is not None
        predicted = probe.predict(validation)
        path = self._keep(unit, probe)
        names = self.source.train.class_names
        return [
            {
                **unit.row(tap),
                "epoch": probe.epochs.get(tap),
                "epochs": unit.epochs or None,
                "validation": result(validation.labels, predicted[tap], names),
                "test": None,
                "seconds": round(seconds, 1),
                "taps_in_pass": len(unit.taps),
                "peak_memory_mib": memory,
                "classifier": path,
            }
            for tap in unit.taps
        ]

    def _fit(self, unit: Unit, callbacks: Sequence[Any] = ()) -> FittedProbe:
        network, pooled = self._network_of(unit)
        return fit(
            network,
            unit.probe,
            self.labelled(unit),
            # With few labels the last epoch is taken, see `record.PROTOCOL`.
            self.source.validation if unit.labels_per_class is None else None,
            taps=unit.taps,
            budget=unit.settings or "fast",
            augmentation=self.augmentation,
            trainable=unit.trainable,
            supervised=unit.mode == "scratch",
            seed=unit.seed,
            pooled=pooled,
            xla=self.xla,
            callbacks=callbacks,
        )

    def _network_of(self, unit: Unit) -> tuple[keras.Model, PooledFeatures]:
        key = (
            unit.mode in ("random", "scratch"),
            unit.seed if unit.mode in ("random", "scratch") else None,
            unit.patches,
        )
        if self._network is None or self._network[0] != key:
            self._network, self._pooled = None, {}  # old features go before the new ones come
            network = taps.untrained_copy(self.trained, unit.seed) if key[0] else self.trained
            if unit.patches:
                network = patch_network(network, **asdict(unit.patches))
            self._network = key, network
        network, most = self._network[1], pooled_features(unit.probe)
        if most not in self._pooled:
            self._pooled[most] = PooledFeatures(network, features=most)
        return network, self._pooled[most]

    def _keep(self, unit: Unit, probe: FittedProbe) -> str | None:
        """Write the classifier, for the test set is read later, perhaps by another process; kNN is
        fitted again instead."""
        if probe.model is None:
            return None
        labels = unit.labels_per_class or "all"
        # The hash is of all that tells this unit from others, so that no two have one file, and a
        # repeated fit has its own again.
        digest = zlib.crc32(repr(unit).encode())
        path = self.folder / f"{unit.probe}-{unit.mode}-{labels}-seed{unit.seed}-{digest:08x}.keras"
        write_whole(path, probe.model.save)
        return path.name

    def drop_lost(self) -> None:
        """Take out rows that wait for the test set and whose classifier is gone: they are fitted
        again when asked for."""
        waiting = [row for row in self.record.rows if row["test"] is None and row["classifier"]]
        self.record.drop([row for row in waiting if not (self.folder / row["classifier"]).exists()])

    def read_test(
        self,
        tested: Tested | None = None,
        tell: run_images.Tell = run_images.silent,
        test_rows: TestRows | None = None,
    ) -> None:
        """Evaluate every row that has no test result, or those of them that are wanted, on the test
        set; rows of one fit are written together."""
        groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        rows = self.record.rows
        for row in rows if test_rows is None else test_rows(rows):
            if row["test"] is None:
                fitted = row["classifier"] or tuple(str(row[name]) for name in KEY if name != "tap")
                groups.setdefault((row["classifier"] is None, row["mode"], fitted), []).append(row)
        if not groups:
            return
        test = self.source.test
        self.record.content["test_part"] = (
            "none" if test is None else "without labels" if test.labels is None else "evaluated"
        )
        if test is None or test.labels is None:
            self.record.write()
            return
        if test.image_shape != self.source.image_shape:
            raise UserError(
                "The test images must be"
                f" {self.source.image_shape[0]}×{self.source.image_shape[1]}, as those of training,"
                f" got {test.image_shape[0]}×{test.image_shape[1]}."
            )
        count = sum(len(rows) for rows in groups.values())
        whole, (test, left_out) = test, measurable(self.source.train, test, "test")
        for line in left_out:
            tell(line)
        self.record.begin_test(count, whole, len(test))
        finished = 0
        for _, rows in sorted(groups.items(), key=lambda item: str(item[0])):
            if tested:
                tested(finished, count)
            predicted = self._test_predictions(rows, test)
            for row in rows:
                row["test"] = result(
                    test.labels, predicted[row["tap"]], self.source.train.class_names
                )
            self.record.write()
            finished += len(rows)

    def _test_predictions(self, rows: list[dict[str, Any]], test: Images) -> dict[str, Any]:
        row = rows[0]
        labels = None if row["labels_per_class"] == "all" else row["labels_per_class"]
        of_patches = row.get("patches")
        unit = Unit(
            of_patches["probe"] if of_patches else row["probe"],
            row["mode"],
            labels,
            row["draw"],
            row["seed"],
            tuple(each["tap"] for each in rows),
            patches=(
                Patches(**{name: of_patches[name] for name in ("grid", "crop", "standardize")})
                if of_patches
                else None
            ),
        )
        if row["classifier"] is None:
            return self._fit(unit).predict(test)
        classes = np.unique(check_labels(self.labelled(unit).labels))
        scores = extract(
            keras.models.load_model(self.folder / row["classifier"], compile=False), test
        )
        return {tap: classes[np.argmax(each, axis=1)] for tap, each in scores.items()}
