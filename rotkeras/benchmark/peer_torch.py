"""RotNet pre-training in PyTorch, to be measured beside ours: `python peer_torch.py '{…}'` with
what `peer.request` makes.

It needs torch and NumPy and nothing of rotkeras, so that torch may live in an environment of its
own, and prints JSON lines.
"""

import contextlib
import json
import math
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

_MEAN = np.array([125.3, 123.0, 113.9], np.float32)
_STANDARD_DEVIATION = np.array([63.0, 62.1, 66.7], np.float32)
_SECONDS_OF_A_REPEAT = 3.0
_SECONDS_OF_AN_INPUT_REPEAT = 1.0
_SECONDS_OF_A_SETTING = 60.0
_LOADER_WARM_UP = 3


def layers(blocks: int, width: float) -> list[list[tuple[int, int]]]:
    """(filters, side of the kernel) of each convolution, block by block; table 1 of the NIN, widths
    in steps of 8."""

    def filters(published: int) -> int:
        return max(8, math.ceil(published * width / 8) * 8)

    first = [(filters(192), 5), (filters(160), 1), (filters(96), 1)]
    later = [
        [(filters(192), side), (filters(192), 1), (filters(192), 1)]
        for side in (5, *[3] * (blocks - 2))
    ]
    return [first, *later]


def count_parameters(blocks: int, width: float, classes: int) -> int:
    """Trainable numbers: kernels, a scale and an offset of each channel, and the dense layer with
    its bias."""
    total, channels = 0, 3
    for filters, side in (each for block in layers(blocks, width) for each in block):
        total += filters * channels * side * side + 2 * filters
        channels = filters
    return total + (channels + 1) * classes


