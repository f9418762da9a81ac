"""Pictures of a run: attention grids, filters, nearest neighbours, and a map of the embeddings."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.attention import (
    attention_grid,
    filter_grid,
    filter_variety,
    first_filters,
    mean_correlation,
    quadruple_maps,
    quadruples,
)
from rotkeras.backbones import taps
from rotkeras.data.source import Images
from rotkeras.embedding import Encoder, nearest
from rotkeras.embedding.contact_sheet import draw_sheet
from rotkeras.embedding.image_list import ImageList
from rotkeras.errors import UserError
from rotkeras.page import Cell, Figure, Picture, Table, new_axes, to_figure, to_picture
from rotkeras.page.figures import MARKERS, PALE, SERIES, plain
from rotkeras.report.collect import Gathered
from rotkeras.report.curves import put_legend

VIEWS = ("0°", "90°", "180°", "270°")
SCORED_IMAGES = 32
MOST_CLASSES = 10


def attention(
    run: Gathered, model: keras.Model, untrained: keras.Model, images: Images
) -> tuple[Picture, Table]:
    """The attention grid of some images, and the equivariance score of each tap, trained beside
    untrained."""
    settings = run.recipe.attention
    wanted = list((settings and settings.taps) or taps.names(model)[:3])
    powers = settings.powers if settings else None
    count = run.recipe.report.images if run.recipe.report else 4
    # Evenly spread: folders and sets are often sorted by class.
    positions = spread(len(images), SCORED_IMAGES)
    scored = images.take(positions)
    maps = quadruple_maps(model, scored, wanted, powers)
    chosen = spread(len(scored), count)
    shown = len(chosen)
    grid = attention_grid(
        quadruples(scored[chosen]),
        {tap: each[chosen] for tap, each in maps.items()},
        VIEWS,
        [_title(images, int(position)) for position in positions[chosen]],
        side=96,
        columns=2,
    )
    picture = to_picture(
        grid,
        f"{shown} images in their four rotations, each beside its attention maps at"
        f" {', '.join(wanted)}: bright where the features are strong.",
        "Where the features are strong: |activation|^p, summed over the channels. Do the bright"
        " places turn with the image?",
        lossless=False,
    )
    before = quadruple_maps(untrained, scored, wanted, powers)
    rows = [
        [tap, *(_score(mean_correlation(each[tap])) for each in (before, maps))] for tap in wanted
    ]
    caption = (
        f"Equivariance score on {len(scored)} images: correlation of the four maps rotated back; 1"
        " when they turn with the image."
    )
    return picture, Table(caption, ["tap", "untrained", "trained"], rows)


def spread(count: int, wanted: int) -> NDArray[np.int64]:
    """At most so many positions of `count`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(np.int64))


