"""What is wrong in a labelled set: every fault is named, and all of a kind are counted."""

from dataclasses import dataclass, field
from typing import Literal

from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError

OnFault = Literal["skip", "error"]

_SHOWN = 3


@checked
@dataclass
class Faults:
    """The faults of a labelled set, by kind.

    Attributes:
        on_fault: "skip" notes a fault and goes on; "error" ends at the first.
        places: kind -> where it was met, in the order of reading. A kind is a sentence, such as
            "boxes lie outside of the image and are cut to it".
    """

    on_fault: OnFault = "skip"
    places: dict[str, list[str]] = field(default_factory=dict, init=False)

    def add(self, kind: str, place: str) -> None:
        """Note one fault.

        Args:
            kind: see the attributes.
            place: the file, and the object in it.

        Raises:
            UserError: for on_fault "error".
        """
        if self.on_fault == "error":
            raise UserError(
                f"{place}: {kind}. Fix it, or set data.on_fault to skip, which leaves such faults"
                " out and counts them."
            )
        self.places.setdefault(kind, []).append(place)

    def note(self, kind: str, place: str) -> None:
        """Count what is worth a line and is no fault: it never ends the reading."""
        self.places.setdefault(kind, []).append(place)

    def lines(self) -> list[str]:
        """One line for each kind: what, how many, and the first places."""
        return [
            f"{kind}: {len(places):,} ({', '.join(places[:_SHOWN])}"
            f"{', …' if len(places) > _SHOWN else ''})"
            for kind, places in self.places.items()
        ]
