"""Measure the features of a run without labels."""

from typing import Any

from rotkeras.arguments.accepted import TapNames, Text
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps as taps_
from rotkeras.data import Source
from rotkeras.data.fingerprint import source_fingerprint
from rotkeras.errors import UserError
from rotkeras.evaluate.evaluation import load_network, weights_digest
from rotkeras.files import check_writable, one_writer, write_json
from rotkeras.recipe.models import Quality
from rotkeras.run import images as run_images
from rotkeras.run.folder import Run
from rotkeras.training import devices
from rotkeras.training.callbacks import LabelFreeQuality
from rotkeras.training.notes import why_no_quality

PROTOCOL = (
    "Averages of each channel, of images as they are (rankme, alpha_req, uniformity) and of"
    " augmented views (lidar, alignment): SimCLR's crops and colours at their defaults, the same in"
    " every run on these images. Untrained: the network with newly drawn weights. No label was"
    " used, and no test image."
)


@checked
def evaluate_without_labels(
    run: Run,
    source: Source | None = None,
    *,
    taps: TapNames | None = None,
    data: run_images.Locations | None = None,
    name: Text = "quality",
    tell: run_images.Tell = run_images.silent,
) -> dict[str, Any]:
    """Measure every tap of a run's network, and of an untrained copy, by the measures of
    `rotkeras.quality`; as many images and views as the recipe's section `quality` says.

    Args:
        run: a run that has ended.
        source: images of the size of the network; its validation part, or training images where it
            has none. None loads those of the run.
        taps: the taps wanted; None for all.
        data: without `source`, where the run's images lie if they have moved; see
            `rotkeras.run.images.load_run_images`.
        name: of the file, `<name>.json`. "quality" is of the run's own images; give another name
            for other images.
        tell: called with a line when the images are not where the recipe says, or cannot be
            compared with those of training.

    Returns:
        The content of `<name>.json`: `protocol`, `network` (file, SHA-256), `images` (source, part,
        images, views, fingerprint), and `taps`: {tap: {"untrained" and "trained": {measure: value,
        or null}}}.

    Raises:
        UserError: for a run that has not ended, images that have changed since its training or do
            not fit it, and a tap that is not there.
    """
    run.check_ended()
    check_writable(run.path, "The run folder", folder=True)
    recipe = run.load_recipe()
    if recipe.train.deterministic:
        devices.make_deterministic()
    if source is None:
        source = run_images.load_run_images(run, data, tell=tell)
    elif name == "quality":
        other = 'pass name="quality-other" to measure on other images.'
        run_images.check_images(run, source, remedy=other, tell=tell)
    network = load_network(run)
    wanted = taps_.names(network) if taps is None else list(taps)
    for tap in wanted:
        taps_.check(network, tap)
    if reason := why_no_quality(source, network):
        raise UserError(f"The features cannot be measured on {source.name}: {reason}.")
    settings = recipe.quality or Quality()
    quality = LabelFreeQuality(
        source.validation or source.train, count=settings.images, views=settings.views
    )
    states = {
        "untrained": quality.measure(taps_.untrained_copy(network, recipe.train.seed)),
        "trained": quality.measure(network),
    }
    content = {
        "protocol": PROTOCOL,
        "network": {"file": run.model.name, "sha256": weights_digest(network)},
        "images": {
            "source": source.name,
            "part": "validation" if source.validation is not None else "train",
            "images": len(quality.images),
            "views": quality.views,
            "fingerprint": source_fingerprint(source),
        },
        "taps": {tap: {state: each[tap] for state, each in states.items()} for tap in wanted},
    }
    path = run.path / f"{name}.json"
    with one_writer(path):
        write_json(path, content)
    return content
