"""Reverse-mode differentiation: Tensor, Variable, the tape, and `primitive`. First derivatives only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy import ndarray

from fastnn.arrays import F32, F64, Array, DTypeLike, Shape, float_dtype
from fastnn.backend import PackedKernel, cast, full, kernels, not_recordable, weights_changed
from fastnn.operators import Operators, dispatch
from fastnn.structure import freezing_changed, structure_changed
from fastnn.symbolic import SymbolicTensor, apply_op, is_symbolic


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
        return np.array(self.numpy(), dtype, copy=copy)  # read-only unless it is a copy


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
    convolutions keep it packed, in four times its bytes for Winograd's algorithm and once its bytes otherwise, as long
    as the Variable lives; whoever writes the value calls backend.weights_changed() after that.
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
            value = np.asarray(initializer.numpy() if isinstance(initializer, Differentiable) else initializer)
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
        """The value, as a view that nobody can make writable: what is kept packed would not follow."""
        return np.asarray(self._value.data.toreadonly())

    def memory(self) -> Iterator[Array]:
        """Where the value and the gradient lie."""
        yield self._value
        if self.want.out is not None:
            yield self.want.out

    @property
    def name(self) -> str:
        return self._name

    @property
    def value(self) -> Array:
        return self.numpy()

    def assign(self, value: Any) -> Variable:
        """Sets the value. value: what broadcasts to exactly this shape. Raises ValueError for another shape."""
        array = np.asarray(value.numpy() if isinstance(value, Differentiable) else value)
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
    return kind is SymbolicTensor


def _positional(forward: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Moves Tensors given by keyword to their positions."""
    bound = signature(forward).bind(*args, **options)
    bound.apply_defaults()
    return bound.args, bound.kwargs


class GradientTape:
    """Records ops so that `gradient` can differentiate through them.

    with GradientTape() as tape:
        x = tape.watch(x)
        loss = ops.mean(layer(x))
    dx, dw = tape.gradient(loss, [x, layer.kernel])

    Trainable Variables are watched by themselves. persistent: gradient() may be called more than once. Tapes do not
    nest: derivatives of derivatives are not there.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent = persistent
        self._watch_variables = watch_accessed_variables
        self._watched: dict[int, Variable] = {}
        self._nodes: list[Node] = []
        self._used = False

    def __enter__(self) -> GradientTape:
        if _active.tape is not None:
            raise RuntimeError(
                "[GradientTape] expected no other tape to be recording, got a nested tape: first derivatives only"
            )
        _active.tape = self
        return self

    def __exit__(self, *_: object) -> None:
        _active.tape = None

    def watch(self, x: Any) -> Any:
        """The Tensor to use in place of the array x, so that gradients with respect to x can be had."""
        if isinstance(x, Variable):
            self._watched[id(x)] = x
            return x
        if isinstance(x, (list, tuple)):
            return type(x)(self.watch(part) for part in x)
        return x if isinstance(x, Tensor) else Tensor(np.asarray(x))

    def watched_variables(self) -> list[Variable]:
        """The Variables that recorded ops have used."""
        seen = {id(i): i for inputs, _, _ in self._nodes for i in inputs if isinstance(i, Variable)}
        return list(seen.values())

    def reset(self) -> None:
        """Forgets everything recorded."""
        self._nodes.clear()
        self._used = False

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Inside, ops record nothing and return arrays."""
        before, _active.tape = _active.tape, None
        try:
            yield
        finally:
            _active.tape = before

    def _record(self, forward: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        tracked = False
        inputs: list[Any] = []
        arrays: list[Any] = []
        for a in args:
            kind = type(a)
            if kind is ndarray:
                inputs.append(None)
                arrays.append(a)
            elif kind is Tensor:
                tracked = True
                inputs.append(a)
                arrays.append(a.data)
            elif kind is Variable or isinstance(a, Variable):
                if (a._trainable and self._watch_variables) or id(a) in self._watched:
                    tracked = True
                    inputs.append(a)
                else:
                    inputs.append(None)
                arrays.append(a._value)
            elif kind is SymbolicTensor:
                return apply_op(forward.__name__, args, options)
            else:
                inputs.append(None)
                arrays.append(a)
        if not tracked:
            return forward(*arrays, **options)[0]
        if options and options.get("out") is not None:
            raise ValueError(
                f"[{forward.__name__}] expected no out= for a tracked argument, got one: its gradient would be lost"
            )
        y, pullback = forward(*arrays, **options)
        if pullback is None:  # not differentiable: comparisons, argmax
            return y
        sources = tuple(inputs)
        output: Any
        if type(y) is tuple:
            output = tuple([Tensor(part, forward, sources, options) for part in y])
        else:
            output = Tensor(y, forward, sources, options)
        self._nodes.append((sources, output, pullback))
        return output

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = "none",
    ) -> Any:
        """Gradients of target with respect to sources, in the structure of sources.

        target: a Tensor, or a list of them, whose gradients add up. sources: a Tensor from watch(), a Variable, or a
        list, tuple or dict of them. output_gradients: what target's elements are weighted with; ones if None.
        unconnected_gradients: "none" or "zero", what a source gets that target does not depend on.
        Raises RuntimeError on a second call unless the tape is persistent.
        """
        if self._used and not self.persistent:
            raise RuntimeError(
                "[GradientTape.gradient] expected one call, got a second; use GradientTape(persistent=True)"
            )
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(
                "[GradientTape.gradient] expected unconnected_gradients 'none' or 'zero', "
                f"got {unconnected_gradients!r}"
            )
        flat = _flatten(sources)
        before, _active.tape = _active.tape, None
        try:
            grads = backpropagate(self._nodes, _seeds(target, output_gradients), flat)
        finally:
            _active.tape = before
        if unconnected_gradients == "zero":
            grads = [full(s.shape, 0.0, s.dtype) if g is None else g for s, g in zip(flat, grads, strict=True)]
        self._used = True
        if not self.persistent:
            self._nodes = []
        return grads if flat is sources else _unflatten(sources, iter(grads))


