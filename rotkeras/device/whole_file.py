"""What may be wrong with a TFLite file, a sentence for each."""

import mmap
import re
import zipfile
from pathlib import Path

from rotkeras.errors import UserError, brief
from rotkeras.files import check_regular

# The head of a file inside a zip archive: its mark, the version it needs, flags, and no compression
# or deflate.
_ARCHIVED = re.compile(rb"PK\x03\x04[\x0a\x14\x2d]\x00..[\x00\x08]\x00", re.DOTALL)


def check(path: Path) -> None:
    """Refuse what is no whole TFLite file before the interpreter, which speaks of buffers, sees it.

    Raises:
        UserError: for a path where no such file is.
    """
    check_regular(path)
    if path.is_dir():
        raise UserError(f"{str(path)!r} is a folder. Give the path of a .tflite file.")
    try:
        with open(path, "rb") as file:
            if file.read(8)[4:] != b"TFL3":
                raise UserError(
                    f"{str(path)!r} is not a TFLite file, which has the mark TFL3. Give the path of"
                    " an exported .tflite file."
                )
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                begun = _ARCHIVED.search(content) is not None
    except FileNotFoundError:
        raise UserError(f"{str(path)!r} does not exist. Give the path of a .tflite file.") from None
    except OSError as error:
        raise UserError(
            f"{str(path)!r} cannot be read ({brief(error)}). Give the path of a .tflite file."
        ) from error
    # The model lies before its associated files: it would run without them, but not as it was
    # exported.
    if begun and not zipfile.is_zipfile(path):
        raise _cut_short(path)


def _cut_short(path: Path) -> UserError:
    return UserError(f"{str(path)!r} is cut short or damaged; copy or export it again.")


def refusal(path: Path, error: Exception) -> UserError:
    """The error of ai-edge-litert as a sentence."""
    text = str(error)
    if re.search(
        r"unresolved custom op|Didn't find op|Select TensorFlow op|Op builtin_code out of"
        r" range|Unsupported custom",
        text,
    ):
        return UserError(
            f"{str(path)!r} needs an operator that this ai-edge-litert does not have"
            f" ({brief(error)}). Export it with TFLite's built-in operators alone, or install a"
            " newer ai-edge-litert."
        )
    if "not a valid Flatbuffer" in text:
        return _cut_short(path)
    return UserError(
        f"{str(path)!r} cannot be opened by ai-edge-litert ({brief(error)}): copy or export it"
        " again."
    )
