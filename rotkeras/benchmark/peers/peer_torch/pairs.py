"""MoCo v2 and E-SSL as a PyTorch user writes them, with lightly's losses where it is installed."""

import copy
from typing import Any

import numpy as np

from .networks import build
from .tasks import SimCLR, TwoViews, nt_xent


class MoCo(SimCLR):
    """Recognise the key of an image's other view in a queue of keys."""

    @staticmethod
    def lacks(task: dict[str, Any]) -> str | None:  # noqa: ARG004
        """What of a section `task` the peer does not have; None: it has all."""
        return None

    def program(self, device: Any, memory_format: Any) -> tuple[Any, tuple[Any, ...]]:
        """(a module whose `forward` is the loss of a batch, its inputs): queries and keys, each
        (B, 3, S, S)."""
        import torch  # type: ignore[import-not-found,unused-ignore]
        from torch import nn  # type: ignore[import-not-found,unused-ignore]
        from torch.nn import functional  # type: ignore[import-not-found,unused-ignore]

        task, size, count = self.task, self.task["queue_size"], self.wanted["images_per_batch"]

        class Program(nn.Module):
            def __init__(self, online: Any) -> None:
                super().__init__()
                self.online = online
                self.follower = copy.deepcopy(online).eval()
                for parameter in self.follower.parameters():
                    parameter.requires_grad = False
                queue = functional.normalize(torch.randn(size, task["projection_units"]), dim=1)
                self.register_buffer("queue", queue)

            def train(self, mode: bool = True) -> Any:
                super().train(mode)
                self.follower.eval()  # keys are normalised by running averages, as ours are
                return self

            def forward(self, queries: Any, keys: Any) -> Any:
                q = functional.normalize(self.online(queries).float(), dim=1)
                with torch.no_grad():
                    k = functional.normalize(self.follower(keys).float(), dim=1)
                negatives = self.queue.clone().detach()
                own = (q * k).sum(dim=1, keepdim=True)
                logits = torch.cat([own, q @ negatives.T], dim=1) / task["temperature"]
                labels = torch.zeros(len(q), dtype=torch.int64, device=q.device)
                with torch.no_grad():
                    self.queue.copy_(torch.cat([k, self.queue[: -len(k)]]))
                return functional.cross_entropy(logits, labels)

        program = Program(build(self.wanted["backbone"], self.size, self.head))
        program = program.to(device, memory_format=memory_format)
        views = [
            torch.randn(count, 3, self.size, self.size, device=device).to(
                memory_format=memory_format
            )
            for _ in range(2)
        ]
        return program, tuple(views)

    def before_step(self, program: Any) -> None:
        """Move the key encoder towards the network, by torch's fastest means."""
        import torch

        momentum = self.task["momentum"]
        with torch.no_grad():
            mine, theirs = list(program.follower.parameters()), list(program.online.parameters())
            torch._foreach_lerp_(mine, theirs, 1 - momentum)
            pairs = zip(program.follower.buffers(), program.online.buffers(), strict=True)
            floats = [(a, b) for a, b in pairs if a.is_floating_point()]
            torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - momentum)


class ESSL(SimCLR):
    """SimCLR and rotations of a third, smaller crop."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        section = wanted["task"]
        base = {**wanted["base_defaults"], **(section["base_settings"] or {})}
        super().__init__({**wanted, "task": base})
        self.section = section
        self.side = round(section["rotation_size"] * wanted["size"])
        self.views_per_image = 2 + 4 * section["rotation_size"] ** 2

    @staticmethod
    def lacks(task: dict[str, Any]) -> str | None:
        """What of a section `task` the peer does not have; None if it has all."""
        return None if task["base"] == "simclr" else f"E-SSL on {task['base']}"

    def program(self, device: Any, memory_format: Any) -> tuple[Any, tuple[Any, ...]]:
        """(a module whose `forward` is the loss of a batch, its inputs): views (2B, 3, S, S) and
        rotated crops (4B, 3, s, s)."""
        import torch
        from torch import nn
        from torch.nn import functional

        weight, hidden = self.section["rotation_weight"], self.section["rotation_hidden_units"]
        pairs, count = nt_xent(self.task["temperature"]), self.wanted["images_per_batch"]
        network = build(self.wanted["backbone"], self.size, self.head)
        first = next(number for number, each in enumerate(network) if isinstance(each, nn.Flatten))

        class Program(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.encoder, self.projection = network[: first + 1], network[first + 1 :]
                channels = self.projection[0].in_features
                parts: list[Any] = []
                for units in (hidden, hidden):
                    parts += [
                        nn.Linear(channels, units),
                        nn.LayerNorm(units),
                        nn.ReLU(inplace=True),
                    ]
                    channels = units
                self.rotation = nn.Sequential(*parts, nn.Linear(channels, 4))

            def forward(self, views: Any, crops: Any) -> Any:
                loss = pairs(self.projection(self.encoder(views)))
                logits = self.rotation(self.encoder(crops)).float()
                labels = torch.arange(len(logits), device=logits.device) % 4
                return loss + weight * functional.cross_entropy(logits, labels)

        program = Program().to(device, memory_format=memory_format)

        def noise(rows: int, side: int) -> Any:
            return torch.randn(rows, 3, side, side, device=device).to(memory_format=memory_format)

        return program, (noise(2 * count, self.size), noise(4 * count, self.side))

    def dataset(self, images: np.ndarray) -> Any:
        """The data set of uint8 images (N, H, W, 3)."""
        return ThreeViews(images, self.task, self.size, self.section, self.side)


class ThreeViews(TwoViews):
    """A map-style data set: two views of each image, and four rotations of a third."""

    def __init__(
        self,
        images: np.ndarray,
        task: dict[str, Any],
        size: int,
        section: dict[str, Any],
        side: int,
    ) -> None:
        super().__init__(images, task, size)
        crops = {**task, "crop_scale": section["rotation_crop_scale"]}
        self.third = TwoViews(images, crops, side).transform

    def __getitem__(self, index: int) -> Any:
        import torch

        (views, labels), crop = super().__getitem__(index), self.third(self.images[index])
        turned = torch.stack([torch.rot90(crop, turns, (1, 2)) for turns in range(4)])
        return (views, turned), labels