def backpropagate(
    nodes: Sequence[Node], grads: dict[Any, Array], sources: Sequence[Tensor | Variable]
) -> list[Array | None]:
    """Gradients with respect to the sources, given those with respect to the targets; None without a connection.

    nodes are in the order of recording, so one pass forward finds what depends on a source, and one pass backward
    carries gradients along just those paths: graphs of any depth, no recursion.
    """
    reached: dict[Any, Want] = {source: source.want if isinstance(source, Variable) else WANT for source in sources}
    kept = set(reached)
    plan = _plan(nodes, reached)
    for inputs, output, pullback, needs in reversed(plan):
        dy: Any
        if type(output) is tuple:
            dy = tuple([grads.get(part) if part in kept else grads.pop(part, None) for part in output])
            if not any(part is not None for part in dy):
                continue
        else:
            dy = grads.get(output) if output in kept else grads.pop(output, None)
            if dy is None:
                continue
        for source, need, gradient in zip(inputs, needs, pullback(dy, needs), strict=False):
            if need is not None and gradient is not None:
                held = source.data if type(source) is Tensor else source._value
                if gradient.dtype is not held.dtype and _promoted(output, held):
                    gradient = cast(gradient, held.dtype)
                before = grads.get(source)
                grads[source] = gradient if before is None else kernels(gradient).add(before, gradient)
    found = []
    for source in sources:
        gradient = grads.get(source)
        out = reached[source].out
        if gradient is not None and out is not None and gradient is not out:
            kernels(gradient).assign(gradient, out)
            gradient = out
        found.append(gradient)
    return found


def _promoted(output: Any, held: Array) -> bool:
    """Whether an op's output has another dtype than its argument, as NumPy promotes those that differ."""
    return any(part.data.dtype is not held.dtype for part in (output if type(output) is tuple else (output,)))


def _plan(nodes: Sequence[Node], reached: dict[Any, Want]) -> list[tuple[Any, Any, Pullback, list[Want | None]]]:
    """The nodes that lead to a source, each with what it needs to compute."""
    plan = []
    writer: dict[Any, tuple[list[Want | None], int]] = {}  # the one use of a source whose gradient is written in place
    for inputs, output, pullback in nodes:
        needs: list[Want | None] = []
        wanted = False
        for source in inputs:
            need = reached.get(source)
            if need is not None:
                wanted = True
                if need.out is not None:
                    if source in writer:  # used again: the gradients have to be added, so none may own the buffer
                        first, where = writer[source]
                        first[where] = need = WANT
                    else:
                        writer[source] = (needs, len(needs))
            needs.append(need)
        if wanted:
            if type(output) is tuple:
                for part in output:
                    reached.setdefault(part, WANT)
            else:
                reached.setdefault(output, WANT)
            plan.append((inputs, output, pullback, needs))
    return plan


