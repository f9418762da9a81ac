"""LARS: a step of each kernel is as long as its weights want it, whatever the batch size.

The module is not named as the function `lars` of recipes: importing it would replace that function
in the package.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rotkeras.arguments.accepted import Fraction, NotNegativeNumber, PositiveNumber
from rotkeras.arguments.checked import checked


@keras.saving.register_keras_serializable(package="rotkeras")
class LARS(keras.optimizers.Optimizer):
    """Layer-wise adaptive rate scaling, as SimCLR and BYOL use it.

    For a variable w of two or more axes, with gradient g, weight decay d, trust coefficient c and
    learning rate r:

        u = g + d·w
        v = momentum·v + r · (c · ‖w‖ / ‖u‖) · u
        w = w − v, or with Nesterov's momentum w − (momentum·v + r · (c · ‖w‖ / ‖u‖) · u)

    The ratio is 1 where one of the norms is 0. Biases and the scales and offsets of batch norm,
    which have one axis, are neither decayed nor adapted: u = g, and the ratio is 1.

    Args:
        learning_rate: a float, or a schedule of Keras. Published ones are large, since the ratio
            is small: 0.3 · batch / 256 (SimCLR).
        momentum: share of the last step that is kept.
        trust_coefficient: c.
        weight_decay: d. It is part of u, and so of the ratio; Keras' decoupled decay is not used.
        nesterov: take the step from where the momentum leads.
        **options: of every Keras optimizer, such as `global_clipnorm` and `use_ema`.

    State: one variable of the shape and dtype of each weight, float32 in mixed precision too.
    Norms are taken in float32.

    Raises:
        UserError: for values out of range.

    Reference:
        You, Gitman, Ginsburg, Large Batch Training of Convolutional Networks, 2017, algorithm 1,
        with ‖g + d·w‖ in place of ‖g‖ + d·‖w‖, as in Chen et al., A Simple Framework for
        Contrastive Learning of Visual Representations, ICML 2020, section 2.2, and its code.
    """

    @checked
    def __init__(
        self,
        learning_rate: Any = 0.3,
        momentum: Fraction = 0.9,
        trust_coefficient: PositiveNumber = 0.001,
        weight_decay: NotNegativeNumber = 1e-6,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        # Keras would subtract a decay of its own from all weights.
        super().__init__(learning_rate=learning_rate, weight_decay=None, **options)
        self.momentum = momentum
        self.trust_coefficient = trust_coefficient
        self.decay_in_gradient = weight_decay
        self.nesterov = nesterov

    def build(self, variables: Sequence[Any]) -> None:
        """Make a momentum for each variable."""
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of one variable."""
        velocity = self.momentums[self._get_variable_index(variable)]
        update = ops.cast(gradient, "float32")
        scale = ops.cast(learning_rate, "float32")
        if len(variable.shape) > 1:
            weights = ops.cast(variable, "float32")
            update = ops.add(update, ops.multiply(weights, self.decay_in_gradient))
            scale = ops.multiply(scale, self._trust(weights, update))
        step = ops.multiply(update, scale)
        moved = ops.add(ops.multiply(ops.cast(velocity, "float32"), self.momentum), step)
        self.assign(velocity, ops.cast(moved, velocity.dtype))
        if self.nesterov:
            moved = ops.add(ops.multiply(moved, self.momentum), step)
        self.assign_sub(variable, ops.cast(moved, variable.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "trust_coefficient": self.trust_coefficient,
            "weight_decay": self.decay_in_gradient,
            "nesterov": self.nesterov,
        }

    def _trust(self, weights: Any, update: Any) -> Any:
        lengths = [ops.sqrt(ops.sum(ops.square(each))) for each in (weights, update)]
        both = ops.logical_and(ops.greater(lengths[0], 0.0), ops.greater(lengths[1], 0.0))
        ratio = ops.divide(lengths[0], ops.where(both, lengths[1], 1.0))
        return ops.where(both, ops.multiply(ratio, self.trust_coefficient), 1.0)
