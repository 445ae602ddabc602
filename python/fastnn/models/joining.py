"""Batch normalisation and the activation behind it in one pass, with the bits of the two one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from fastnn.activations import FUSED
from fastnn.layers import Activation, BatchNormalization, Layer, ReLU
from fastnn.ops.batch_norm import ACTIVATIONS
from fastnn.symbolic import Node, symbols


def activation_name(layer: Layer) -> str | None:
    """The name of what an activation layer does, if the pass of batch normalisation can do it, too."""
    if layer.activity_regularizer is not None:
        return None
    if type(layer) is Activation:
        name = FUSED.get(layer.activation)
        return name if name in ACTIVATIONS else None
    if type(layer) is ReLU and layer.threshold == 0 and layer.negative_slope == 0:
        return "relu" if layer.max_value is None else "relu6" if layer.max_value == 6 else None
    return None


def follows(norm: Any, layer: Any) -> bool:
    """Whether layer is an activation that may join norm."""
    pair = type(norm) is BatchNormalization and type(layer) in (Activation, ReLU)
    return pair and norm.activity_regularizer is None and norm._dtype == layer._dtype


def joined(norm: BatchNormalization, layer: Layer) -> Callable[[Any], Any]:
    """layer(norm(x)), in one pass as long as layer is what it can do: its settings may be set anew."""

    def run(x: Any) -> Any:
        name = activation_name(layer)
        return layer(norm(x)) if name is None else norm(x, activation=name)

    return run


def joined_layers(layers: Sequence[Layer], call: Callable[[Layer], Callable[[Any], Any]]) -> list[Callable[[Any], Any]]:
    """What layers in a row do, one after the other. call: how one that is by itself is called."""
    steps: list[Callable[[Any], Any]] = []
    rest = list(layers)
    while rest:
        layer = rest.pop(0)
        if rest and follows(layer, rest[0]):
            steps.append(joined(layer, rest.pop(0)))  # type: ignore[arg-type]
        else:
            steps.append(call(layer))
    return steps


def joined_nodes(nodes: Sequence[Node], outputs: Sequence[Any]) -> dict[int, Callable[..., Any]]:
    """By id() of a node of a graph: what it does in place of its operation, where two of them have joined.

    The first does the work of both, the second hands it on: nothing else reads what lies between.
    """
    uses = Counter(id(tensor) for node in nodes for tensor in symbols((node.args, node.kwargs)))
    uses.update(id(tensor) for tensor in outputs)
    makers = {id(tensor): node for node in nodes for tensor in symbols(node.outputs)}
    found: dict[int, Callable[..., Any]] = {}
    for node in nodes:
        if len(node.args) != 1 or node.kwargs or uses[id(node.args[0])] != 1:
            continue
        norm = makers.get(id(node.args[0]))
        if norm is not None and len(norm.args) == 1 and not norm.kwargs and follows(norm.operation, node.operation):
            found[id(norm)] = joined(norm.operation, node.operation)  # type: ignore[arg-type]
            found[id(node)] = _same
    return found


def _same(x: Any) -> Any:
    return x
