"""How memory grows with the number of image files: reading them into a cache, training from it,
`rotkeras embed`, and batches of images that stay encoded.

    python benchmarks/memory.py --files 10000 30000 100000 --json memory.json
    python benchmarks/memory.py --files 2000 1000000 --stages encoded again --batches 50 --links

Folders of small JPEG files are made (the same few hundred pictures again and again, a thousand in a
folder), each command runs in a process of its own, whose memory is read from /proc fifty times a
second, and all that was made is deleted again. Linux only. The disk needs the decoded images,
--size² × 3 bytes each: 2.8 GB for 100,000 of 96×96.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

READ = """
import sys
from rotkeras.data import load
source = load(sys.argv[1], image_size=int(sys.argv[2]), cache=sys.argv[3], validation_fraction=0)
assert len(source.train) == int(sys.argv[4])
"""
TRAIN = """
import sys
from rotkeras.training import devices
devices.quiet()
devices.keep_freed_memory()
from rotkeras.data import load, pipeline
from rotkeras.pretext import Rotation
source = load(sys.argv[1], image_size=int(sys.argv[2]), cache=sys.argv[3], validation_fraction=0)
assert source.kept.startswith("found")
batches = iter(pipeline(source.train, Rotation(), images_per_batch=128).dataset)
for _ in range(int(sys.argv[4])):
    next(batches)
del batches  # TensorFlow's threads end before Python does
"""
ENCODED = """
import sys
from rotkeras.training import devices
devices.quiet()
devices.keep_freed_memory()
from rotkeras.data import augmentation, load, pipeline
from rotkeras.pretext import Rotation
source = load(sys.argv[1], image_size=int(sys.argv[2]), storage="encoded", validation_fraction=0)
crop = augmentation.random_resized_crop()
made = pipeline(source.train, Rotation(), images_per_batch=128, augmentation=crop)
batches = iter(made.dataset)
for _ in range(int(sys.argv[3])):
    next(batches)
