"""The machine that something was measured on."""

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DOT_PRODUCTS = {
    "avx512_vnni": "AVX512-VNNI",
    "avx_vnni": "AVX-VNNI",
    "asimddp": "ARM dotprod",
    "i8mm": "ARM i8mm",
}
"""Flags of /proc/cpuinfo and the instructions they mean, each of which sums products of 8-bit
integers in one step."""


@dataclass(frozen=True)
class Host:
    """A machine, as far as it says.

    Attributes:
        processor: its model name.
        cores: how many this process may use.
        system: operating system, release and architecture.
        python: version.
        ai_edge_litert: version of the runtime.
        integer_dot_products: instructions on 8-bit integers that it has, () for none, None where
            the system does not tell.
    """

    processor: str
    cores: int
    system: str
    python: str
    ai_edge_litert: str
    integer_dot_products: tuple[str, ...] | None

    @property
    def about_int8(self) -> str:
        """A sentence on what int8 files can gain here."""
        if self.integer_dot_products is None:
            return "Integer dot products: unknown; without them int8 may be no faster than float32."
        if not self.integer_dot_products:
            return "Integer dot products: none; int8 is smaller, but may be no faster than float32."
        names = ", ".join(self.integer_dot_products)
        return f"Integer dot products: {names}, which speed up int8 convolutions."


def describe_host(cpuinfo: Path = Path("/proc/cpuinfo")) -> Host:
    """This machine.

    Args:
        cpuinfo: where Linux tells of its processors.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    flags = set(" ".join(re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)).split())
    try:
        runtime = version("ai-edge-litert")
    except PackageNotFoundError:
        runtime = "unknown"
    return Host(
        _processor(text),
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        f"{platform.system()} {platform.release()} {platform.machine()}",
        platform.python_version(),
        runtime,
        tuple(name for flag, name in DOT_PRODUCTS.items() if flag in flags) if flags else None,
    )


def _processor(cpuinfo: str) -> str:
    if found := re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE):
        return found[1].strip()
    try:  # ARM boards have the board's name here
        return (
            Path("/proc/device-tree/model")
            .read_text(encoding="utf-8", errors="replace")
            .strip("\0 \n")
        )
    except OSError:
        return platform.processor() or platform.machine()
