"""A copy of a model that trails it."""

import math
from typing import Any

import keras

from rotkeras.arguments.accepted import Strength
from rotkeras.pretext.layers.directions import check_share


@keras.saving.register_keras_serializable(package="rotkeras")
class Follower(keras.layers.Layer):
    """A copy of a model whose weights trail those of the model, without gradients of their own.

    The first step of training copies the model, with whatever weights it has then. In each later
    step, before the copy is used, each of its weights becomes momentum · copy + (1 − momentum) ·
    model; running averages of batch norm too. The copy normalises by those averages, and never by
    its batch: so one image of a batch says nothing of another, on one device and on several.

    Args:
        model: the model to follow; it is trained elsewhere in the same graph.
        momentum: from 0 (a frozen copy of the present weights) to 1 (of the first weights).
        cosine: whether the momentum rises to 1 over the training, as 1 − (1 − momentum) · (1 +
            cos(π · step / steps)) / 2; `steps` is a weight that `FollowerSteps` sets. It does not
            rise while that is 0.
        stop_gradient: whether no gradient passes through the output to the inputs. False with
            momentum 0 is a frozen copy, through which inputs learn.
        **arguments: of `keras.layers.Layer`.

    Input shape: that of the model. Output shape: that of the model.

    Raises:
        UserError: for a momentum outside 0 … 1.

    Reference:
        He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020,
        equation 2; Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, equation 1, and for the
        cosine appendix F; Cai et al., Exponential Moving Average Normalization for Self-supervised
        and Semi-supervised Learning, CVPR 2021, for the batch norm of the copy.
    """

    def __init__(
        self,
        model: keras.Model,
        momentum: Strength = 0.99,
        stop_gradient: bool = True,
        cosine: bool = False,
        **arguments: Any,
    ) -> None:
        check_share("momentum", momentum)
        # In float32 under any policy: a sixteen-bit average would round small steps away.
        super().__init__(**{**arguments, "dtype": "float32"})
        self.momentum = momentum
        self.stop_gradient = stop_gradient
        self.cosine = cosine
        self.step, self.steps = (self._number(name) for name in ("step", "steps"))
        self.follow(model)
        self.copy = keras.models.clone_model(model)
        self.copy.set_weights(model.get_weights())
        self.copy.trainable = False

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The copy's output."""
        if training:
            momentum = self._momentum()
            for mine, theirs in self._pairs():
                if mine.dtype.startswith(("float", "bfloat")):
                    followed = keras.ops.stop_gradient(theirs.value)
                    mine.assign(momentum * mine.value + (1 - momentum) * followed)
            self.step.assign_add(1.0)
        output = self.copy(inputs, training=False)
        if not self.stop_gradient:
            return output
        return keras.tree.map_structure(keras.ops.stop_gradient, output)

    def _momentum(self) -> Any:
        """Of this step; 0 for the first."""
        ops, momentum = keras.ops, self.momentum
        if self.cosine:
            done = ops.minimum(self.step / ops.maximum(self.steps, 1.0), 1.0)
            risen = 1 - (1 - momentum) * (1 + ops.cos(math.pi * done)) / 2
            momentum = ops.where(self.steps > 0, risen, momentum)
        return ops.where(self.step > 0, momentum, 0.0)

    def _number(self, name: str) -> Any:
        return self.add_weight(
            (),
            "zeros",
            trainable=False,
            dtype="float32",
            aggregation="only_first_replica",
            name=name,
        )

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        """Of the copy, which needs no assignments to be traced."""
        return self.copy.compute_output_spec(inputs, training=False)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor; the model as the copy's own configuration and the
        layers that it follows, which a file of both shares with them."""
        layers = [keras.saving.serialize_keras_object(each) for each in self._followed.layers]
        return {
            **super().get_config(),
            "model": _without_shared(keras.saving.serialize_keras_object(self.copy)),
            "followed": layers,
            "momentum": self.momentum,
            "stop_gradient": self.stop_gradient,
            "cosine": self.cosine,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Follower":
        """A follower of the layers that the file holds. Where the configuration is not that of a
        whole model, they are not the ones that train: call `follow(model)`."""
        arguments = dict(config)
        layers = [keras.saving.deserialize_keras_object(each) for each in arguments.pop("followed")]
        model = keras.saving.deserialize_keras_object(arguments.pop("model"))
        made = cls(model, **arguments)
        # Not a model of these layers: that would call them once more, and Keras tells the calls of
        # a layer in a file apart by their number.
        made._followed = _Untracked(layers)
        return made

    def follow(self, model: keras.Model) -> None:
        """Follow another model of the same form."""
        self._followed = _Untracked([each for each in model.layers if each.weights])

    def _pairs(self) -> list[tuple[Any, Any]]:
        """The weights of the copy, each with the one that it follows."""
        pairs: list[tuple[Any, Any]] = []
        copied = [each for each in self.copy.layers if each.weights]
        for mine, theirs in zip(copied, self._followed.layers, strict=True):
            pairs += zip(mine.weights, theirs.weights, strict=True)
        return pairs


class _Untracked:
    """Layers that Keras shall not take for parts of the layer that holds them, as it would those of
    a list."""

    def __init__(self, layers: list[Any]) -> None:
        self.layers = layers


def _without_shared(config: Any) -> Any:
    """A configuration whose objects are made anew, and not shared with others of one file."""
    if isinstance(config, dict):
        kept = {key: each for key, each in config.items() if key != "shared_object_id"}
        return {key: _without_shared(each) for key, each in kept.items()}
    return [_without_shared(each) for each in config] if isinstance(config, list) else config
