"""The size of images: one number for squares, or height and width."""

Size = int | tuple[int, int]
"""Pixels of each side of squares, or (H, W)."""


def sides_of(size: Size) -> tuple[int, int]:
    """(height, width)."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def as_size(height: int, width: int) -> Size:
    """A number for squares, else (H, W)."""
    return int(height) if height == width else (int(height), int(width))


def shown(size: Size) -> str:
    """In words: "96×128"."""
    height, width = sides_of(size)
    return f"{height}×{width}"


def centre_of(size: Size) -> str:
    """What of an image is seen, in words."""
    if isinstance(size, int):
        return "centred square"
    return f"centred part of ratio {size[0]}:{size[1]} (height to width)"
