"""Measures a loader of photographs: `python -m peer_torch.photographs request.json`."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SETTINGS = ("Pillow", "torchvision.io")


class Crops:
    """A map-style data set: a photograph is decoded, cut, resized and flipped by torchvision."""

    def __init__(self, wanted: dict[str, Any], setting: str) -> None:
        self.wanted, self.setting = wanted, setting

    def __len__(self) -> int:
        return len(self.wanted["paths"])

    def __getitem__(self, index: int) -> Any:
        from torchvision import io  # type: ignore[import-not-found,unused-ignore]
        from torchvision.transforms.v2 import (  # type: ignore[import-not-found,unused-ignore]
            functional,
        )

        path, size = self.wanted["paths"][index], self.wanted["size"]
        if self.setting == "Pillow":
            from PIL import Image, ImageOps

            with Image.open(path) as image:
                upright: Any = ImageOps.exif_transpose(image).convert("RGB")
        else:
            upright = io.decode_image(path, io.ImageReadMode.RGB, apply_exif_orientation=True)
        cut = functional.resized_crop(
            upright, *self.wanted["boxes"][index], [size, size], antialias=True
        )
        if self.wanted["flips"][index]:
            cut = functional.horizontal_flip(cut)
        return functional.pil_to_tensor(cut) if self.setting == "Pillow" else cut


def rates(wanted: dict[str, Any], setting: str) -> list[float]:
    """Images per second of each repeat."""
    import torch  # type: ignore[import-not-found,unused-ignore]

    torch.manual_seed(0)
    loader: Any = torch.utils.data.DataLoader(
        Crops(wanted, setting),
        min(wanted["images_per_batch"], len(wanted["paths"])),
        shuffle=True,
        drop_last=True,
        num_workers=wanted["workers"],
        persistent_workers=True,
    )

    def endless() -> Iterator[Any]:
        while True:
            yield from loader

    batches = endless()
    for _ in range(2 * wanted["workers"]):
        next(batches)
    found = []
    for _ in range(wanted["repeats"]):
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < wanted["seconds"]:
            count += len(next(batches))
        found.append(count / (time.perf_counter() - began))
    return found


def main(wanted: dict[str, Any]) -> None:
    """Measure every setting, and print each as it comes."""
    for setting in _SETTINGS:
        name = f"DataLoader, {wanted['workers']} workers, {setting}"
        try:
            line = {"setting": name, "images_per_second": rates(wanted, setting)}
        except Exception as error:  # such as a build without its own decoder
            text = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
            line = {"setting": name, "error": f"could not be run ({text})"}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
