"""Tensor and Variable, whose operations a tape records, and `primitive`, which makes an op of a kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from fastnn.arrays import F32, F64, Array, DTypeLike, Shape, float_dtype
from fastnn.backend import PackedKernel, full, kernels, not_recordable, weights_changed
from fastnn.operators import Operators
from fastnn.structure import freezing_changed, structure_changed
from fastnn.symbolic import SymbolicTensor, apply_op, is_symbolic

if TYPE_CHECKING:
    from fastnn.autograd.tape import GradientTape


class Want:
    """A gradient that is wanted. out: the array to write it to, or None for a new one."""

    __slots__ = ("out",)

    def __init__(self, out: Array | None = None) -> None:
        self.out = out


WANT = Want()
Needs = Sequence[Want | None]
#: (dy, needs) -> one gradient per array argument, None where needs is None. For an op of several outputs dy is a tuple,
#: with None for an output that nothing came back to.
Pullback = Callable[[Any, Needs], Sequence[Array | None]]


#: One recorded call: per argument the Tensor or Variable it came from (None if constant), the output or the tuple of
#: them, the pullback. A plain tuple, as making a named one costs more than the rest of recording.
Node = tuple[tuple["Tensor | Variable | None", ...], "Tensor | tuple[Tensor, ...]", Pullback]


class _Active(threading.local):
    tape: GradientTape | None = None


_active = _Active()


def recording() -> bool:
    """True while a tape records on this thread."""
    return _active.tape is not None


class Differentiable(Operators):
    """What Tensor and Variable share: operators and NumPy functions lead to ops, so that no gradient is lost."""

    __slots__ = ()

    def _data(self) -> Array:
        raise NotImplementedError

    @property
    def shape(self) -> Shape:
        return self._data().shape

    @property
    def ndim(self) -> int:
        return self._data().ndim

    @property
    def size(self) -> int:
        return self._data().size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data().dtype

    def numpy(self) -> Array:
        """The value without its history, as a read-only view."""
        return self._view()

    def _view(self) -> Array:
        view = self._data().view()
        view.flags.writeable = False
        return view

    def __len__(self) -> int:
        return len(self._data())

    def __float__(self) -> float:
        return float(self._data())

    def __int__(self) -> int:
        return int(self._data())

    def __bool__(self) -> bool:
        return bool(self._data())

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if recording() and _is_tracked(self):
            raise TypeError(
                f"[numpy] expected an untracked value, got a {type(self).__name__} inside a tape, whose gradient would "
                "be lost; use fastnn.ops, or .numpy() to leave the tape on purpose"
            )
        return np.array(self._view() if copy is False else self.numpy(), dtype, copy=copy)


_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


class Tensor(Differentiable):
    """An array on a tape: the value of a watched input or of a recorded op.

    data: the array. forward, inputs, options: the call that made it: what the op was made of, per argument the Tensor
    or Variable it came from (None if constant), its options. forward is None for a watched input.
    """

    __slots__ = ("__weakref__", "data", "forward", "inputs", "options")

    def __init__(
        self,
        data: Array,
        forward: Callable[..., Any] | None = None,
        inputs: tuple[Any, ...] = (),
        options: Mapping[str, Any] = _NO_OPTIONS,
    ) -> None:
        self.data = data
        self.forward = forward
        self.inputs = inputs
        self.options = options

    def _data(self) -> Array:
        return self.data

    def __repr__(self) -> str:
        return f"<Tensor shape={self.shape} dtype={self.dtype}>\n{self.data!r}"


class Variable(Differentiable):
    """An array that training changes. Trainable ones are watched by every tape.

    initializer: an array, a number, or a function (shape, dtype) -> array, for which shape is due.
    value: the current value, a read-only view that follows later changes. version: counts the changes. packed: where
    convolutions keep it packed, in 1.5 to 6 times its bytes for Winograd's algorithm (four for 3 x 3 windows) and once
    its bytes otherwise, as long as the Variable lives; whoever writes the value calls backend.weights_changed() after
    that.
    regularizer, constraint: functions of the value, or None: a penalty for the loss; what takes its place after a step.
    """

    __slots__ = (
        "__weakref__", "_constraint", "_name", "_packed", "_regularizer", "_trainable", "_value", "path", "storage",
        "version", "want",
    )  # fmt: skip

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        if callable(initializer):
            if shape is None:
                raise ValueError("[Variable] expected a shape for a callable initializer, got None")
            found = float_dtype(dtype, "Variable")
            value = np.asarray(initializer(tuple(shape), found))
        else:
            value = np.asarray(raw(initializer))
            if value.dtype.kind not in "fiub":
                raise TypeError(f"[Variable] expected real numbers, got {type(initializer).__name__} of {value.dtype}")
            found = value.dtype if dtype is None else np.dtype(dtype)
            if dtype is None and not isinstance(initializer, (np.ndarray, np.generic, Differentiable)):
                found = float_dtype(None, "Variable")
        if shape is not None and value.shape != tuple(shape):
            raise ValueError(f"[Variable] expected a value of shape {tuple(shape)}, got {value.shape}")
        self._value: Array = _own_copy(value, found)
        self._name = name or "variable"
        self.path = self._name
        self._trainable = bool(trainable)
        self.version = 0
        self._packed: PackedKernel | None = None
        self.storage: Any = None  # the FlatStorage it is packed into, if any
        self.want = WANT  # where its gradient goes
        self._regularizer: Callable[[Any], Any] | None = None
        self._constraint: Callable[[Any], Any] | None = None

    def _data(self) -> Array:
        return self._value

    def numpy(self) -> Array:
        """A copy of the value, which later changes leave as it is."""
        return self._value.copy()

    def memory(self) -> Iterator[Array]:
        """Where the value and the gradient lie."""
        yield self._value
        if self.want.out is not None:
            yield self.want.out

    @property
    def name(self) -> str:
        return self._name

    def _view(self) -> Array:
        """The value, as a view that nobody can make writable: what is kept packed would not follow."""
        return np.asarray(self._value.data.toreadonly())

    @property
    def value(self) -> Array:
        return self._view()

    def assign(self, value: Any) -> Variable:
        """Sets the value. value: what broadcasts to exactly this shape. Raises ValueError for another shape."""
        array = np.asarray(raw(value))
        if array.shape != self._value.shape:
            raise ValueError(f"[{self.path}] expected a value of shape {self._value.shape}, got {array.shape}")
        not_recordable()
        self._value[...] = array
        self.version += 1
        weights_changed()
        return self

    @property
    def packed(self) -> PackedKernel | None:
        """Where convolutions keep the value packed; None while a tape records, since training changes it anyway."""
        if _active.tape is not None:
            return None
        if self._packed is None:
            self._packed = PackedKernel()
        return self._packed

    @property
    def trainable(self) -> bool:
        """Whether tapes watch it, and models train it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if bool(value) != self._trainable:
            freezing_changed()
        self._trainable = bool(value)

    @property
    def regularizer(self) -> Callable[[Any], Any] | None:
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Callable[[Any], Any] | None) -> None:
        if value is not self._regularizer:
            structure_changed()
        self._regularizer = value

    @property
    def constraint(self) -> Callable[[Any], Any] | None:
        return self._constraint

    @constraint.setter
    def constraint(self, value: Callable[[Any], Any] | None) -> None:
        if value is not self._constraint:
            structure_changed()
        self._constraint = value

    def constrain(self) -> None:
        """Puts constraint(value) in the value's place, by kernels, so that a recorded step does it too."""
        if self._constraint is not None:
            limited = np.asarray(raw(self._constraint(self._value)), self._value.dtype)
            kernels(limited).assign(limited, self._value)
            weights_changed()

    def assign_add(self, value: Any) -> Variable:
        return self.assign(self._value + np.asarray(value))

    def assign_sub(self, value: Any) -> Variable:
        return self.assign(self._value - np.asarray(value))

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        twin = Variable(self._value, trainable=self.trainable, name=self._name)
        twin.path, twin.regularizer, twin.constraint = self.path, self.regularizer, self.constraint
        memo[id(self)] = twin
        return twin

    def __reduce__(self) -> Any:
        return _rebuild_variable, (
            *(self._value.copy(), self.trainable, self._name, self.path),
            *(self.regularizer, self.constraint),
        )

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self._value!r}>"


