"""Measures the step of the peer in every setting, and its loader."""

import contextlib
import json
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from .names import TASKS

_SECONDS_OF_A_REPEAT = 3.0
_SECONDS_OF_AN_INPUT_REPEAT = 1.0
_SECONDS_OF_A_SETTING = 60.0
_LOADER_WARM_UP = 3


def optimizer_of(wanted: dict[str, Any], parameters: Any) -> Any:
    """The optimizer of the recipe, fused where torch has it."""
    import torch  # type: ignore[import-not-found,unused-ignore]

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
    task = TASKS[wanted["task"]["name"]](wanted)
    count = wanted["images_per_batch"] * task.views_per_image
    program, inputs = task.program(device, memory_format)
    program.train()
    learned = [each for each in program.parameters() if each.requires_grad]
    optimizer = optimizer_of(wanted, learned)
    before_step = getattr(task, "before_step", None)
    run = torch.compile(program) if name.endswith("compiled") else program
    half = {"mixed_bfloat16": torch.bfloat16, "mixed_float16": torch.float16}.get(
        wanted["precision"]
    )
    scaler = torch.amp.GradScaler(device.type, enabled=half is torch.float16)

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        if before_step:
            before_step(program)
        with torch.autocast(device.type, half) if half else contextlib.nullcontext():
            value = run(*inputs)
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
    task = TASKS[wanted["task"]["name"]](wanted)
    loader: Any = torch.utils.data.DataLoader(
        task.dataset(images),
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
        began, views, count = time.perf_counter(), 0.0, 0
        while (
            count < (wanted["steps"] or 1)
            or time.perf_counter() - began < _SECONDS_OF_AN_INPUT_REPEAT
        ):
            _, labels = next(batches)
            views += len(labels) * task.views_per_image
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
    task = TASKS[wanted["task"]["name"]](wanted)
    program, _ = task.program(torch.device("cpu"), torch.contiguous_format)
    learned = [each for each in program.parameters() if each.requires_grad]
    write({"parameters": sum(each.numel() for each in learned), "device": device.type})
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
