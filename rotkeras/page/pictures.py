"""Pictures of a page, as data inside it."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Picture:
    """A picture with its words.

    Attributes:
        uri: `data:image/…;base64,…`.
        alternative: what it shows, for those who do not see it.
        caption: what stands below it.
        width: pixels.
        height: pixels.
        pixelated: whether it is enlarged without smoothing.
    """

    uri: str
    alternative: str
    caption: str
    width: int
    height: int
    pixelated: bool = False


def to_picture(
    image: Any, alternative: str, caption: str = "", pixelated: bool = False, lossless: bool = True
) -> Picture:
    """A picture from pixels.

    Args:
        image: uint8 (H, W, 3), or an image of Pillow.
        alternative: what it shows, for those who do not see it.
        caption: what stands below it.
        pixelated: enlarge without smoothing, for images of a few pixels.
        lossless: PNG; else WebP of quality 85, a tenth of the size for photographs.

    Returns:
        A `Picture` that holds its pixels.
    """
    from PIL import Image

    picture = (
        image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image, np.uint8))
    )
    buffer = io.BytesIO()
    if lossless:
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "WEBP", quality=85, method=4)
    kind = "png" if lossless else "webp"
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(
        f"data:image/{kind};base64,{data}",
        alternative,
        caption,
        picture.width,
        picture.height,
        pixelated,
    )
