"""How fast photographs become random crops: ours, decoding alone, and a PyTorch loader of the same
files and boxes."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rotkeras.arguments.accepted import AnyPath, Positive, Seed, Side, Text
from rotkeras.arguments.checked import checked
from rotkeras.benchmark.peer import PEERS, find_torch
from rotkeras.benchmark.results import PeerSetting, Spread
from rotkeras.data import load
from rotkeras.data.encoded import EncodedImages, whole_pixels
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import random_resized_crop
from rotkeras.data.taken import taker
from rotkeras.device.host import describe_host
from rotkeras.files import temporary_folder
from rotkeras.images import load_pixels, open_image
from rotkeras.new_process import lines

_SECONDS = 2.0
_BATCH = 64


@dataclass(frozen=True)
class InputBenchmark:
    """Images per second of decoding, cropping and flipping.

    Attributes:
        folder: of the photographs.
        images: how many there are.
        sides: median height and width of them.
        size: pixels of each side of a crop.
        machine: processor and cores.
        crops: ours, on all cores.
        decoding: Pillow's whole decode of the same files, on all cores: what a loader that decodes
            everything cannot exceed.
        peer: each setting of the PyTorch loader; empty without one.
        torch: its version; None without one.
        ratio: ours to the fastest of them, of the medians; None without one.
        share: ours to decoding alone.
    """

    folder: str
    images: int
    sides: tuple[int, int]
    size: int
    machine: dict[str, Any]
    crops: Spread
    decoding: Spread
    peer: tuple[PeerSetting, ...]
    torch: str | None
    ratio: float | None
    share: float

    def content(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@checked
def benchmark_input(
    folder: AnyPath,
    size: Side = 224,
    repeats: Positive = 3,
    seed: Seed = 0,
    peer: bool = False,
    peer_python: Text | None = None,
    tell: Callable[[str], None] | None = None,
) -> InputBenchmark:
    """Measure random resized crops (area 0.08 … 1) of a folder of photographs, with flips.

    Args:
        folder: photographs of any format.
        size: pixels of each side of a crop.
        repeats: measurements of each, two seconds long.
        seed: of the boxes.
        peer: run a `DataLoader` with torchvision's transforms (v2) on the same files and boxes,
            with one worker per core: by Pillow, and by torchvision's own decoder.
        peer_python: the Python that has torch and torchvision; None for ROTKERAS_TORCH_PYTHON, or
            the one that runs.
        tell: called with a line for each thing that is measured.

    Raises:
        UserError: for a folder without photographs, and a peer that cannot be run.
    """
    tell = tell or (lambda _line: None)
    torch = find_torch(peer_python, torchvision=True) if peer else None
    source = load(
        Path(folder), image_size=size, storage="encoded", labels="none", validation_fraction=0.0
    )
    array: Any = source.train.array
    assert isinstance(array, EncodedImages)
    cores = describe_host().cores
    crop: Any = random_resized_crop()
    take = taker(source.train, [crop])

    def batches() -> Iterator[tuple[int, Key]]:
        random, epoch = np.random.default_rng(seed), 0
        while True:
            rows = random.integers(0, len(source.train), _BATCH)
            yield epoch, Key(np.int64(seed), np.int64(epoch), rows)
            epoch += 1

    given = batches()

    def ours() -> int:
        _, key = next(given)
        return len(take(key.index, key))

    crops = _rates(ours, repeats)
    tell(f"crops, {cores} cores: {crops.median:,.0f} images/s")
    with ThreadPoolExecutor(cores) as pool:
        paths = [array.files.where(row) for row in range(len(array))]
        random = np.random.default_rng(seed)

        def decode() -> int:
            chosen = random.integers(0, len(paths), _BATCH)
            return sum(pool.map(lambda at: _decode(paths[at]), chosen.tolist()))

        decoding = _rates(decode, repeats)
    tell(f"decoding alone, {cores} cores: {decoding.median:,.0f} images/s")
    settings: list[PeerSetting] = []
    if torch is not None:
        settings = _peer(torch, array, crop, size, repeats, seed, cores, tell)
    best = max(
        (each.views_per_second.median for each in settings if each.views_per_second), default=0
    )
    middle = np.median(array.headers.shapes, axis=0).astype(int).tolist()
    return InputBenchmark(
        str(folder),
        len(source.train),
        (middle[0], middle[1]),
        size,
        {"processor": describe_host().processor, "cores": cores},
        crops,
        decoding,
        tuple(settings),
        torch.version if torch is not None else None,
        crops.median / best if best else None,
        crops.median / decoding.median,
    )


def _rates(once: Callable[[], int], repeats: int) -> Spread:
    """Images per second of each repeat; the first call, which opens files anew, does not count."""
    once()
    rates = []
    for _ in range(repeats):
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < _SECONDS:
            count += once()
        rates.append(count / (time.perf_counter() - began))
    return Spread.of(rates)


def _decode(path: str) -> int:
    with open_image(path) as image:
        load_pixels(image)
    return 1


def _peer(
    torch: Any,
    array: EncodedImages,
    crop: Any,
    size: int,
    repeats: int,
    seed: int,
    cores: int,
    tell: Callable[[str], None],
) -> list[PeerSetting]:
    rows = np.arange(len(array))
    shares, flips = crop.boxes(Key(np.int64(seed), np.int64(0), rows), array.sides(rows))
    boxes = whole_pixels(shares, array.sides(rows))
    settings = []
    with temporary_folder() as folder:
        request = folder / "request.json"
        wanted = {
            "paths": [array.files.where(row) for row in range(len(array))],
            "boxes": boxes.tolist(),
            "flips": flips.tolist(),
            "size": size,
            "images_per_batch": _BATCH,
            "workers": cores,
            "repeats": repeats,
            "seconds": _SECONDS,
        }
        request.write_text(json.dumps(wanted), encoding="utf-8")
        environment = {"PYTHONPATH": str(PEERS), "PYTHONSAFEPATH": "1"}
        command = [torch.python, "-m", "peer_torch.photographs", str(request)]
        for line in lines(command, environment, "the PyTorch loader"):
            rates = line.get("images_per_second")
            setting = PeerSetting(
                line["setting"], Spread.of(rates) if rates else None, 0, line.get("error")
            )
            settings.append(setting)
            rate = setting.views_per_second
            said = f"{rate.median:,.0f} images/s" if rate else setting.error
            tell(f"PyTorch, {setting.name}: {said}")
    return settings