del batches
"""
ENCODER = """
import sys
import keras
size = int(sys.argv[1])
images = keras.Input((size, size, 3), dtype="uint8")
x = keras.layers.Rescaling(1 / 255)(images)
x = keras.layers.Conv2D(16, 4, strides=4, activation="relu")(x)
keras.Model(images, keras.layers.GlobalAveragePooling2D()(x)).save(sys.argv[2])
"""


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--files",
        type=int,
        nargs="+",
        default=[10_000, 30_000, 100_000],
        help="how many files, one or more numbers",
    )
    parser.add_argument(
        "--size", type=int, default=96, help="pixels of each side that images are decoded to"
    )
    parser.add_argument(
        "--batches",
        type=int,
        default=300,
        help="batches of 128 images that are drawn at random from the cache",
    )
    parser.add_argument(
        "--stages",
        nargs="+",
        default=["read", "train", "embed"],
        choices=["read", "train", "embed", "encoded", "again"],
        help="encoded: headers are read, then batches; again: a second start, which finds them",
    )
    parser.add_argument(
        "--links", action="store_true", help="make hard links to a few hundred files"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where to make the files; the system's folder for temporary files by default",
    )
    parser.add_argument("--json", type=Path, help="a file for all numbers")
    options = parser.parse_args()
    if not Path("/proc/self/status").exists():
        parser.error("memory is read from /proc, which this system does not have")

    rows = []
    with tempfile.TemporaryDirectory(prefix="rotkeras-memory-", dir=options.folder) as work:
        encoder = Path(work, "encoder.keras")
        if "embed" in options.stages:
            watch([sys.executable, "-c", ENCODER, str(options.size), str(encoder)])
        print(HEADER, flush=True)
        for count in options.files:
            with files(Path(work, "photographs"), count, options.links) as folder:
                os.environ["XDG_CACHE_HOME"] = str(Path(work, "headers"))
                for stage in options.stages:
                    seconds, memory = watch(command(stage, folder, Path(work), options, count))
                    done = min(128 * options.batches, count) if stage == "train" else count
                    rows.append(
                        {"stage": stage, "files": count, "seconds": round(seconds, 2), **memory}
                    )
                    rows[-1]["seconds_per_1000"] = round(1000 * seconds / done, 3)
                    print(line(rows[-1]), flush=True)
                remove(Path(work, "cache"))
        growth = {stage: grown(rows, stage) for stage in options.stages if len(options.files) > 1}
    for stage, (bytes_each, million) in growth.items():
        if bytes_each > 0:
            print(
                f"{stage}: {bytes_each:.0f} bytes of anonymous memory per image; a million:"
                f" {million / 1e6:.0f} MB"
            )
        else:
            print(f"{stage}: no growth of anonymous memory")
    if options.json:
        content = {"size": options.size, "batches": options.batches, "rows": rows, "growth": growth}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


def command(
    stage: str, folder: Path, work: Path, options: argparse.Namespace, count: int
) -> list[str]:
    """The command line of a stage; `train` finds the cache that `read` has made."""
    cache = [str(folder), str(options.size), str(work / "cache")]
    if stage == "read":
        return [sys.executable, "-c", READ, *cache, str(count)]
    if stage == "train":
        return [sys.executable, "-c", TRAIN, *cache, str(options.batches)]
    if stage in ("encoded", "again"):
        return [sys.executable, "-c", ENCODED, *cache[:2], str(options.batches)]
    return [
        sys.executable,
        "-m",
        "rotkeras",
        "embed",
        str(work / "encoder.keras"),
        str(folder),
        "-o",
        str(work / f"{count}.npz"),
    ]


@contextlib.contextmanager
def files(folder: Path, count: int, links: bool = False) -> Iterator[Path]:
    """A folder of so many small JPEG files, or of links to 300 of them, a thousand in each folder
    below; it is deleted in the end."""
    generator = np.random.default_rng(0)
    contents = []
    for _ in range(300):
        soft = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize(
            (64, 48), Image.Resampling.BICUBIC
        )
        buffer = io.BytesIO()
        soft.save(buffer, "JPEG", quality=85)
        contents.append(buffer.getvalue())
    try:
        for number in range(count):
            home = folder / f"folder_{number // 1000:04d}"
            if number % 1000 == 0:
                home.mkdir(parents=True)
            file = home / f"photograph_{number:07d}.jpg"
            if links and number >= len(contents):
                first = number % len(contents)
                os.link(folder / "folder_0000" / f"photograph_{first:07d}.jpg", file)
            else:
                file.write_bytes(contents[number % len(contents)])
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Delete a folder, when it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def watch(command: list[str]) -> tuple[float, dict[str, int]]:
    """Run a command; (seconds, {"peak", "anonymous"}): the most bytes resident, and the most of
    them that no file holds."""
    began = time.perf_counter()
    peak = anonymous = 0
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words)
        try:
            while process.poll() is None:
                status = memory_of(process.pid)
                peak, anonymous = (
                    max(peak, status.get("VmHWM", 0)),
                    max(anonymous, status.get("RssAnon", 0)),
                )
                time.sleep(0.02)
        finally:
            process.kill()
        seconds = time.perf_counter() - began
        if process.returncode:
            words.seek(0)
            sys.exit(f"{' '.join(command[-4:])} failed:\n{words.read()[-2000:]}")
    return seconds, {"peak": peak, "anonymous": anonymous}


def memory_of(process: int) -> dict[str, int]:
    """Bytes by name, of a process that may have ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    return {
        name: 1024 * int(rest.split()[0])
        for name, _, rest in (each.partition(":") for each in lines)
        if rest.endswith("kB")
    }


def grown(rows: list[dict[str, Any]], stage: str) -> tuple[float, float]:
    """(bytes of anonymous memory per image, bytes for a million), by the straight line through what
    was measured."""
    mine = [row for row in rows if row["stage"] == stage]
    slope, start = np.polyfit([row["files"] for row in mine], [row["anonymous"] for row in mine], 1)
    return float(slope), float(start + 1e6 * slope)


HEADER = (
    f"{'stage':<8}{'files':>10}{'peak MB':>10}{'anonymous MB':>14}{'seconds':>10}{'s per 1000':>12}"
)


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    return (
        f"{row['stage']:<8}{row['files']:>10,}{row['peak'] / 1e6:>10.0f}"
        f"{row['anonymous'] / 1e6:>14.0f}{row['seconds']:>10.1f}{row['seconds_per_1000']:>12.2f}"
    )


if __name__ == "__main__":
    main()
