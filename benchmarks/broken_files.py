"""Train on 10,000 files of which 300 are broken in ten ways, and delete some during the epoch.

    python benchmarks/broken_files.py PHOTOGRAPHS [--files 10000] [--broken 300] [--deleted 50]

PHOTOGRAPHS is a folder of JPEG files, which are linked or copied. Prints how many files were found
broken before training and during it, and fails unless each was named once and training ended.
"""

import argparse
import json
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

from rotkeras import training
from rotkeras.recipe import validate


def broken_in_ten_ways(content: bytes, random: np.random.Generator) -> list[bytes | None]:
    """Contents that are no whole image; None is a link to nothing."""
    return [
        b"",  # empty
        content[:20],  # no header
        content[:400],  # a header without its tables
        content[: len(content) // 3],  # cut short
        b"\0" * len(content),  # a disk's hole
        random.bytes(len(content)),
        b"<html><body>404 Not Found</body></html>",
        b"\x89PNG\r\n\x1a\n" + content,  # of another format
        content[:2] + content[400:],  # without its first segments
        None,
    ]


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--broken", type=int, default=300)
    parser.add_argument("--deleted", type=int, default=50)
    given = parser.parse_args()
    random = np.random.default_rng(0)
    originals = sorted(given.photographs.rglob("*.jp*g"))
    with tempfile.TemporaryDirectory() as top:
        os.environ["XDG_CACHE_HOME"] = f"{top}/cache"
        folder = Path(top) / "photographs"
        for number in range(given.files):
            place = folder / f"class{number % 10}" / f"{number:05}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(originals[number % len(originals)], place)
        names = sorted(folder.rglob("*.jpg"))
        chosen = random.permutation(len(names))
        broken = [names[each] for each in chosen[: given.broken]]
        gone = [names[each] for each in chosen[given.broken : given.broken + given.deleted]]
        for number, path in enumerate(broken):
            content = broken_in_ten_ways(path.read_bytes(), random)[number % 10]
            path.unlink()
            if content is None:
                path.symlink_to("nothing")
            else:
                path.write_bytes(content)
        recipe = validate(
            {
                "name": "broken",
                "data": {"folder": str(folder), "image_size": 32, "storage": "encoded"},
                "task": {"name": "rotation", "views": "one"},
                "augmentation": [{"name": "random_resized_crop"}],
                "backbone": {"name": "nin", "blocks": 3, "width": 0.0625},
                "train": {"epochs": 2, "images_per_batch": 100},
                "probe": {"every_epochs": 0},
                "attention": {"every_epochs": 0},
            },
            "benchmark",
        )
        lines: list[str] = []

        def tell(line: str) -> None:
            lines.append(line)
            if line.startswith("backbone"):  # the next thing is the first epoch
                threading.Timer(5.0, lambda: [path.unlink() for path in gone]).start()

        run = training.Run(Path(top) / "run")
        begun = time.perf_counter()
        training.train(recipe, run, tell=tell)
        seconds = time.perf_counter() - begun
        images = json.loads(run.summary.read_text())["images"]
        before = Counter(each["path"] for each in images["skipped"])
        during = Counter(each["path"] for each in images["replaced"])
        print(f"{given.files:,} files, {given.broken} broken in ten ways, {given.deleted} deleted")
        print(f"trained two epochs in {seconds:.0f} s")
        print(f"named before training: {len(before)}; while it trained: {len(during)}")
        both = before + during
        assert max(both.values()) == 1, "a file was named twice"
        missing = {str(each) for each in [*broken, *gone]} - set(both)
        more = set(both) - {str(each) for each in [*broken, *gone]}
        print(f"broken or deleted and not named: {len(missing)}; named and whole: {len(more)}")
        for each in sorted(missing)[:5]:
            print(" ", each)
        assert not more
        assert not missing


if __name__ == "__main__":
    main()
