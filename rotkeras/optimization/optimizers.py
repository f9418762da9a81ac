"""Optimizers. Each function returns one that is still without its learning rate:
`optimizer(learning_rate)` is what Keras takes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from rotkeras.arguments.accepted import Fraction, NotNegativeNumber, PositiveNumber
from rotkeras.arguments.checked import checked

if TYPE_CHECKING:
    import keras

WeightDecay = Literal["l2_in_gradient", "decoupled"]


@checked
def sgd(
    momentum: Fraction = 0.9,
    nesterov: bool = True,
    weight_decay: NotNegativeNumber = 5e-4,
    weight_decay_as: WeightDecay = "l2_in_gradient",
) -> Callable[[Any], "keras.optimizers.Optimizer"]:
    """Stochastic gradient descent with momentum.

    Args:
        momentum: share of the last step that is kept.
        nesterov: take the gradient's step from where the momentum leads.
        weight_decay: on every trainable weight.
        weight_decay_as: l2_in_gradient adds weight_decay·w to the gradient, as the published SGD
            does, by an L2 term in the loss; decoupled subtracts learning_rate·weight_decay·w from
            the weights, as Keras' argument does.
    """

    def optimizer(learning_rate: Any) -> "keras.optimizers.Optimizer":
        import keras

        return keras.optimizers.SGD(
            learning_rate,
            momentum=momentum,
            nesterov=nesterov and momentum > 0,
            weight_decay=_decoupled(weight_decay, weight_decay_as),
        )

    return optimizer


@checked
def adam(
    weight_decay: NotNegativeNumber = 5e-4,
    weight_decay_as: WeightDecay = "l2_in_gradient",
) -> Callable[[Any], "keras.optimizers.Optimizer"]:
    """Adam; with decoupled weight decay, AdamW.

    Args:
        weight_decay: on every trainable weight.
        weight_decay_as: l2_in_gradient adds weight_decay·w to the gradient, by an L2 term in the
            loss; decoupled subtracts learning_rate·weight_decay·w from the weights (AdamW).
    """

    def optimizer(learning_rate: Any) -> "keras.optimizers.Optimizer":
        import keras

        return keras.optimizers.Adam(
            learning_rate, weight_decay=_decoupled(weight_decay, weight_decay_as)
        )

    return optimizer


@checked
def lars(
    momentum: Fraction = 0.9,
    trust_coefficient: PositiveNumber = 0.001,
    weight_decay: NotNegativeNumber = 1e-6,
    nesterov: bool = False,
) -> Callable[[Any], "keras.optimizers.Optimizer"]:
    """LARS, for large batches: each kernel's step is scaled to the length of its weights.

    Args:
        momentum: share of the last step that is kept.
        trust_coefficient: length of a step at learning rate 1, as a share of that of the weights.
        weight_decay: on kernels alone; weight_decay·w is added to the gradient before its length is
            taken. There is no weight_decay_as: an L2 term in the loss would reach biases and batch
            norm too, and decoupled decay would not be scaled.
        nesterov: take the gradient's step from where the momentum leads.

    Reference:
        You, Gitman, Ginsburg, Large Batch Training of Convolutional Networks, 2017; see
        `rotkeras.optimization.LARS`.
    """

    def optimizer(learning_rate: Any) -> "keras.optimizers.Optimizer":
        from rotkeras.optimization.lars_optimizer import LARS

        return LARS(learning_rate, momentum, trust_coefficient, weight_decay, nesterov)

    return optimizer


def _decoupled(weight_decay: float, weight_decay_as: WeightDecay) -> float | None:
    """Keras' own argument. That of l2_in_gradient is a term of the loss, see `add_l2`."""
    return weight_decay if weight_decay_as == "decoupled" and weight_decay else None


OPTIMIZERS: dict[str, Callable[..., Callable[[Any], "keras.optimizers.Optimizer"]]] = {
    "sgd": sgd,
    "adam": adam,
    "lars": lars,
}
"""Optimizers by the name that a recipe uses."""
