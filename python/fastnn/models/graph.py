"""The graph between symbolic inputs and outputs: its calls in order, and how they are run on arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.autograd import Variable
from fastnn.backend import constant
from fastnn.layers import InputLayer, Layer
from fastnn.models.joining import joined_nodes
from fastnn.operators import dispatch
from fastnn.symbolic import Node, Op, Operation, SymbolicTensor, symbols

#: Runs one call: reads and writes the values of a run, by slot.
Step = Callable[[list[Any]], None]


class Graph:
    """The calls that lead from inputs to outputs.

    nodes: calls in an order in which they can be run, without the inputs. operations: layers and ops, each once, those
    far from the outputs first, as Keras lists them. Raises ValueError if an output depends on what is no input, or if a
    name is there twice.
    """

    def __init__(self, inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor], where: str) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.where = where
        self.nodes, first_met = self._ordered()
        depths = self._depths()
        order = sorted(depths, key=lambda key: (-depths[key], first_met.get(key, -1)))
        by_id = {id(node.operation): node.operation for node in (*self._input_nodes(), *self.nodes)}
        self.operations: list[Operation] = [by_id[key] for key in order]
        names = Counter(operation.name for operation in self.operations)
        for name, count in names.items():
            if count > 1:
                raise ValueError(f"[{where}] expected layers of different names, got {name!r} twice")

    def _input_nodes(self) -> list[Node]:
        return [tensor.node for tensor in self.inputs if tensor.node is not None]

    def _ordered(self) -> tuple[list[Node], dict[int, int]]:
        """The nodes in order, and when each operation was first met on the way back from the outputs. No recursion."""
        given = {id(tensor) for tensor in self.inputs}
        first_met: dict[int, int] = {}
        done: dict[int, Node] = {}
        for output in self.outputs:
            waiting: list[tuple[SymbolicTensor, Iterator[SymbolicTensor] | None]] = [(output, None)]
            while waiting:
                tensor, inputs = waiting.pop()
                node = tensor.node
                if id(tensor) in given:
                    if node is not None:
                        first_met.setdefault(id(node.operation), len(first_met))
                    continue
                if node is None or not (node.inputs or isinstance(node.operation, Op)):
                    raise ValueError(
                        f"[{self.where}] expected outputs that depend on the inputs {self._names(self.inputs)} alone, "
                        f"got {output.name!r}, which needs {tensor.name!r} of shape {tensor.shape} too"
                    )
                if id(node) in done:
                    continue
                if inputs is None:
                    first_met.setdefault(id(node.operation), len(first_met))
                    inputs = iter(node.inputs)
                before = next(inputs, None)
                if before is None:
                    done[id(node)] = node
                else:
                    waiting += [(tensor, inputs), (before, None)]
        return list(done.values()), first_met

    @staticmethod
    def _names(tensors: Sequence[SymbolicTensor]) -> list[str | None]:
        return [tensor.name for tensor in tensors]

    def _depths(self) -> dict[int, int]:
        """By id of an operation: the most calls between it and an output."""
        node_depths: dict[int, int] = {}
        depths: dict[int, int] = {}
        given = {id(tensor) for tensor in self.inputs}
        for node in reversed(self.nodes):
            depth = max(node_depths.get(id(node), 0), depths.get(id(node.operation), 0))
            depths[id(node.operation)] = depth
            for tensor in node.inputs:
                before = tensor.node
                if before is None:
                    continue
                if id(tensor) in given:
                    depths[id(before.operation)] = max(depths.get(id(before.operation), 0), depth + 1)
                else:
                    node_depths[id(before)] = max(node_depths.get(id(before), 0), depth + 1)
        for node in self._input_nodes():
            depths.setdefault(id(node.operation), 0)
        return depths

    @property
    def layers(self) -> list[Layer]:
        return [operation for operation in self.operations if isinstance(operation, Layer)]

    def variables(self) -> list[Variable]:
        """Variables that ops take as arguments."""
        return [leaf for node in self.nodes for leaf in _leaves((node.args, node.kwargs)) if isinstance(leaf, Variable)]


def _leaves(structure: Any) -> Iterator[Any]:
    if isinstance(structure, Mapping):
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        for part in structure:
            yield from _leaves(part)
    else:
        yield structure


def inputs_of_layers(inputs: Sequence[SymbolicTensor]) -> dict[int, SymbolicTensor]:
    """For inputs that no InputLayer made, those of a new one: by id of the first."""
    made = {}
    for tensor in inputs:
        if tensor.node is None or not isinstance(tensor.node.operation, InputLayer):
            made[id(tensor)] = InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype).output
    return made


# ---- running ------------------------------------------------------------------------------------------------------


class Plan:
    """A graph as a list of steps over numbered slots. A slot is used again when what it held is read for the last time.

    direct: whether layers may be entered by call() where that is all that calling them does.
    """

    def __init__(self, graph: Graph, outputs: Any, dtype: np.dtype[Any], direct: bool) -> None:
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self.size = 0
        last = {id(t): position for position, node in enumerate(graph.nodes) for t in node.inputs}
        last |= {id(t): len(graph.nodes) for t in graph.outputs}
        for tensor in graph.inputs:
            self._take(tensor)
        self._joined = joined_nodes(graph.nodes, graph.outputs) if direct else {}
        self.steps: list[Step] = []
        for position, node in enumerate(graph.nodes):
            self.steps.append(self._step(node, position, last, dtype, direct))
        self.result = self._reader(outputs)

    def _take(self, tensor: SymbolicTensor) -> int:
        if not self._free:
            self._free.append(self.size)
            self.size += 1
        self._slots[id(tensor)] = slot = self._free.pop()
        return slot

    def _step(self, node: Node, position: int, last: Mapping[int, int], dtype: Any, direct: bool) -> Step:
        function = self._function(node, dtype, direct)
        read = self._reader_of_call(node, function)
        for tensor in {id(t): t for t in node.inputs}.values():
            if last[id(tensor)] == position:
                self._free.append(self._slots[id(tensor)])
        made = symbols(node.outputs)
        slots = [self._take(tensor) for tensor in made]
        self._free += [slot for slot, tensor in zip(slots, made, strict=True) if id(tensor) not in last]
        if isinstance(node.outputs, SymbolicTensor):
            return _storing(read, slots[0])
        return _storing_all(read, node.outputs, slots)

    def _function(self, node: Node, dtype: Any, direct: bool) -> Callable[..., Any]:
        operation = node.operation
        if id(node) in self._joined:
            return self._joined[id(node)]
        if isinstance(operation, Op):
            return dispatch[operation.function]
        assert isinstance(operation, Layer)
        fits = direct and all(tensor.dtype == dtype for tensor in node.inputs)
        return direct_call(operation, dtype) if fits else operation

    def _reader_of_call(self, node: Node, function: Callable[..., Any]) -> Callable[[list[Any]], Any]:
        """Reads the arguments and calls: closures for the common forms."""
        args, kwargs = node.args, node.kwargs
        if not kwargs and all(isinstance(argument, SymbolicTensor) for argument in args):
            slots = [self._slots[id(argument)] for argument in args]
            if len(slots) == 1:
                only = slots[0]
                return lambda values: function(values[only])
            return lambda values: function(*[values[slot] for slot in slots])
        if not kwargs and len(args) == 1 and type(args[0]) is list and all(map(_is_tensor, args[0])):
            slots = [self._slots[id(argument)] for argument in args[0]]
            return lambda values: function([values[slot] for slot in slots])
        readers = [self._reader(argument) for argument in args]
        named = {name: self._reader(argument) for name, argument in kwargs.items()}
        return lambda values: function(
            *[read(values) for read in readers], **{name: read(values) for name, read in named.items()}
        )

    def _reader(self, structure: Any) -> Callable[[list[Any]], Any]:
        """A function from the values of a run to the structure with values in the place of symbolic tensors."""
        if isinstance(structure, SymbolicTensor):
            slot = self._slots[id(structure)]
            return lambda values: values[slot]
        if isinstance(structure, np.ndarray):
            return lambda values: constant(structure)
        if isinstance(structure, (list, tuple)):
            kind, readers = type(structure), [self._reader(part) for part in structure]
            if hasattr(kind, "_fields"):
                return lambda values: kind(*[read(values) for read in readers])
            return lambda values: kind([read(values) for read in readers])
        if isinstance(structure, Mapping):
            named = {key: self._reader(part) for key, part in structure.items()}
            return lambda values: {key: read(values) for key, read in named.items()}
        return lambda values: structure

    def run(self, inputs: list[Any]) -> Any:
        """The outputs for one value per input."""
        values = inputs + [None] * (self.size - len(inputs))
        for step in self.steps:
            step(values)
        return self.result(values)


def _is_tensor(part: Any) -> bool:
    return isinstance(part, SymbolicTensor)


def _storing(read: Callable[[list[Any]], Any], slot: int) -> Step:
    def step(values: list[Any]) -> None:
        values[slot] = read(values)

    return step


def _storing_all(read: Callable[[list[Any]], Any], outputs: Any, slots: list[int]) -> Step:
    def step(values: list[Any]) -> None:
        for slot, value in zip(slots, _like(outputs, read(values)), strict=True):
            values[slot] = value

    return step


def _like(outputs: Any, values: Any) -> Iterator[Any]:
    """The values where outputs has symbolic tensors, in their order."""
    if isinstance(outputs, SymbolicTensor):
        yield values
    elif isinstance(outputs, (list, tuple)):
        for part, value in zip(outputs, values, strict=True):
            yield from _like(part, value)
    elif isinstance(outputs, Mapping):
        for key, part in outputs.items():
            yield from _like(part, values[key])


def direct_call(layer: Layer, dtype: np.dtype[Any]) -> Callable[..., Any]:
    """layer, or its call() where all else that calling it does is done: it is built, of the input's dtype, and there
    are no masks."""
    plain = type(layer).__call__ is Layer.__call__ and not layer._takes_training
    plain = plain and layer.activity_regularizer is None
    return layer.call if plain and layer.built and layer._dtype == dtype else layer
