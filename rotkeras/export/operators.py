"""Which operators a TFLite file is made of."""

from collections import Counter
from typing import Any

from ai_edge_litert import schema_py_generated as schema

_NAMES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}


def operators_of(model: bytes) -> dict[str, int]:
    """How often each operator occurs in a TFLite file, over all its subgraphs, by name; operators
    that are not builtin too."""
    tree: Any = schema.Model.GetRootAs(model)
    found: Counter[str] = Counter()
    for index in range(tree.SubgraphsLength()):
        graph = tree.Subgraphs(index)
        for position in range(graph.OperatorsLength()):
            found[name_of(tree.OperatorCodes(graph.Operators(position).OpcodeIndex()))] += 1
    return dict(sorted(found.items()))


def foreign_operators(model: bytes) -> list[str]:
    """The operators of a TFLite file that are not builtin, by name."""
    tree: Any = schema.Model.GetRootAs(model)
    codes = [tree.OperatorCodes(index) for index in range(tree.OperatorCodesLength())]
    return sorted(name_of(code) for code in codes if code.CustomCode())


def name_of(code: Any) -> str:
    """The name of an operator code: that of a builtin operator, or its own."""
    if code.CustomCode():
        return str(code.CustomCode().decode())
    # The one field is of files older than 2020 operators' numbers above 127, the other of newer
    # ones.
    return str(_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())])
