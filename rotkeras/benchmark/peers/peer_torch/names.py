"""The pretext tasks of the peer by the names that a recipe uses."""

from typing import Any

from .pairs import ESSL, MoCo
from .tasks import Rotation, SimCLR

TASKS: dict[str, Any] = {"rotation": Rotation, "simclr": SimCLR, "moco": MoCo, "essl": ESSL}
