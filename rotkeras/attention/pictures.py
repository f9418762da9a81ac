"""Draw what networks look at in images of any size: one picture for each image."""

import functools
import itertools
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import CamMethod
from rotkeras.attention.network import Network
from rotkeras.errors import UserError, brief
from rotkeras.files import check_writable, write_whole

if TYPE_CHECKING:
    from rotkeras.embedding.image_list import ImageList

IMAGES_AT_ONCE = 16
ACTIVATION = "activation"


@dataclass(frozen=True)
class View:
    """What to draw of each image.

    Attributes:
        methods: "activation", or names of `rotkeras.attention.METHODS`.
        taps: names of taps; empty for the first three (activation) or the last (class activation
            maps).
        powers: of activation, one for all taps or one for each; empty for the published ones.
        rotations: whether to draw the four rotated copies.
        target: the class to explain, by name; None for the predicted class of each view.
        side: pixels of each tile.
    """

    methods: tuple[str, ...] = (ACTIVATION,)
    taps: tuple[str, ...] = ()
    powers: tuple[float, ...] = ()
    rotations: bool = False
    target: str | None = None
    side: int = 160


def attend(
    networks: Sequence[Network],
    lists: Sequence["ImageList"],
    folder: Path,
    view: View | None = None,
    most: int = 100,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Draw one picture for each image: the image, and a map for each method and tap of each
    network.

    Args:
        networks: one, or several whose pictures are put beside each other, as in figure 3.
        lists: images, decoded when they are wanted.
        folder: where the pictures go; made when it is not there.
        view: what to draw.
        most: most images; of more, so many evenly spread.
        overwrite: replace pictures that are there.
        progress: called with (images drawn, images in all).

    Returns:
        The pictures written, in the order of the images. What could not be read is in the lists'
        `skipped`.

    Raises:
        UserError: for a method, tap, power or target that is not there, and for a picture that is
            there already.

    Reference:
        figures 3 and 6 of Gidaris et al., ICLR 2018.
    """
    from rotkeras.data.source import BadImage

    view = view or View()
    chosen = _chosen(lists, most)
    names = _file_names([lists[which].names[position] for which, position in chosen], view)
    targets = _targets(networks, view)
    there = [name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise UserError(
            f"{folder / there[0]} already exists. Add --overwrite, or give another folder with -o."
        )
    make_folder(folder)
    written = []
    sizes = {view.side, *(network.size for network in networks)}
    for start in range(0, len(chosen), IMAGES_AT_ONCE):
        part, shown = [], []
        for (which, position), name in zip(
            chosen[start : start + IMAGES_AT_ONCE], names[start:], strict=False
        ):
            images = lists[which]
            item = images.item(position)
            try:
                part.append({size: _square(images.read(item, size), size) for size in sizes})
                shown.append((folder / name, images.names[position]))
            except Exception as error:
                images.skipped.append(BadImage.of(str(item), brief(error)))
        drawn = (
            _draw(networks, targets, part, [title for _, title in shown], view)
            if part
            else iter(())
        )
        for (path, _), picture in zip(shown, drawn, strict=True):
            try:
                write_whole(path, functools.partial(picture.save, format="PNG"))
            except OSError as error:
                raise UserError(
                    f"{path} could not be written ({error.strerror}): give another folder with -o."
                ) from None
            written.append(path)
        if progress:
            progress(min(start + IMAGES_AT_ONCE, len(chosen)), len(chosen))
    return written


def maps_of(
    network: Network, images: NDArray[np.uint8], view: View, target: int | None = None
) -> dict[str, NDArray[np.float32]]:
    """The maps of images (N, V, S, S, 3) of one network: column title -> float32 (N, V, h, w)."""
    from rotkeras.attention import activation_maps, class_activation_maps
    from rotkeras.backbones import taps

    count, views = images.shape[:2]
    flat = images.reshape(-1, *images.shape[2:])
    found: dict[str, NDArray[np.float32]] = {}
    for method in view.methods:
        if method == ACTIVATION:
            wanted = list(view.taps) or taps.names(network.model)[:3]
            powers = view.powers[0] if len(view.powers) == 1 else view.powers or None
            maps = activation_maps(network.model, flat, wanted, powers)
            named = {
                tap if len(view.methods) == 1 else f"{tap} {method}": each
                for tap, each in maps.items()
            }
        else:
            if len(network.model.outputs[0].shape) != 2:
                raise UserError(
                    f"--method {method} shows where an image speaks for a class, and the network"
                    f" {network.name!r} predicts none. Use --method {ACTIVATION}."
                )
            named = {}
            marked = [
                layer.name for layer in network.model.layers if type(layer).__name__ == "Identity"
            ]
            # A classifier without taps is explained at its last feature map.
            for tap in [None] if method == "saliency" else list(view.taps) or marked[-1:] or [None]:
                asked = (
                    ""
                    if target is None
                    else f" {network.answers[target] if network.answers else target}"
                )
                title = (method if tap is None else f"{tap} {method}") + asked
                named[title] = class_activation_maps(
                    network.model, flat, cast(CamMethod, method), tap, target, network.output
                )
        found |= {
            title: each.reshape(count, views, *each.shape[1:]) for title, each in named.items()
        }
    return found


def _draw(
    networks: Sequence[Network],
    targets: Sequence[int | None],
    images: list[dict[int, Any]],
    titles: list[str],
    view: View,
) -> Iterator[Any]:
    from rotkeras.attention import attention_grid, quadruples

    def views(size: int) -> NDArray[np.uint8]:
        upright = np.stack([each[size] for each in images])
        return quadruples(upright) if view.rotations else upright[:, None]

    shown = views(view.side)
    rows = ("0°", "90°", "180°", "270°") if view.rotations else ()
    maps = [
        maps_of(network, views(network.size), view, target)
        for network, target in zip(networks, targets, strict=True)
    ]
    for number, title in enumerate(titles):
        yield beside(
            [
                attention_grid(
                    shown[number : number + 1],
                    {column: each[number : number + 1] for column, each in of_network.items()},
                    rows,
                    [title if len(networks) == 1 else f"{network.name}: {title}"],
                    view.side,
                )
                for network, of_network in zip(networks, maps, strict=True)
            ]
        )


def beside(pictures: Sequence[Any]) -> Any:
    """Pictures of Pillow in a row, on white."""
    from PIL import Image

    if len(pictures) == 1:
        return pictures[0]
    whole = Image.new(
        "RGB",
        (sum(each.width for each in pictures), max(each.height for each in pictures)),
        "white",
    )
    left = 0
    for each in pictures:
        whole.paste(each, (left, 0))
        left += each.width
    return whole


def _chosen(lists: Sequence["ImageList"], most: int) -> list[tuple[int, int]]:
    every = [
        (which, position) for which, images in enumerate(lists) for position in range(len(images))
    ]
    if len(every) <= most:
        return every
    return [every[int(place)] for place in np.linspace(0, len(every) - 1, most)]


def _file_names(names: Sequence[str], view: View) -> list[str]:
    """A name for each picture, unlike all others: folders become part of it."""
    ending = "-".join(view.methods).replace("+", "p")
    stems = [
        re.sub(r"[^\w.+-]+", "-", str(PurePosixPath(name).with_suffix("")).replace("/", "-")).strip(
            "-."
        )
        or "image"
        for name in names
    ]
    seen: set[str] = set()
    found = []
    for stem in stems:
        # A file name has 255 bytes, with the ending and what is put before it while it is written.
        short = stem.encode()[-160:].decode(errors="ignore")
        numbered = itertools.chain([short], (f"{short}-{number}" for number in itertools.count(2)))
        name = next(each for each in numbered if each.casefold() not in seen)
        seen.add(name.casefold())
        found.append(f"{name}-{ending}.png")
    return found


def _targets(networks: Sequence[Network], view: View) -> list[int | None]:
    """The class to explain of each network; one without that class, such as a classifier beside,
    explains its own prediction."""
    if view.target is None or set(view.methods) == {ACTIVATION}:
        return [None] * len(networks)
    found: list[int | None] = []
    unknown = None
    for network in networks:
        try:
            found.append(network.target(view.target))
        except UserError as error:
            unknown = unknown or error
            found.append(None)
    if unknown and all(each is None for each in found):
        raise unknown
    return found


def _square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """An image as it was read at a size: files have it already, those of arrays come as they
    are."""
    if pixels.shape[:2] == (size, size):
        return pixels
    from PIL import Image

    from rotkeras.attention.grids import enlarge
    from rotkeras.images import fit

    if max(pixels.shape[:2]) < size:
        return np.asarray(enlarge(fit(Image.fromarray(pixels), min(pixels.shape[:2])), size, size))
    return fit(Image.fromarray(pixels), size)


def make_folder(folder: Path) -> None:
    """Make the folder for the pictures; a `UserError` when it cannot be made or written to."""
    check_writable(folder, "-o", folder=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"The folder {str(folder)!r} cannot be written to ({error.strerror}): give another one"
            " with -o."
        ) from None
