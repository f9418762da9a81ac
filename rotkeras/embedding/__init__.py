"""Features of images by a trained encoder: written to a file, streamed, or compared to find the
nearest images."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.embedding.chunks import Chunk, stream
    from rotkeras.embedding.contact_sheet import write_sheet
    from rotkeras.embedding.encoder import Encoder, load_encoder
    from rotkeras.embedding.feature_file import Embedded, embed
    from rotkeras.embedding.image_list import ImageList
    from rotkeras.embedding.image_sources import open_images
    from rotkeras.embedding.neighbours import Neighbours, nearest, write_neighbours

__all__ = [
    "Chunk",
    "Embedded",
    "Encoder",
    "ImageList",
    "Neighbours",
    "embed",
    "load_encoder",
    "nearest",
    "open_images",
    "stream",
    "write_neighbours",
    "write_sheet",
]

_HOMES = {
    "Chunk": "chunks",
    "Embedded": "feature_file",
    "Encoder": "encoder",
    "ImageList": "image_list",
    "Neighbours": "neighbours",
    "embed": "feature_file",
    "load_encoder": "encoder",
    "nearest": "neighbours",
    "open_images": "image_sources",
    "stream": "chunks",
    "write_neighbours": "neighbours",
    "write_sheet": "contact_sheet",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.embedding.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.embedding' has no attribute {name!r}")
