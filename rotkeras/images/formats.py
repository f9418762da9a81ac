"""Which files are images: by content, and by name where the content does not say."""

import functools
import importlib.util

from PIL import Image

_NO_PIXELS = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MCIDAS", "MPEG", "WMF"})
"""Formats that Pillow opens and that hold no pixels, or that it hands to another program."""

_NOT_READ = {
    "camera raw": (
        "3fr ari arw bay cap cr2 cr3 crw dcr dng erf fff gpr iiq k25 kdc mef mos mrw nef nrw orf"
        " pef ptx r3d raf raw rw2 rwl rwz sr2 srf srw x3f",
        "convert it to JPEG or TIFF",
    ),
    "HEIC": ("heic heics heif heifs hif", "install pillow-heif: pip install 'rotkeras[heif]'"),
    "JPEG XL": ("jxl", "convert it to JPEG or PNG"),
    "high dynamic range": ("exr hdr", "convert it to PNG or TIFF"),
    "vector graphics": ("ai cdr emf eps ps svg svgz wmf", "convert it to PNG"),
    "image editor": ("afphoto clip kra pdn procreate psb xcf", "export it as PNG or TIFF"),
}
_KIND_OF = {
    f".{ending}": (kind, advice)
    for kind, (endings, advice) in _NOT_READ.items()
    for ending in endings.split()
}
_HEIC = {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"}
_PREFIX = 32


@functools.cache
def formats() -> tuple[str, ...]:
    """Names of the formats that are read, in the order in which Pillow tries them."""
    Image.init()
    if importlib.util.find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
    return tuple(name for name in Image.ID if name not in _NO_PIXELS)


@functools.cache
def extensions() -> frozenset[str]:
    """Endings of file names, in lower case with their dot, that say that a file is an image."""
    read = formats()
    there = {ending for ending, name in Image.registered_extensions().items() if name in read}
    return frozenset(there | {".mpo"})


def ending_of(name: str) -> str:
    """The ending of a file name, in lower case with its dot; "" without one."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > name.rfind("/") + 1 else ""


def not_read(name: str) -> str:
    """Why a file that looks like an image by its name is not read, with advice; "" for others."""
    ending = ending_of(name)
    if ending not in _KIND_OF or ending in extensions():
        return ""
    kind, advice = _KIND_OF[ending]
    return f"{kind} files are not read; {advice}"


def heic_is_not_read(prefix: bytes) -> str:
    """The same by content, for HEIC whose name does not say so; "" for others."""
    is_heic = prefix[4:8] == b"ftyp" and prefix[8:12].decode("latin-1") in _HEIC
    if not is_heic or "HEIF" in formats():
        return ""
    return f"HEIC files are not read; {_NOT_READ['HEIC'][1]}"


def looks_like_an_image(prefix: bytes) -> bool:
    """Whether content begins as that of an image does.

    Args:
        prefix: at least the first 16 bytes of the file.
    """
    if len(prefix) < 16:
        return False
    for name in formats():
        accept = Image.OPEN[name][1]
        if accept is not None and name not in _LOOSE and accept(prefix) is True:
            return True
    return False


_LOOSE = frozenset({"CUR", "DCX", "FLI", "GBR", "ICO", "MSP", "PCX", "PIXAR", "PPM", "SGI", "XBM"})
"""Formats whose beginning is so short that other files begin alike; their names decide."""


def read_prefix(path: str) -> bytes:
    """The first bytes of a regular file."""
    with open(path, "rb", buffering=0) as file:
        return file.read(_PREFIX)
