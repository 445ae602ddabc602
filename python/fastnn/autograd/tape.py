"""GradientTape: what it records, and the way back through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy import ndarray

from fastnn.arrays import F32, F64, Array
from fastnn.autograd.tensors import WANT, Differentiable, Node, Pullback, Tensor, Variable, Want, _active, raw
from fastnn.backend import cast, full, kernels
from fastnn.symbolic import SymbolicTensor, apply_op


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
