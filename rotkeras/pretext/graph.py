"""Tensors of a functional model whose layers may be used for several inputs."""

from typing import Any

Tensor = Any


def tensor_of(model: Any, layer: str, input_name: str | None = None) -> tuple[Tensor, Tensor]:
    """(an input of a functional model, the output of a layer that depends on no other input).

    A layer that a model uses for views of two sizes has an output for each of them, and
    `layer.output` is not defined.

    Args:
        model: a functional model.
        layer: the name of a layer with one output.
        input_name: of the input; None where the model has one.

    Raises:
        ValueError: when there is no such output.
    """
    wanted = model.inputs[0].name if input_name is None else input_name
    for tensor in _outputs(model, layer):
        found = _sources(tensor)
        if {each.name for each in found} == {wanted}:
            return found[0], tensor
    raise ValueError(f"Model {model.name!r} has no output of layer {layer!r} of input {wanted!r}.")


def _outputs(model: Any, layer: str) -> list[Tensor]:
    """Outputs of a layer that outputs of the model depend on."""
    made = {}
    for operation, node, tensor in _ancestors(list(model.outputs)):
        if operation.name == layer:
            made[operation, node] = tensor
    return list(made.values())


def _sources(tensor: Tensor) -> list[Tensor]:
    """The inputs that a tensor depends on."""
    found = {}
    for operation, node, each in _ancestors([tensor]):
        if operation._inbound_nodes[node].is_input:
            found[operation.name] = each
    return list(found.values())


def _ancestors(tensors: list[Tensor]) -> Any:
    """(operation, number of its node, tensor) of the tensors and all that they are made of."""
    seen = set()
    while tensors:
        tensor = tensors.pop()
        operation, node, place = tensor._keras_history
        if (id(operation), node, place) in seen:
            continue
        seen.add((id(operation), node, place))
        yield operation, node, tensor
        tensors += operation._inbound_nodes[node].input_tensors