def _own_copy(value: Array, dtype: np.dtype[Any]) -> Array:
    """A dense copy that begins on a cache line, as NumPy's larger arrays do not: it is read 1.6 times as fast."""
    if dtype != F32 and dtype != F64:
        return np.array(value, dtype, order="C")
    copy = full(value.shape, 0.0, dtype)
    copy[...] = value
    return copy


def _rebuild_variable(
    value: Array, trainable: bool, name: str, path: str, regularizer: Any = None, constraint: Any = None
) -> Variable:
    variable = Variable(value, trainable=trainable, name=name)
    variable.path, variable.regularizer, variable.constraint = path, regularizer, constraint
    return variable


def _is_tracked(value: Any) -> bool:
    return type(value) is Tensor or (isinstance(value, Variable) and value._trainable)


def raw(value: Any) -> Any:
    """The array in a Tensor or Variable; anything else as it is."""
    kind = type(value)
    if kind is ndarray:
        return value
    if kind is Variable:
        return value._value
    return value._data() if isinstance(value, Differentiable) else value


def primitive(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a differentiable op of `forward(*arrays, **options) -> (y, pullback)`.

    The op takes arrays, Tensors and Variables. It returns a Tensor if a tape is recording and one of them is tracked,
    else an array. Array arguments come first; `pullback(dy, needs)` returns one gradient for each of them, and may
    return None where needs is None. y may be a tuple of arrays: then dy is one too, with None for an output that has
    no gradient. A call on symbolic tensors becomes a node of their graph.
    """

    @wraps(forward)
    def op(*args: Any, **options: Any) -> Any:
        for a in args:
            if type(a) is not ndarray and isinstance(a, Operators):
                return _call(forward, args, options)
        for v in options.values():
            if isinstance(v, Operators):
                return _call(forward, args, options)
        return forward(*args, **options)[0]

    return op


def _call(forward: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A call with Tensors or Variables among the arguments: recorded if a tape is there, else on their arrays."""
    for v in options.values():
        if isinstance(v, Operators):
            args, options = _positional(forward, args, options)
            break
    tape = _active.tape
    if tape is not None:
        return tape._record(forward, args, options)
    if is_symbolic(args):
        return apply_op(forward.__name__, args, options)
    return forward(*[raw(a) for a in args], **options)[0]


def composite(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes one node of a call on symbolic tensors, for an op that is made of others and asks its arguments more than
    their number of axes."""

    @wraps(function)
    def op(*args: Any, **options: Any) -> Any:
        for a in args:
            if type(a) is not ndarray and _holds_symbol(a):
                return apply_op(function.__name__, args, options)
        for v in options.values():
            if _holds_symbol(v):
                return apply_op(function.__name__, args, options)
        return function(*args, **options)

    return op


def _holds_symbol(argument: Any) -> bool:
    kind = type(argument)
    if kind is list or kind is tuple:
        return SymbolicTensor in map(type, argument)
    if kind is dict:
        return SymbolicTensor in map(type, argument.values())
    return kind is SymbolicTensor


def _positional(forward: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Moves Tensors given by keyword to their positions."""
    bound = signature(forward).bind(*args, **options)
    bound.apply_defaults()
    return bound.args, bound.kwargs