def build(blocks: int, width: float, classes: int) -> Any:
    """The network: float (B, 3, H, W) -> logits (B, classes)."""
    from torch import nn  # type: ignore[import-not-found,unused-ignore]

    parts: list[Any] = []
    channels = 3
    for number, block in enumerate(layers(blocks, width)):
        for filters, side in block:
            convolution = nn.Conv2d(channels, filters, side, padding=side // 2, bias=False)
            nn.init.normal_(convolution.weight, 0.0, math.sqrt(2 / (filters * side * side)))
            parts += [convolution, nn.BatchNorm2d(filters), nn.ReLU(inplace=True)]
            channels = filters
        if number < 2:
            parts.append((nn.MaxPool2d, nn.AvgPool2d)[number](3, stride=2, padding=1))
    return nn.Sequential(
        *parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
    )


class TurnedImages:
    """A map-style data set: one image at a time is padded, cropped, flipped, turned and
    normalised."""

    def __init__(self, images: np.ndarray, wanted: dict[str, Any]) -> None:
        self.images = images
        self.padding, self.flip = wanted["padding"], wanted["flip"]
        self.turns = [angle // 90 for angle in wanted["angles"]]
        self.one_view = wanted["one_view"]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        import torch

        image, pad = self.images[index], self.padding
        if pad:
            top, left = (int(place) for place in torch.randint(2 * pad + 1, (2,)))
            padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
            image = padded[top : top + image.shape[0], left : left + image.shape[1]]
        if self.flip and torch.rand(()) < 0.5:
            image = image[:, ::-1]
        labels = (
            [int(torch.randint(len(self.turns), ()))] if self.one_view else range(len(self.turns))
        )
        views = np.stack([np.rot90(image, self.turns[label]) for label in labels])
        normal = (views.astype(np.float32) - _MEAN) / _STANDARD_DEVIATION
        return torch.from_numpy(np.ascontiguousarray(normal.transpose(0, 3, 1, 2))), torch.tensor(
            [*labels]
        )


def optimizer_of(wanted: dict[str, Any], parameters: Any) -> Any:
    """The optimizer of the recipe, fused where torch has it."""
    import torch

    settings, rate = wanted["optimizer"], wanted["learning_rate"]
    decay = settings["weight_decay"]
    if settings["name"] == "sgd":
        momentum = settings["momentum"]
        nesterov = settings["nesterov"] and momentum > 0
        return torch.optim.SGD(
            parameters, rate, momentum=momentum, nesterov=nesterov, weight_decay=decay, fused=True
        )
    kind = torch.optim.AdamW if settings["weight_decay_as"] == "decoupled" else torch.optim.Adam
    return kind(parameters, rate, weight_decay=decay, fused=True)


def step_rates(wanted: dict[str, Any], device: Any, name: str) -> tuple[list[float], int]:
    """Views per second of each repeat of the step under one setting, and the steps of a repeat."""
    import torch

    torch.manual_seed(wanted["seed"])
    memory_format = (
        torch.channels_last if name.startswith("channels last") else torch.contiguous_format
    )
    count = wanted["images_per_batch"] * (1 if wanted["one_view"] else len(wanted["angles"]))
    classes = len(wanted["angles"])
    model = build(wanted["blocks"], wanted["width"], classes).to(
        device, memory_format=memory_format
    )
    model.train()
    x = torch.randn(count, 3, wanted["size"], wanted["size"], device=device).to(
        memory_format=memory_format
    )
    y = torch.randint(classes, (count,), device=device)
    optimizer = optimizer_of(wanted, model.parameters())
    loss = torch.nn.CrossEntropyLoss(label_smoothing=wanted["label_smoothing"])
    run = torch.compile(model) if name.endswith("compiled") else model
    half = {"mixed_bfloat16": torch.bfloat16, "mixed_float16": torch.float16}.get(
        wanted["precision"]
    )
    scaler = torch.amp.GradScaler(device.type, enabled=half is torch.float16)

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, half) if half else contextlib.nullcontext():
            value = loss(run(x), y)
        scaler.scale(value).backward()
        scaler.step(optimizer)
        scaler.update()

    def timed(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            once()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    timed(1)  # which compiles
    began = time.perf_counter()
    taken = min(timed(1), timed(1))
    steps = wanted["steps"] or max(2, math.ceil(_SECONDS_OF_A_REPEAT / taken))
    rates: list[float] = []
    for _ in range(wanted["repeats"]):
        if rates and time.perf_counter() - began > _SECONDS_OF_A_SETTING:
            break  # what is that slow is not the best
        rates.append(steps * count / timed(steps))
    return rates, steps


def loader_rates(wanted: dict[str, Any]) -> tuple[list[float], int]:
    """Views per second of each repeat of the loader alone, and the fewest batches of a repeat."""
    import torch

    torch.manual_seed(wanted["seed"])
    shape = (wanted["images"], wanted["size"], wanted["size"], 3)
    images = np.random.default_rng(wanted["seed"]).integers(0, 256, shape, np.uint8)
    loader: Any = torch.utils.data.DataLoader(
        TurnedImages(images, wanted),  # type: ignore[arg-type,unused-ignore]
        wanted["images_per_batch"],
        shuffle=True,
        drop_last=True,
        num_workers=wanted["workers"],
        persistent_workers=wanted["workers"] > 0,
        pin_memory=torch.cuda.is_available(),
    )

    def endless() -> Iterator[Any]:
        while True:
            yield from loader

    batches = endless()
    for _ in range(_LOADER_WARM_UP):
        next(batches)
    rates, counts = [], []
    for _ in range(wanted["repeats"]):
        began, views, count = time.perf_counter(), 0, 0
        while (
            count < (wanted["steps"] or 1)
            or time.perf_counter() - began < _SECONDS_OF_AN_INPUT_REPEAT
        ):
            _, labels = next(batches)
            views += labels.numel()
            count += 1
        rates.append(views / (time.perf_counter() - began))
        counts.append(count)
    return rates, min(counts)


def main(wanted: dict[str, Any]) -> None:
    """Measure every setting and the loader, and print each as it comes."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU, as TensorFlow uses by itself
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    model = build(wanted["blocks"], wanted["width"], len(wanted["angles"]))
    write({"parameters": sum(each.numel() for each in model.parameters()), "device": device.type})
    for name in wanted["settings"]:
        write({"tell": f"the step, {name}"})
        try:
            rates, steps = step_rates(wanted, device, name)
        # such as no compiler, or no fused kernel: the other settings are still worth knowing
        except Exception as error:
            text = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
            write({"part": "step", "setting": name, "error": f"could not be run ({text})"})
        else:
            write({"part": "step", "setting": name, "views_per_second": rates, "steps": steps})
    if wanted["padding"] is not None:
        write({"tell": f"the loader, {wanted['workers']} workers"})
        rates, steps = loader_rates(wanted)
        write(
            {
                "part": "input",
                "setting": f"DataLoader, {wanted['workers']} workers",
                "views_per_second": rates,
                "steps": steps,
            }
        )


def write(content: dict[str, Any]) -> None:
    """One JSON object on a line."""
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
