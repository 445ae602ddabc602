"""What a model is made of, as text and connections: for summaries and drawings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastnn.layers import Layer
from fastnn.models.functional import Functional
from fastnn.models.sequential import Sequential
from fastnn.symbolic import Node, Op, Operation, symbols


@dataclass
class Source:
    """Where an input of a part comes from: the name of another part, the number of its call, that of the output."""

    name: str
    call: int
    output: int


@dataclass
class Part:
    """A layer or an op of a model, with all its calls there.

    kind: its class, or the op's name. inputs, outputs: shapes, None where they are not known.
    """

    operation: Operation
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    dtypes: list[str] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    calls: int = 0

    @property
    def name(self) -> str:
        return self.operation.name

    @property
    def kind(self) -> str:
        return self.operation.function if isinstance(self.operation, Op) else type(self.operation).__name__

    @property
    def layer(self) -> Layer | None:
        return self.operation if isinstance(self.operation, Layer) else None

    @property
    def activation(self) -> str | None:
        """The name of the layer's activation, unless it is linear."""
        found = getattr(self.operation, "activation", None)
        name = getattr(found, "__name__", None) or type(found).__name__
        return None if found is None or name == "linear" else str(name)

    def add_call(self, node: Node, known: dict[int, Source]) -> None:
        for number, tensor in enumerate(symbols(node.outputs)):
            known[id(tensor)] = Source(self.name, self.calls, number)
        self.calls += 1
        self.sources += [known[id(tensor)] for tensor in node.inputs if id(tensor) in known]
        self.inputs = [tensor.shape for tensor in node.inputs] or [t.shape for t in symbols(node.outputs)]
        self.outputs = [tensor.shape for tensor in symbols(node.outputs)]
        self.dtypes = [tensor.dtype.name for tensor in symbols(node.outputs)]


def parts_of(model: Any, with_input: bool = False) -> list[Part]:
    """The parts of a model. with_input: also the Input in front of a Sequential."""
    if isinstance(model, Functional):
        return _of_nodes(model.operations, [t.node for t in model.inputs if t.node] + model._graph.nodes)
    if isinstance(model, Sequential) and model._build_shape is not None:
        nodes = [tensor.node for tensor in map(_first, model._tensors) if tensor.node is not None]
        parts = _of_nodes([node.operation for node in nodes], nodes)
        return parts if with_input else parts[1:]
    return [_of_layer(layer) for layer in getattr(model, "layers", ())]


def _first(tensors: Any) -> Any:
    return symbols(tensors)[0]


def _of_nodes(operations: list[Any], nodes: list[Node]) -> list[Part]:
    parts = {id(operation): Part(operation) for operation in operations}
    known: dict[int, Source] = {}
    for node in nodes:
        parts[id(node.operation)].add_call(node, known)
    return list(parts.values())


def _of_layer(layer: Layer) -> Part:
    """A layer whose connections are not known; its shapes from what it was built with."""
    part = Part(layer, dtypes=[layer.dtype])
    overwritten = type(layer).compute_output_shape is not Layer.compute_output_shape
    if layer._build_shape is not None and overwritten:
        part.inputs, part.outputs = [layer._build_shape], [layer.compute_output_shape(layer._build_shape)]
    return part


def is_chain(parts: list[Part]) -> bool:
    """True if each part is called once, on the output of the one before it alone."""
    before = ""
    for position, part in enumerate(parts):
        names = [source.name for source in part.sources]
        if part.calls > 1 or (names != [before] if position and part.calls else len(names) > 1):
            return False
        before = part.name
    return True