def filters(networks: dict[str, keras.Model]) -> tuple[list[Picture], Table]:
    """First-layer filters of several networks beside each other, and how much variety there is in
    them."""
    pictures, rows = [], []
    for name, model in networks.items():
        kernels = first_filters(model)
        variety = filter_variety(kernels)
        side = kernels.shape[1]
        scale = max(2, 30 // side)
        text = (
            f"{name}: {len(kernels)} filters of {side}×{kernels.shape[2]}, from low to high"
            " frequency"
        )
        pictures.append(
            to_picture(
                filter_grid(kernels, scale, columns=12),
                f"First-layer filters, {text}",
                text,
                pixelated=True,
            )
        )
        rows.append(
            [
                name,
                *(
                    Cell(f"{value:.2f}", value)
                    for value in (
                        variety.selectivity,
                        variety.orientation_spread,
                        variety.frequency_spread,
                    )
                ),
            ]
        )
    key = {
        "selectivity": (
            "how strongly a filter prefers one orientation: 0 for a spot, towards 1 for a wave"
        ),
        "orientation spread": "entropy of the preferred orientations, 0 … 1",
        "frequency spread": "entropy of the preferred frequencies, 0 … 1",
    }
    caption = "Filter statistics. Noise also has a high spread, so compare all three."
    return pictures, Table(caption, ["network", *key], rows, key=key)


def neighbours(run: Gathered, encoder: Encoder, images: Images, part: str) -> tuple[Picture, str]:
    """Some images with their nearest neighbours, and, unless they are of the test set, the share of
    neighbours with the query's class."""
    count = run.recipe.report.queries if run.recipe.report else 6
    listed = as_list(images)
    found = nearest(encoder, listed, listed, k=5, most_queries=count)
    sheet = draw_sheet(found, side=112)
    lines = []
    for query in range(len(found.query_positions)):
        position = int(found.query_positions[query])
        about = listed.class_of(position) or listed.names[position]
        lines.append(
            f"{about}: {', '.join(each.class_name or each.name for each in found.of(query))}"
        )
    picture = to_picture(
        sheet, f"Query images with their five nearest. {'; '.join(lines)}.", "", lossless=False
    )
    # Labels of a test set are for evaluations alone.
    share = None if part == "test" else found.share_of_class()
    sentences = (
        f" {100 * share[0]:.0f} % of these have the query's class; of images drawn at random"
        f" {100 * share[1]:.0f} % would."
        if share
        else ""
    )
    return (
        picture,
        (
            f"Nearest by cosine distance among {len(images):,} images; the query itself is left"
            f" out.{sentences}"
        ),
    )


def embedding_map(
    features: NDArray[np.float32], images: Images, name: str, seed: int = 0
) -> Figure | None:
    """A 2-D map of embeddings by t-SNE, coloured by class; None for fewer than ten images, or
    embeddings that are all the same."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    wide = features.astype(np.float64)
    wide = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    if len(wide) < 10 or np.allclose(wide, wide[:1]):
        return None
    reduced = PCA(min(30, *wide.shape), random_state=seed).fit_transform(wide)
    perplexity = min(30.0, (len(wide) - 1) / 3)
    reduced /= max(float(reduced[:, 0].std()), 1e-12)
    with threadpool_limits(
        1, user_api="openmp"
    ):  # so few points cost four times as much on two threads
        places = TSNE(
            2, perplexity=perplexity, init="pca", random_state=seed, max_iter=500
        ).fit_transform(reduced)
    figure, axes = new_axes(5.4, 4.0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    values: dict[str, list[str]] = {}
    labels = images.labels if images.labels is not None else np.zeros(len(images), np.int64)
    there = sorted(set(labels.tolist()))
    groups = [(label, labels == label) for label in there[:MOST_CLASSES]]
    if len(there) > MOST_CLASSES:
        groups.append((-1, ~np.isin(labels, there[:MOST_CLASSES])))
    for number, (label, mask) in enumerate(groups):
        title = (
            images.class_names[label]
            if images.class_names and label >= 0
            else "other classes"
            if label < 0
            else "images"
        )
        gid = f"group{number}"
        colour = PALE if label < 0 else SERIES[number]
        marker = "." if label < 0 else MARKERS[number]
        axes.plot(
            *places[mask].T,
            color=colour,
            marker=marker,
            markersize=4,
            linestyle="none",
            alpha=0.85,
            label=plain(title),
            gid=gid,
        )
        values[gid] = [_title(images, int(position)) for position in np.flatnonzero(mask)]
    if images.labels is not None:
        put_legend(
            axes,
            [images.class_names[label] if label >= 0 else "other classes" for label, _ in groups],
        )
    coloured = (
        "coloured and marked by class" if images.labels is not None else "images without classes"
    )
    words = (
        f"Points are {coloured}. t-SNE (perplexity {perplexity:.0f}, seed {seed}): near points are"
        " alike for the encoder; distances between far groups mean nothing."
    )
    return to_figure(figure, name, f"{len(wide):,} images by their embeddings", words, values)


def as_list(images: Images) -> ImageList:
    """Images in memory as a list that the embedding room reads."""
    names = list(images.names) if images.names is not None else [str(row) for row in images.rows]
    return ImageList(
        names,
        lambda position: position,
        lambda row, _size: images.array[images.rows[row]],
        images.labels,
        images.class_names,
    )


def supervised_network(run: Gathered) -> tuple[str, keras.Model] | None:
    """A name and a network that learned from labels alone, kept by an evaluation of the run's
    images; that of most labels."""
    found: list[tuple[float, Any]] = []
    for evaluation in run.evaluations:
        if evaluation.name != "evaluation":
            continue
        for row in evaluation.rows:
            file = run.run.path / evaluation.name / (row.get("classifier") or "")
            if row["mode"] == "scratch" and file.is_file():
                labels = row["labels_per_class"]
                found.append((float("inf") if labels == "all" else float(labels), file))
    if not found:
        return None
    labels, file = max(found, key=lambda each: each[0])
    name = "supervised" if labels == float("inf") else f"supervised, {labels:.0f} labels per class"
    try:
        return name, keras.models.load_model(file, compile=False)
    except (ValueError, OSError, UserError):
        return None


def _title(images: Images, position: int) -> str:
    label = (
        images.class_names[images.labels[position]]
        if images.labels is not None and images.class_names
        else ""
    )
    name = (
        images.names[images.rows[position]]
        if images.names is not None
        else str(images.rows[position])
    )
    name = name.removeprefix(f"{label}/")
    if name.isdigit():  # a row of an array, and no file
        name = f"no. {name}"
    return f"{label}: {name}" if label else name


def _score(value: float | None) -> Cell | None:
    return None if value is None else Cell(f"{value:.2f}", value)
