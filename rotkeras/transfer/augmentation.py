"""The augmentations that section `augmentation` of a fine-tuning describes."""

from typing import Any

from rotkeras.data.augmentation import NAMES


def augmentations(settings: Any) -> list[Any]:
    """Those of images without boxes or masks: crops, flips and colours."""
    if settings is None:
        return []
    made: list[Any] = []
    crop: Any = NAMES["random_resized_crop"]
    if settings.crop_scale[0] < 1 or settings.flip:
        scale = tuple(settings.crop_scale)
        ratio = (1.0, 1.0) if scale[0] == 1 else (3 / 4, 4 / 3)  # the whole image has one ratio
        made.append(crop(scale=scale, ratio=ratio, flip=settings.flip))
    return [*made, *colors(settings)]


def colors(settings: Any) -> list[Any]:
    """The colour jitter, which moves no pixel."""
    if settings is None or not settings.color:
        return []
    jitter: Any = NAMES["color_jitter"]
    strength = settings.color
    return [jitter(brightness=strength, contrast=strength, saturation=strength, hue=strength / 4)]


def crops(settings: Any) -> dict[str, Any]:
    """`scale` and `flip` of views of boxes or masks; whole photographs for None."""
    if settings is None:
        return {"scale": (1.0, 1.0), "flip": False}
    return {"scale": tuple(settings.crop_scale), "flip": settings.flip}
