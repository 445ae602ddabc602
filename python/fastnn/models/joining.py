"""Layers in one pass, with the bits of one after the other: batch normalisation with the activation behind it, and in
predictions with the convolution before it, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn import activations
from fastnn.activations import FUSED
from fastnn.autograd import recording
from fastnn.layers import (
    Activation,
    BatchNormalization,
    Conv1D,
    Conv2D,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Layer,
    ReLU,
)
from fastnn.layers.layer import is_training
from fastnn.masks import table as masks
from fastnn.ops.batch_norm import ACTIVATIONS
from fastnn.symbolic import Node, symbols

_CONVOLUTIONS = (Conv1D, Conv2D, DepthwiseConv1D, DepthwiseConv2D)


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


def precedes(layer: Any, norm: Any) -> bool:
    """Whether layer is a convolution that norm may join."""
    if type(layer) not in _CONVOLUTIONS or type(norm) is not BatchNormalization:
        return False
    plain = layer.activity_regularizer is None and norm.activity_regularizer is None
    return plain and layer._dtype == norm._dtype


def joined(norm: BatchNormalization, layer: Layer) -> Callable[[Any], Any]:
    """layer(norm(x)), in one pass as long as layer is what it can do: its settings may be set anew."""

    def run(x: Any) -> Any:
        name = activation_name(layer)
        return layer(norm(x)) if name is None else norm(x, activation=name)

    return run


def convolved(convolution: Any, norm: Any, layer: Layer | None) -> Callable[[Any], Any]:
    """norm(convolution(x)), then layer if there is one, in one pass where that is a prediction."""
    after = norm if layer is None else joined(norm, layer)

    def predicts(x: Any) -> bool:
        if type(x) is not np.ndarray or x.dtype is not convolution._dtype or recording() or masks:
            return False
        plain = convolution.activation is activations.linear and norm.axis in (-1, x.ndim - 1)
        return plain and convolution.built and norm.built and not (norm._trainable and is_training())

    def run(x: Any) -> Any:
        if predicts(x):
            name = None if layer is None else activation_name(layer)
            try:
                y = convolution.normalised(x, norm, name)
                return y if layer is None or name is not None else layer(y)
            except ValueError:
                pass  # which the layer whose shapes do not fit raises once more, by its name
        return after(convolution(x))

    return run


def joined_layers(layers: Sequence[Layer], call: Callable[[Layer], Callable[[Any], Any]]) -> list[Callable[[Any], Any]]:
    """What layers in a row do, one after the other. call: how one that is by itself is called."""
    steps: list[Callable[[Any], Any]] = []
    rest = list(layers)
    while rest:
        layer = rest.pop(0)
        if rest and precedes(layer, rest[0]):
            norm = rest.pop(0)
            steps.append(convolved(layer, norm, rest.pop(0) if rest and follows(norm, rest[0]) else None))
        elif rest and follows(layer, rest[0]):
            steps.append(joined(layer, rest.pop(0)))  # type: ignore[arg-type]
        else:
            steps.append(call(layer))
    return steps


def joined_nodes(nodes: Sequence[Node], outputs: Sequence[Any]) -> dict[int, Callable[..., Any]]:
    """By id() of a node of a graph: what it does in place of its operation, where some of them have joined.

    The first does the work of all, the others hand it on: nothing else reads what lies between.
    """
    after = _sole_readers(nodes, outputs)
    found: dict[int, Callable[..., Any]] = {}
    for node in nodes:
        if id(node) in found or len(node.args) != 1 or node.kwargs or id(node) not in after:
            continue
        second = after[id(node)]
        third = after.get(id(second))
        layers = node.operation, second.operation
        if precedes(*layers):
            last = third if third is not None and follows(second.operation, third.operation) else None
            found[id(node)] = convolved(*layers, None if last is None else last.operation)  # type: ignore[arg-type]
            found[id(second)] = _same
            if last is not None:
                found[id(last)] = _same
        elif follows(*layers):
            found[id(node)] = joined(*layers)  # type: ignore[arg-type]
            found[id(second)] = _same
    return found


def _sole_readers(nodes: Sequence[Node], outputs: Sequence[Any]) -> dict[int, Node]:
    """By id() of a node: the one that alone reads what it makes, and nothing else."""
    uses = Counter(id(tensor) for node in nodes for tensor in symbols((node.args, node.kwargs)))
    uses.update(id(tensor) for tensor in outputs)
    makers = {id(tensor): node for node in nodes for tensor in symbols(node.outputs)}
    found: dict[int, Node] = {}
    for node in nodes:
        if len(node.args) == 1 and not node.kwargs and uses[id(node.args[0])] == 1:
            maker = makers.get(id(node.args[0]))
            if maker is not None:
                found[id(maker)] = node
    return found


def _same(x: Any) -> Any:
    return x
