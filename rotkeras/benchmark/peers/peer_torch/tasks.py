"""The pretext tasks of the peer: what its network ends in, its loss, and its data set."""

from typing import Any

import numpy as np

from .networks import MEAN, STANDARD_DEVIATION, build


class Rotation:
    """Predict by which of several quarter turns an image was turned."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.wanted = wanted
        self.angles = wanted["task"]["angles"]
        self.views_per_image = 1 if wanted["task"]["views"] == "one" else len(self.angles)
        self.head = self.head_of(wanted["task"])

    @staticmethod
    def head_of(task: dict[str, Any]) -> list[int]:
        """Units of the dense layers behind the pooled features."""
        return [len(task["angles"])]

    @staticmethod
    def lacks(task: dict[str, Any]) -> str | None:
        """What of a section `task` the peer does not have; None if it has all."""
        turned = [angle for angle in task["angles"] if angle % 90]
        return f"the angles {turned}, which are no quarter turns" if turned else None

    def program(self, device: Any, memory_format: Any) -> tuple[Any, tuple[Any, ...]]:
        """(a module whose `forward` is the loss of a batch, its inputs): views (4B, 3, S, S) and
        labels."""
        import torch  # type: ignore[import-not-found,unused-ignore]

        count = self.wanted["images_per_batch"] * self.views_per_image
        loss = torch.nn.CrossEntropyLoss(label_smoothing=self.wanted["label_smoothing"])
        labels = torch.randint(len(self.angles), (count,), device=device)
        program, views = with_loss(self.wanted, self.head, loss, count, device, memory_format)
        return program, (views, labels)

    def dataset(self, images: np.ndarray) -> Any:
        """The data set of uint8 images (N, H, W, 3)."""
        return TurnedImages(images, self.wanted)


class TurnedImages:
    """A map-style data set: one image at a time is padded, cropped, flipped, turned and
    normalised."""

    def __init__(self, images: np.ndarray, wanted: dict[str, Any]) -> None:
        self.images = images
        self.padding, self.flip = wanted["padding"], wanted["flip"]
        self.turns = [angle // 90 for angle in wanted["task"]["angles"]]
        self.one_view = wanted["task"]["views"] == "one"

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
        mean, deviation = np.array(MEAN, np.float32), np.array(STANDARD_DEVIATION, np.float32)
        normal = (views.astype(np.float32) - mean) / deviation
        return torch.from_numpy(np.ascontiguousarray(normal.transpose(0, 3, 1, 2))), torch.tensor(
            [*labels]
        )


class SimCLR:
    """Recognise the other view of an image among all views of a batch."""

    views_per_image: float = 2

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.wanted = wanted
        self.task = wanted["task"]
        self.size = wanted["size"]
        self.head = self.head_of(self.task)

    @staticmethod
    def head_of(task: dict[str, Any]) -> list[int]:
        """Units of the dense layers behind the pooled features."""
        return [task["hidden_units"], task["projection_units"]]

    @staticmethod
    def lacks(task: dict[str, Any]) -> str | None:  # noqa: ARG004
        """What of a section `task` the peer does not have; None: it has all."""
        return None

    def program(self, device: Any, memory_format: Any) -> tuple[Any, tuple[Any, ...]]:
        """(a module whose `forward` is the loss of a batch, its inputs): views (2B, 3, S, S)."""
        count = 2 * self.wanted["images_per_batch"]
        loss = nt_xent(self.task["temperature"])
        program, views = with_loss(self.wanted, self.head, loss, count, device, memory_format)
        return program, (views,)

    def dataset(self, images: np.ndarray) -> Any:
        """The data set of uint8 images (N, H, W, 3)."""
        return TwoViews(images, self.task, self.size)


class TwoViews:
    """A map-style data set: two views of each image by torchvision's transforms (v2) of uint8
    tensors, their fastest form."""

    def __init__(self, images: np.ndarray, task: dict[str, Any], size: int) -> None:
        import torch
        from torchvision.transforms import (  # type: ignore[import-not-found,unused-ignore]
            v2 as transforms,
        )

        self.images = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        strong, weak = 0.8 * task["color_strength"], 0.2 * task["color_strength"]
        steps = [
            transforms.RandomResizedCrop(size, scale=tuple(task["crop_scale"]), antialias=True),
            transforms.RandomHorizontalFlip(),
        ]
        if task["color_strength"]:
            jitter = transforms.ColorJitter(strong, strong, strong, weak)
            steps.append(transforms.RandomApply([jitter], p=0.8))
        if task["grayscale"]:
            steps.append(transforms.RandomGrayscale(task["grayscale"]))
        if task["blur"]:
            side = max(3, size // 10 // 2 * 2 + 1)
            blur = transforms.GaussianBlur(side, (0.1, 2.0))
            steps.append(transforms.RandomApply([blur], p=task["blur"]))
        steps += [
            transforms.ToDtype(torch.float32),
            transforms.Normalize(MEAN, STANDARD_DEVIATION),
        ]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        import torch

        image = self.images[index]
        views = torch.stack([self.transform(image), self.transform(image)])
        return views, torch.zeros(2, dtype=torch.int64)


def with_loss(
    wanted: dict[str, Any],
    head: list[int],
    loss: Any,
    count: int,
    device: Any,
    memory_format: Any,
) -> tuple[Any, Any]:
    """(the network with a loss of its outputs and of what else it is given, views (count, 3, S,
    S))."""
    import torch
    from torch import nn

    class Program(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = build(wanted["backbone"], wanted["size"], head)

        def forward(self, views: Any, *targets: Any) -> Any:
            return loss(self.network(views), *targets)

    program = Program().to(device, memory_format=memory_format)
    views = torch.randn(count, 3, wanted["size"], wanted["size"], device=device)
    return program, views.to(memory_format=memory_format)


def nt_xent(temperature: float) -> Any:
    """NT-Xent of outputs (2B, d), the views of an image side by side: that of lightly where it is
    installed."""
    import torch

    try:
        from lightly.loss import NTXentLoss  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        pass
    else:
        theirs = NTXentLoss(temperature)
        return lambda outputs: theirs(outputs[0::2].float(), outputs[1::2].float())

    def loss(outputs: Any) -> Any:
        vectors = torch.nn.functional.normalize(outputs.float(), dim=1)
        similarity = vectors @ vectors.T / temperature
        similarity.fill_diagonal_(float("-inf"))
        partners = torch.arange(len(vectors), device=vectors.device) ^ 1
        return torch.nn.functional.cross_entropy(similarity, partners)

    return loss
