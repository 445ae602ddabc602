"""Models made of the calls between symbolic inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.arrays import PartialShape
from fastnn.autograd import Tensor
from fastnn.layers import InputLayer, Layer, deserialize
from fastnn.layers.input_spec import InputSpec, check_inputs
from fastnn.masks import masked
from fastnn.models.encoding import decoded, encoded
from fastnn.models.graph import Graph, Plan, inputs_of_layers
from fastnn.models.model import Model
from fastnn.registry import serialize
from fastnn.structure import is_ours, structure_version
from fastnn.symbolic import (
    Node,
    Op,
    SymbolicTensor,
    call_op,
    is_symbolic,
    located,
    of_shapes,
    probed,
    replaced,
    shapes_of,
    symbols,
)


class Functional(Model):
    """What Model(inputs, outputs) makes: the calls that lead from the inputs to the outputs, as a model.

    inputs, outputs: symbolic tensors, in any nesting of lists, tuples and dicts. Inputs may be tensors in the middle of
    a graph: the model then begins there. It is called on arrays in the nesting of inputs, on a list of them, or on a
    dict by the names of the inputs.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **options: Any) -> None:
        for what, structure in (("inputs", inputs), ("outputs", outputs)):
            _require_symbols(structure, what)
        dtypes = [tensor.dtype for tensor in symbols(inputs) if tensor.dtype.kind == "f"]
        super().__init__(name=name, dtype=dtypes[0] if dtypes else None, **options)
        self._input_structure, self._output_structure = inputs, outputs
        self._graph = self._made_graph()
        self._plans: tuple[int, dict[bool, Plan]] = (-1, {})
        self._checks = [_InputCheck(tensor) for tensor in self._graph.inputs]
        for part in (*self._graph.layers, *self._graph.variables()):
            self._track(part)
        shape = shapes_of(inputs)
        self._build_shape = shape if isinstance(shape, tuple) else None
        self.built = True

    def _made_graph(self) -> Graph:
        """The graph, which begins at Inputs: where it is cut out of a larger one, at new ones."""
        inputs, outputs = symbols(self._input_structure), symbols(self._output_structure)
        fresh = inputs_of_layers(inputs)
        if not fresh:
            return Graph(inputs, outputs, self.name)
        whole = Graph(inputs, outputs, self.name)
        known = {id(tensor): fresh.get(id(tensor), tensor) for tensor in inputs}
        replay(whole.nodes, known, lambda operation: operation)
        self._input_structure = replaced(self._input_structure, lambda tensor: known[id(tensor)])
        self._output_structure = replaced(self._output_structure, lambda tensor: known[id(tensor)])
        return Graph(symbols(self._input_structure), symbols(self._output_structure), self.name)

    # ---- what it is made of ----------------------------------------------------------------------------------

    @property
    def inputs(self) -> list[SymbolicTensor]:
        return list(self._graph.inputs)

    @property
    def outputs(self) -> list[SymbolicTensor]:
        return list(self._graph.outputs)

    @property
    def input(self) -> Any:
        """The symbolic inputs as they were given."""
        return self._input_structure

    @property
    def output(self) -> Any:
        """The symbolic outputs as they were given."""
        return self._output_structure

    @property
    def input_names(self) -> list[str]:
        return [str(tensor.name) for tensor in self._graph.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the calls that make the outputs."""
        return [tensor.node.operation.name for tensor in self._graph.outputs if tensor.node is not None]

    @property
    def input_shape(self) -> Any:
        shapes = [tensor.shape for tensor in self._graph.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        shapes = [tensor.shape for tensor in self._graph.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def layers(self) -> list[Layer]:
        """Those of the graph, far from the outputs first, and what was set as an attribute besides."""
        known = self._graph.layers
        return known + [layer for layer in super().layers if not any(layer is other for other in known)]

    @property
    def operations(self) -> list[Any]:
        """The layers and ops of the graph."""
        return list(self._graph.operations)

    # ---- calling ---------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        values = [check(x) for check, x in zip(self._checks, self._flat(inputs), strict=True)]
        if mask is not None:
            masks = self._flat(mask)
            values = [masked(x, m) for x, m in zip(values, masks, strict=True)]
        return self._plan(mask is None).run(values)

    def _cast(self, x: Any) -> Any:
        """x as it is: every input has its own dtype. Lists of numbers become arrays."""
        numbers = isinstance(x, (list, tuple)) and not any(hasattr(part, "shape") for part in _leaves(x))
        return super()._cast(np.asarray(x)) if numbers and None not in x else x

    def _plan(self, direct: bool) -> Plan:
        """The steps, made anew after the structure changed: what a layer may be spared depends on its settings."""
        if self._plans[0] != structure_version():
            self._plans = (structure_version(), {})
        plans = self._plans[1]
        if direct not in plans:
            spared = direct and not any(layer._makes_masks for layer in self._walk())
            plans[direct] = Plan(self._graph, _unpacked(self._output_structure), self._dtype, spared)
        return plans[direct]

    def _flat(self, given: Any) -> list[Any]:
        """One value per input, of what came in the nesting of the inputs, or by their names."""
        structure = self._input_structure
        if isinstance(structure, SymbolicTensor) and type(given) is np.ndarray:
            return [given]
        try:
            return list(_matched(structure, given))
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f"[{self.name}] expected inputs like {_described(structure)}, got {_described(given)}"
            ) from None

    def compute_output_spec(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The outputs for symbolic inputs of any shapes that fit."""
        given = self._flat(inputs)
        for check, tensor in zip(self._checks, given, strict=True):
            check_inputs(check.spec, tensor.shape, f"{self.name}/{check.name}")
        structure = _unpacked(self._output_structure)
        if all(a.shape == b.shape for a, b in zip(given, self._graph.inputs, strict=True)):
            return replaced(structure, lambda tensor: SymbolicTensor(tensor.shape, tensor.dtype))
        known = {id(own): tensor for own, tensor in zip(self._graph.inputs, given, strict=True)}
        for node in self._graph.nodes:
            _infer(node, known)
        return replaced(structure, lambda tensor: SymbolicTensor(known[id(tensor)].shape, known[id(tensor)].dtype))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        shapes: PartialShape = shapes_of(self.compute_output_spec(of_shapes(input_shape, self._dtype)))
        return shapes

    # ---- configuration ---------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Layers, and the calls in order; tensors are numbered, the inputs first."""
        numbers = {id(tensor): number for number, tensor in enumerate(self._graph.inputs)}
        variables = {id(variable): number for number, variable in enumerate(self._graph.variables())}
        calls = []
        for node in self._graph.nodes:
            args, kwargs = encoded(node.args, numbers, variables), encoded(node.kwargs, numbers, variables)
            for tensor in symbols(node.outputs):
                numbers[id(tensor)] = len(numbers)
            called = {"op": node.operation.function} if isinstance(node.operation, Op) else {}
            calls.append({**called, "name": node.operation.name, "args": args, "kwargs": kwargs})
        return {
            "name": self.name,
            "trainable": self._trainable,
            "layers": [{**serialize(layer), "name": layer.name} for layer in self._graph.layers],
            "variables": [
                {"shape": list(v.shape), "dtype": v.dtype.name, "trainable": v.trainable, "name": v.name}
                for v in self._graph.variables()
            ],
            "input_names": self.input_names,
            "calls": calls,
            "inputs": encoded(self._input_structure, numbers, variables),
            "outputs": encoded(self._output_structure, numbers, variables),
        }


def functional_from_config(cls: type, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None) -> Any:
    """The model that Functional.get_config() described, of the class cls."""
    from fastnn.autograd import Variable

    layers: dict[str, Any] = {}
    for description in config["layers"]:
        layer = deserialize(description, custom_objects)
        layers[description.get("name", layer.name)] = layer  # a config of one's own may leave the name out
    variables = [
        Variable(np.zeros(v["shape"], v["dtype"]), trainable=v["trainable"], name=v["name"])
        for v in config["variables"]
    ]
    tensors: list[SymbolicTensor] = [layers[name].output for name in config["input_names"]]
    for call in config["calls"]:
        args, kwargs = decoded(call["args"], tensors, variables), decoded(call["kwargs"], tensors, variables)
        if "op" in call:
            tensors += symbols(call_op(Op(call["op"], call["name"]), args, kwargs))
        else:
            tensors += symbols(layers[call["name"]](*args, **kwargs))
    inputs, outputs = decoded(config["inputs"], tensors, variables), decoded(config["outputs"], tensors, variables)
    model = cls(inputs, outputs, name=config["name"])
    model._trainable = config["trainable"]  # what is inside has its own
    return model


def replay(nodes: list[Node], known: dict[int, SymbolicTensor], operation_of: Callable[[Any], Any]) -> None:
    """Calls again, with other operations on other tensors. known: the new tensors by id of the old ones, added to."""
    for node in nodes:
        args = replaced(node.args, lambda tensor: known[id(tensor)])
        kwargs = replaced(node.kwargs, lambda tensor: known[id(tensor)])
        operation = node.operation
        if isinstance(operation, Op):
            made = call_op(Op(operation.function, operation.name), args, kwargs)
        else:
            made = operation_of(operation)(*args, **kwargs)
        for old, new in zip(symbols(node.outputs), symbols(made), strict=True):
            known[id(old)] = new


def _infer(node: Node, known: dict[int, SymbolicTensor]) -> None:
    """Adds the outputs of a call on other inputs, without making it part of a graph."""
    args = replaced(node.args, lambda tensor: known[id(tensor)])
    kwargs = replaced(node.kwargs, lambda tensor: known[id(tensor)])
    operation = node.operation
    with located(operation, (args, kwargs)):
        if isinstance(operation, Layer):
            check_inputs(operation.input_spec, shapes_of(args[0]) if args else None, operation.name)
            made = operation.compute_output_spec(*args, **kwargs)
        else:
            made = probed(operation, args, kwargs)
    for old, new in zip(symbols(node.outputs), symbols(made), strict=True):
        known[id(old)] = new


# ---- inputs -------------------------------------------------------------------------------------------------------


class _InputCheck:
    """Brings a value to the dtype and the number of axes of an input."""

    def __init__(self, tensor: SymbolicTensor) -> None:
        self.name, self.shape, self.dtype = str(tensor.name), tensor.shape, tensor.dtype
        layer = tensor.node.operation if tensor.node is not None else None
        self.optional = isinstance(layer, InputLayer) and layer.optional
        self.spec = InputSpec(shape=(None, *tensor.shape[1:]) if tensor.shape else (), allow_last_axis_squeeze=True)

    def __call__(self, x: Any) -> Any:
        if x is None:
            if not self.optional:
                raise ValueError(f"[{self.name}] expected an array for this input, got None")
            return None
        if x.shape[1:] != self.shape[1:]:
            x = self._fitted(x)
        if x.dtype is self.dtype or x.dtype == self.dtype or (x.dtype == np.int64 and self.dtype == np.int32):
            return x  # int64 in place of int32 as well: NumPy's default holds the same numbers, and steps are recorded
        return ops.cast(x, self.dtype)

    def _fitted(self, x: Any) -> Any:
        """x, whose lengths are not all known from the input, with its number of axes."""
        if len(x.shape) != len(self.shape):
            x = self._squeezed(x)
        self.spec.check(x.shape, self.name)
        return x

    def _squeezed(self, x: Any) -> Any:
        self.spec.check(x.shape, self.name)
        return ops.squeeze(x, -1) if len(x.shape) > len(self.shape) else ops.expand_dims(x, -1)


def _leaves(structure: Any) -> Iterator[Any]:
    if isinstance(structure, (list, tuple, Mapping)):
        for part in structure.values() if isinstance(structure, Mapping) else structure:
            yield from _leaves(part)
    else:
        yield structure


def _require_symbols(structure: Any, what: str) -> None:
    parts = list(structure.values()) if isinstance(structure, Mapping) else structure
    if isinstance(parts, (list, tuple)) and parts:
        for part in parts:
            _require_symbols(part, what)
    elif not isinstance(structure, SymbolicTensor):
        raise ValueError(
            f"[Model] expected {what} made of symbolic tensors, from Input() and calls on it, got {structure!r}"
        )


def _unpacked(structure: Any) -> Any:
    """The one tensor of a list of one, as Keras returns it."""
    return structure[0] if isinstance(structure, (list, tuple)) and len(structure) == 1 else structure


def _matched(structure: Any, given: Any) -> Iterator[Any]:
    """One value per symbolic tensor of structure. Raises KeyError, TypeError or ValueError where given differs."""
    if isinstance(structure, SymbolicTensor):
        if isinstance(given, Mapping):
            given = given[structure.name]
        elif isinstance(given, (list, tuple)):
            (given,) = given
        yield given
        return
    parts = list(structure.values()) if isinstance(structure, Mapping) else list(structure)
    if isinstance(given, Mapping):
        keys = structure.keys() if isinstance(structure, Mapping) else [part.name for part in structure]
        found = [given[key] for key in keys]
    else:
        found = list(given) if isinstance(given, (list, tuple)) else [given]
    for part, value in zip(parts, found, strict=True):
        yield from _matched(part, value)


def _described(structure: Any) -> str:
    if isinstance(structure, Mapping):
        return "{" + ", ".join(f"{key!r}: {_described(part)}" for key, part in structure.items()) + "}"
    if isinstance(structure, (list, tuple)):
        return "[" + ", ".join(map(_described, structure)) + "]"
    if isinstance(structure, SymbolicTensor) and not isinstance(structure, Tensor):
        return f"{structure.name} {structure.shape}"
    return f"an array {structure.shape}" if hasattr(structure, "shape") else repr(structure)


# ---- classes of one's own -----------------------------------------------------------------------------------------


def is_functional_call(args: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
    """Whether a model is made with inputs and outputs."""
    if len(args) == 2 or (len(args) == 1 and "outputs" in options) or {"inputs", "outputs"} <= options.keys():
        return is_symbolic((args, options.get("inputs"), options.get("outputs"))) or len(args) == 2
    return False


_classes: dict[type, type] = {}


def functional_class(cls: type) -> type:
    """cls, a Model or a class of one's own with its train_step, as one whose call() is that of a graph."""
    if cls is Model or issubclass(cls, Functional):
        return Functional if cls is Model else cls
    if cls not in _classes:
        own = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "_declared": cls}
        if is_ours(getattr(cls, "call", None)):
            own["recordable"] = True
        _classes[cls] = type(cls.__name__, (cls, Functional), own)
    return _classes[cls]
