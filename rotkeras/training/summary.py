"""What came out of a training, for `summary.json`."""

import os
import platform
from typing import Any

from rotkeras import __version__
from rotkeras.data import Source
from rotkeras.recipe import Recipe
from rotkeras.run import images as run_images
from rotkeras.run.folder import versions
from rotkeras.training import devices, placement
from rotkeras.training.callbacks.metrics_log import MetricsLog, read_metrics
from rotkeras.training.callbacks.replaced_images import encoded_arrays, replaced


def summarise(
    recipe: Recipe,
    source: Source,
    task: Any,
    model: Any,
    state: dict[str, Any],
    log: MetricsLog,
    labelled: Source | None = None,
) -> dict[str, Any]:
    """The content of `summary.json`.

    Args:
        recipe: that was trained.
        source: its images.
        task: the pretext task.
        model: the network that is kept.
        state: of the last checkpoint.
        log: the rows of all epochs.
        labelled: the images of `probe.data`, or None.
    """
    rows = log.rows or read_metrics(log.path)
    probed = {int(epoch): result for epoch, result in state["probed"].items()}
    last = max(probed, default=None)
    return {
        "name": recipe.name,
        "source": source.name,
        "images": {
            "train": len(source.train),
            "validation": len(source.validation) if source.validation else 0,
            "skipped": [vars(bad) for bad in source.skipped],
            "replaced": [vars(bad) for bad in replaced(encoded_arrays(source))],
            "record": run_images.record(recipe, source, labelled),
        },
        "placement": placement.of(task),
        "epochs": len(rows),
        "seconds": round(state["seconds"], 1),
        "parameters": model.count_params(),
        "metrics": rows[-1],
        "probes": {
            "part": "validation",
            "epoch": last,
            "trained": probed[last] if last else None,
            "untrained": state["untrained"],
            "images": state.get("probed_images"),
            **({} if labelled is None else {"source": labelled.name}),
        },
        "quality": _quality(source, state.get("quality")),
        "encoder": {"best": state["best"], "last": state["last"]},
        "rotkeras": __version__,
        "versions": versions(),
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "backend": devices.backend(),
    }


def _quality(source: Source, state: dict[str, Any] | None) -> dict[str, Any] | None:
    """The last measures without labels beside those of the untrained network."""
    if state is None:
        return None
    measured = {int(epoch): result for epoch, result in state["results"].items()}
    last = max(measured, default=None)
    return {
        "part": "validation" if source.validation is not None else "train",
        "epoch": last,
        "trained": measured[last] if last else None,
        "untrained": state["untrained"],
        "images": state["images"],
        "views": state["views"],
    }