def _one(dtype: np.dtype[Any]) -> Array:
    one = np.ones((), dtype)
    one.flags.writeable = False
    return one


#: What the way back from a scalar starts with.
_ONE = {dtype: _one(dtype) for dtype in (F32, F64)}


def constants() -> Iterable[Array]:
    """The arrays that every step may read."""
    return _ONE.values()


def _seeds(target: Any, output_gradients: Any) -> dict[Any, Array]:
    """The gradients that the way back starts from, by target."""
    if not isinstance(target, (list, tuple)):
        target, output_gradients = [target], [output_gradients]
    elif output_gradients is None:
        output_gradients = [None] * len(target)
    grads: dict[Any, Array] = {}
    for part, weight in zip(target, output_gradients, strict=True):
        if not isinstance(part, Differentiable):
            continue  # does not depend on anything watched
        data = part._data()
        if weight is None:
            dy = _ONE[data.dtype] if data.ndim == 0 else full(data.shape, 1.0, data.dtype)
        else:
            dy = np.asarray(raw(weight), data.dtype)
            if dy.shape != data.shape:
                raise ValueError(
                    f"[GradientTape.gradient] expected an output gradient of shape {data.shape}, got {dy.shape}"
                )
        before = grads.get(part)
        grads[part] = dy if before is None else kernels(dy).add(before, dy)
    return grads


def _flatten(sources: Any) -> list[Any]:
    """The Tensors and Variables in a structure; a plain list of them is returned as it is."""
    if type(sources) is list:
        for source in sources:
            kind = type(source)
            if kind is not Variable and kind is not Tensor:
                break
        else:
            return sources
    if isinstance(sources, (list, tuple)):
        return [leaf for part in sources for leaf in _flatten(part)]
    if isinstance(sources, Mapping):
        return [leaf for part in sources.values() for leaf in _flatten(part)]
    if not isinstance(sources, (Tensor, Variable)):
        raise TypeError(
            "[GradientTape.gradient] expected Tensors from tape.watch() or Variables as sources, "
            f"got {type(sources).__name__}"
        )
    return [sources]


def _unflatten(structure: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, (list, tuple)):
        return type(structure)(_unflatten(part, leaves) for part in structure)
    if isinstance(structure, Mapping):
        return {key: _unflatten(part, leaves) for key, part in structure.items()}
    return next(leaves)


def vjp(fn: Callable[..., Any], *arrays: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of fn and its pullback: `y, pullback = vjp(fn, *arrays)`.

    fn: a layer, a model, or any function of arrays made of fastnn.ops, returning one array or a tuple of them.
    pullback(dy): one gradient per array, always a tuple; dy has the shape of y. pullback(dy, variables=vs) returns
    (grads, dvs). Gradients that do not depend on an input are zeros. May be called more than once.
    """
    with GradientTape(persistent=True) as tape:
        inputs = tuple(tape.watch(x) for x in arrays)
        y = fn(*inputs)

    def pullback(dy: Any, variables: Sequence[Variable] | None = None) -> Any:
        grads = tape.gradient(y, [*inputs, *(variables or ())], dy, "zero")
        own = tuple(grads[: len(inputs)])
        return own if variables is None else (own, grads[len(inputs) :])

    value = tuple(raw(part) for part in y) if isinstance(y, (tuple, list)) else raw(y)
    return value, pullback


def value_and_grad(fn: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns (fn(*args), gradient of it with respect to the arguments at argnums).

    fn returns a scalar. argnums: one position, for one gradient, or several, for a tuple of gradients.
    """
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @wraps(fn)
    def both(*args: Any, **options: Any) -> Any:
        with GradientTape() as tape:
            inputs = [tape.watch(a) if i in positions else a for i, a in enumerate(args)]
            y = fn(*inputs, **options)
        value = raw(y)
        if (value.size if type(value) is ndarray else np.size(value)) != 1:
            raise ValueError(
                f"[value_and_grad] expected a scalar from {getattr(fn, '__name__', fn)}, got shape {np.shape(value)}"
            )
        grads = tape.gradient(y, [inputs[i] for i in positions], None, "zero")
        return value, grads[0] if isinstance(argnums, int) else tuple(grads)

    return both


__all__ = [
    "WANT",
    "GradientTape",
    "Needs",
    "Tensor",
    "Variable",
    "Want",
    "composite",
    "dispatch",
    "primitive",
    "raw",
    "recording",
    "value_and_grad",
    "vjp",
]
