"""Tensors without values, and the graph of calls that led to them: what the functional API builds models of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from fastnn.arrays import Array, DTypeLike, PartialShape, float_dtype
from fastnn.masks import set_mask
from fastnn.operators import Operators, dispatch
from fastnn.registry import unique_name


class SymbolicTensor(Operators):
    """What a model's input will be, or what a layer or an op will make of it.

    shape: the batch first as a rule; None where a length is not known yet. dtype: floatx() if None.
    node: the call that makes it, None for what is yet to be given to an InputLayer.
    mask_axes: how many of its axes, the batch first, the mask will have that comes with its values; 0 for no mask.
    """

    __slots__ = ("__weakref__", "dtype", "mask_axes", "name", "node", "shape")

    sparse = ragged = False  # for Keras's sake

    def __init__(self, shape: Any, dtype: DTypeLike | None = None, name: str | None = None) -> None:
        self.shape: PartialShape = tuple(shape)
        self.dtype = symbolic_dtype(dtype)
        self.name = name
        self.node: Node | None = None
        self.mask_axes = 0

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def _no_values(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "[SymbolicTensor] expected an array, got a symbolic tensor, which has no values yet; use fastnn.ops, or "
            "put the work into a Layer of your own"
        )

    __array__ = __bool__ = __float__ = __int__ = __len__ = __iter__ = numpy = _no_values

    def __repr__(self) -> str:
        return f"<SymbolicTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


KerasTensor = SymbolicTensor  # Keras's name


def is_keras_tensor(x: Any) -> bool:
    """Whether x is a symbolic tensor. Raises ValueError for what is neither that nor an array, as Keras does."""
    if not hasattr(x, "shape") and not isinstance(x, (int, float)):
        raise ValueError(f"[is_keras_tensor] expected an array or a symbolic tensor, got {type(x).__name__}")
    return isinstance(x, SymbolicTensor)


def symbolic_dtype(dtype: DTypeLike | None) -> np.dtype[Any]:
    """dtype, floatx() for None. Raises ValueError unless layers can take it: float32, float64, integers, bool."""
    found = np.dtype(dtype) if dtype is not None else None
    return found if found is not None and found.kind in "iub" else float_dtype(found, "Input")


class Operation(Protocol):
    """What a node calls: a layer or an op."""

    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


class Op:
    """A function of fastnn.ops as part of a graph. function: its name."""

    def __init__(self, function: str, name: str | None = None) -> None:
        self.function = function
        self.name = name or unique_name(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return dispatch[self.function](*args, **kwargs)


class Node:
    """One call in a graph: outputs = operation(*args, **kwargs). Takes the symbolic tensors in outputs for its own."""

    __slots__ = ("args", "kwargs", "operation", "outputs")

    def __init__(self, operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        self.operation, self.args, self.kwargs, self.outputs = operation, args, kwargs, outputs
        for tensor in symbols(outputs):
            tensor.node = self
            tensor.name = tensor.name or operation.name

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic tensors among the arguments."""
        return symbols((self.args, self.kwargs))


def symbols(structure: Any) -> list[SymbolicTensor]:
    """The symbolic tensors in a nesting of lists, tuples and dicts."""
    return list(_symbols(structure))


def _symbols(structure: Any) -> Iterator[SymbolicTensor]:
    if isinstance(structure, SymbolicTensor):
        yield structure
    elif isinstance(structure, (list, tuple)):
        for part in structure:
            yield from _symbols(part)
    elif isinstance(structure, Mapping):
        for part in structure.values():
            yield from _symbols(part)


def is_symbolic(structure: Any) -> bool:
    """True if there is a symbolic tensor in it."""
    return type(structure) is SymbolicTensor or next(_symbols(structure), None) is not None


def replaced(structure: Any, function: Callable[[SymbolicTensor], Any]) -> Any:
    """The structure with function(tensor) in the place of every symbolic tensor."""
    if isinstance(structure, SymbolicTensor):
        return function(structure)
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(replaced(part, function) for part in structure))
    if isinstance(structure, (list, tuple)):
        return type(structure)(replaced(part, function) for part in structure)
    if isinstance(structure, Mapping):
        return {key: replaced(part, function) for key, part in structure.items()}
    return structure


# ---- shapes -------------------------------------------------------------------------------------------------------

#: Lengths that stand for unknown ones. The second pair has many divisors, for reshapes that the first cannot fill.
#: The last is for unknown lengths that meet known ones in a broadcast: there all but the batch's are 1.
_PROBES = ((2, 3, None), (24, 48, None), (2, 3, 1))


