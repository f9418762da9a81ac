"""The part of a page that needs networks and images."""

import zipfile
from collections.abc import Callable
from typing import Any

from rotkeras.errors import UserError
from rotkeras.report.collect import Gathered
from rotkeras.run.images import Locations


def add_pictures(
    section: dict[str, Any],
    run: Gathered,
    data_dir: str | None,
    tell: Callable[[str], None],
    data: Locations | None = None,
) -> None:
    """Add attention, filters, neighbours and the map of embeddings to a section; what cannot be
    made is noted in it."""
    from rotkeras.attention.network import load_network
    from rotkeras.backbones import taps
    from rotkeras.embedding import load_encoder
    from rotkeras.report import encoders, pictures
    from rotkeras.report.images import sample_of_run

    notes = section["notes"]
    tell(f"{run.name}: network")
    try:
        network = load_network(run.run.path)
    except UserError as error:
        notes.append(f"No pictures of the network: {error}")
        return
    untrained = taps.untrained_copy(network.model, run.recipe.train.seed)
    networks = {"untrained": untrained, "trained": network.model}
    supervised = pictures.supervised_network(run)
    if supervised is not None:
        networks[supervised[0]] = supervised[1]
    try:
        section["filters"], section["variety"] = pictures.filters(networks)
    except UserError as error:
        notes.append(f"No filters: {error}")

    tell(f"{run.name}: images")
    settings = run.recipe.report
    points = settings.points if settings else 600
    try:
        sample = sample_of_run(
            run.run, network.size, points, run.recipe.train.seed, data_dir, data, notes.append
        )
    except (UserError, OSError, ValueError, zipfile.BadZipFile) as error:
        notes.append(f"No pictures of images: {error}")
        tell(f"{run.name}: no pictures of images: {error}")
        return
    section["sample"] = (
        f"{len(sample.images):,} images drawn from {sample.of:,} of the"
        f" {'test set' if sample.part == 'test' else 'source'}; they are not used for model"
        " selection."
    )
    tell(f"{run.name}: attention")
    section["attention"], section["equivariance"] = pictures.attention(
        run, network.model, untrained, sample.images
    )
    tell(f"{run.name}: embeddings")
    try:
        embedded = encoders.embed_once(load_encoder(run.run.path), sample.images.array)
        section["encoders"] = encoders.encoder_table(run, embedded)
        section["neighbours"], section["alike"] = pictures.neighbours(
            run, embedded.encoder, sample.images, sample.part
        )
        section["map"] = pictures.embedding_map(
            embedded.features, sample.images, f"{run.key}-map", run.recipe.train.seed
        )
    except UserError as error:
        notes.append(f"No embeddings: {error}")
