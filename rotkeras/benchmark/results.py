"""What a benchmark of training measured, as it is written."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """The repeats of a measurement.

    Attributes:
        median, minimum, maximum: of the repeats.
        repeats: all of them, in their order.
    """

    median: float
    minimum: float
    maximum: float
    repeats: tuple[float, ...]

    @classmethod
    def of(cls, repeats: Sequence[float]) -> "Spread":
        """The spread of at least one repeat."""
        return cls(statistics.median(repeats), min(repeats), max(repeats), tuple(repeats))


@dataclass(frozen=True)
class Part:
    """What one fresh process measured.

    Attributes:
        views_per_second: over the repeats.
        steps: steps of each repeat that count.
        warm_up_steps: steps before the first repeat.
        host_peak_mib: the most memory that the process held, in MiB; None where the system does not
            say.
        device_peak_mib: the most memory of the accelerator in MiB; None without one.
    """

    views_per_second: Spread
    steps: tuple[int, ...]
    warm_up_steps: int
    host_peak_mib: int | None
    device_peak_mib: float | None


@dataclass(frozen=True)
class FirstStep:
    """Seconds from the start of a fresh process to the end of the first training step, and where
    they went.

    Attributes:
        seconds: all of it.
        imports: TensorFlow, Keras and rotkeras.
        reading_images: until the source is there.
        building: augmentation, network, optimizer and pipeline.
        first_step: tracing or compiling it, filling the pipeline, and computing it.
    """

    seconds: float
    imports: float
    reading_images: float
    building: float
    first_step: float


@dataclass(frozen=True)
class Bound:
    """A rate beside what the machine reaches at its best.

    Attributes:
        per_view: operations, or bytes, that a view takes.
        per_second: operations, or bytes, of the measured views per second.
        reached_here: the most per second that was measured on this machine.
        of: what reached it.
        share: `per_second` / `reached_here`.
    """

    per_view: float
    per_second: float
    reached_here: float
    of: str
    share: float


@dataclass(frozen=True)
class PeerSetting:
    """One way of running the peer.

    Attributes:
        name: of the setting.
        views_per_second: None when it could not be run.
        steps: steps of each repeat.
        error: why it could not be run.
    """

    name: str
    views_per_second: Spread | None
    steps: int
    error: str | None = None


@dataclass(frozen=True)
class Peer:
    """The PyTorch peer.

    Attributes:
        torch: its version.
        device: cpu or cuda.
        parameters: trainable numbers, the same as of the recipe's network.
        step: the settings that were tried.
        input: its loader; None when the recipe's augmentation is none that it has.
        step_ratio: median views per second of our step over the median of its best setting.
        input_ratio: the same of the input.
        fastest_step_ratio, fastest_input_ratio: the same of the fastest repeats, which other
            programs disturb least.
    """

    torch: str
    device: str
    parameters: int
    step: tuple[PeerSetting, ...]
    input: PeerSetting | None
    step_ratio: float | None
    input_ratio: float | None
    fastest_step_ratio: float | None
    fastest_input_ratio: float | None

    @property
    def best(self) -> PeerSetting | None:
        """The fastest setting of the step, None when none could be run."""
        ran = [each for each in self.step if each.views_per_second]
        return max(
            ran,
            key=lambda each: each.views_per_second.median if each.views_per_second else 0.0,
            default=None,
        )


@dataclass(frozen=True)
class TrainingBenchmark:
    """How fast a recipe trains on this machine.

    Attributes:
        recipe: all of its settings.
        seed: of the recipe.
        repeats: measurements of each part.
        backend: of Keras.
        versions: package -> version.
        machine: processor, cores, system, Python, `load` (programs that were computing here before;
            None where the system does not say), the accelerators, how many devices are used, and
            the placement (`rotkeras.training.placement`).
        images_per_step, views_per_step: sizes of a batch.
        parameters: trainable numbers of the network.
        input, step, both: the pipeline alone, the step alone on one batch, and training.
        waiting: share of the time of `both`, 0 … 1, in which the step stood still because no batch
            was ready; None when the clock was not there.
        first_step: of `both`.
        work: operations of the step alone, beside what a product of matrices reaches.
        forward_flops: operations of the forward pass of one view.
        not_counted: kinds of layers with weights that `work` leaves out.
        writing: bytes of the input alone, beside what a copy of memory reaches.
        peer: None if it was not requested.
    """

    recipe: dict[str, Any]
    seed: int
    repeats: int
    backend: str
    versions: dict[str, str]
    machine: dict[str, Any]
    images_per_step: int
    views_per_step: float
    parameters: int
    input: Part
    step: Part
    both: Part
    waiting: Spread | None
    first_step: FirstStep
    work: Bound
    forward_flops: int
    not_counted: tuple[str, ...]
    writing: Bound
    peer: Peer | None

    def content(self) -> dict[str, Any]:
        """All of it as plain content."""
        return asdict(self)

    def json(self) -> str:
        """All of it as indented JSON."""
        return json.dumps(self.content(), indent=2, ensure_ascii=False)