def probed(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What function makes of symbolic arguments, as new symbolic tensors: found by calling it on zeros of two sizes.

    Axes whose lengths differ between the two are None.
    """
    failure: Exception | None = None
    for *probes, inner in _PROBES:
        try:
            one, other = (_on_zeros(function, args, kwargs, probe, inner) for probe in probes)
            return _compared(one, other, inner)
        except (ValueError, IndexError) as error:
            failure = failure or error
    raise failure or ValueError("[symbolic] expected at least one probe")


def stand_in(tensor: SymbolicTensor, unknown: int = 2, inner: int | None = None) -> Array:
    """Zeros in place of a symbolic tensor, with a mask that leaves nothing out if there will be one.

    unknown: the length of axes whose length is not known; inner: that of those behind the first, if it is another.
    """
    inner = unknown if inner is None else inner
    shape = [(inner if axis else unknown) if n is None else n for axis, n in enumerate(tensor.shape)]
    x = np.zeros(shape, tensor.dtype)
    if tensor.mask_axes:
        set_mask(x, np.ones(x.shape[: tensor.mask_axes], bool))
    return x


def _on_zeros(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], probe: int, inner: int | None
) -> Any:
    def zeros(tensor: SymbolicTensor) -> Array:
        return stand_in(tensor, probe, inner)

    return function(*replaced(args, zeros), **replaced(kwargs, zeros))


def _compared(one: Any, other: Any, inner: int | None) -> Any:
    """Symbolic tensors for two results: what differs is not known, nor what is as long as `inner`."""
    if isinstance(one, (list, tuple)):
        parts = [_compared(a, b, inner) for a, b in zip(one, other, strict=True)]
        return type(one)(*parts) if hasattr(one, "_fields") else type(one)(parts)
    if isinstance(one, Mapping):
        return {key: _compared(part, other[key], inner) for key, part in one.items()}
    if one is None:
        return None
    shapes = np.shape(one), np.shape(other)
    if len(shapes[0]) != len(shapes[1]):
        raise ValueError(f"[symbolic] expected one number of axes for every batch, got {shapes[0]} and {shapes[1]}")
    dtype = getattr(one, "dtype", None)
    lengths = (a if a == b != inner else None for a, b in zip(*shapes, strict=True))
    return SymbolicTensor(lengths, np.asarray(one).dtype if dtype is None else dtype)


def shapes_of(structure: Any) -> Any:
    """The shapes in a nesting of tensors and arrays; None for what has none."""
    if isinstance(structure, (list, tuple)):
        return [shapes_of(part) for part in structure]
    if isinstance(structure, Mapping):
        return {key: shapes_of(part) for key, part in structure.items()}
    return structure.shape if hasattr(structure, "shape") else None


def of_shapes(shapes: Any, dtype: DTypeLike) -> Any:
    """New symbolic tensors for a nesting of shapes."""
    if isinstance(shapes, Mapping):
        return {key: of_shapes(shape, dtype) for key, shape in shapes.items()}
    if all(length is None or isinstance(length, (int, np.integer)) for length in shapes):
        return SymbolicTensor(shapes, dtype)
    return type(shapes)(of_shapes(shape, dtype) for shape in shapes)


# ---- calls --------------------------------------------------------------------------------------------------------


def apply_op(function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call of a public op on symbolic tensors, as a node of the graph. Returns its outputs."""
    if function not in dispatch:
        raise TypeError(
            f"[{function}] expected arrays, got a symbolic tensor; only functions of fastnn.ops and layers take them"
        )
    return call_op(Op(function), args, kwargs)


def call_op(operation: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The call of an op as a node of the graph. Returns its outputs."""
    with located(operation, (args, kwargs)):
        outputs = probed(operation, args, kwargs)
    return Node(operation, args, kwargs, outputs).outputs


@contextmanager
def located(operation: Operation, inputs: Any) -> Iterator[None]:
    """Adds to an error while a graph is built which call it was, and the shapes that led there."""
    try:
        yield
    except (ValueError, TypeError, IndexError) as error:
        if _WAY in str(error):
            raise
        kind = operation.function if isinstance(operation, Op) else type(operation).__name__
        ways = "\n  and ".join(" -> ".join(trail(tensor)) for tensor in symbols(inputs))
        raise type(error)(f"{error}\n  at {kind} {operation.name!r}{_WAY}{ways}") from None


_WAY = "\n  shapes so far: "

#: Calls that an error shows of the way to a tensor.
_TRAIL = 12


def trail(tensor: SymbolicTensor) -> list[str]:
    """The calls that led to a tensor along first inputs, each with its shape, the last ones of a long way."""
    steps: list[str] = []
    at: SymbolicTensor | None = tensor
    while at is not None:
        if len(steps) == _TRAIL:
            steps.append("...")
            break
        steps.append(f"{at.name or 'input'} {at.shape}")
        inputs = at.node.inputs if at.node is not None else []
        at = inputs[0] if inputs else None
    return steps[::-1]
