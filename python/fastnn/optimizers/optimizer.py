"""Optimizer: how gradients change weights, one kernel call a step for each flat buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Variable, raw
from fastnn.backend import RecordedStep, full, kernels
from fastnn.registry import Registry
from fastnn.storage import FlatBuffer, FlatStorage
from fastnn.structure import Structural

registry = Registry("optimizers")

#: A learning rate: a number, or a function of the step number.
LearningRate = float | Callable[[int], float]


class Optimizer(Structural):
    """Base class. A subclass names its slots in slot_names() and calls its kernel in update().

    learning_rate: a number or a function of the number of steps done so far.
    """

    free = frozenset({"learning_rate"})

    def __init__(self, learning_rate: LearningRate, name: str | None = None) -> None:
        self.name = name or type(self).__name__.lower()
        self._schedule: Callable[[int], float] | None = None
        self._rate = np.zeros(1, np.float64)  # read by the kernels when they run
        self._step = np.zeros(1, np.int64)
        self.learning_rate = learning_rate
        self._slots: dict[int, dict[str, Array]] = {}  # per flat buffer, by its identity
        self._buffers: list[FlatBuffer] = []
        self._runs: dict[tuple[int, ...], list[tuple[FlatBuffer, Array]]] = {}
        self._variables: list[Variable] = []
        self._loose: list[dict[str, Array]] = []  # slots of plain arrays, by position

    def __init_subclass__(cls) -> None:
        registry.add_own(cls)

    # ---- what a subclass implements --------------------------------------------------------------------------

    def slot_names(self) -> tuple[str, ...]:
        """Names of the buffers kept beside the weights."""
        return ()

    def update(self, values: Array, grads: Array, slots: dict[str, Array], runs: Array) -> None:
        """One step, in place, over the runs of dense buffers of one size."""
        raise NotImplementedError(f"[{type(self).__name__}] expected update() to be implemented")

    # ---- learning rate and count of steps --------------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step."""
        return self._schedule(int(self._step[0])) if self._schedule else float(self._rate[0])

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        if callable(value):
            self._schedule = value
            return
        rate = float(value)
        if not rate >= 0:
            raise ValueError(f"[{self.name}] expected learning_rate >= 0, got {value}")
        self._schedule = None
        self._rate[0] = rate

    @property
    def iterations(self) -> int:
        """Number of steps done."""
        return int(self._step[0])

    # ---- steps -----------------------------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        return bool(self._variables)

    def build(self, variables: Iterable[Variable]) -> None:
        """Packs the variables into flat storage and makes the slots. Called by the first step."""
        self._variables = list(variables)
        self._buffers = FlatStorage(self._variables).buffers
        for buffer in self._buffers:
            self._slots.setdefault(id(buffer), self._new_slots(buffer.values))
        self._runs.clear()

    def _new_slots(self, values: Array) -> dict[str, Array]:
        return {name: full(values.shape, 0.0, values.dtype) for name in self.slot_names()}

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> int:
        """One step. grads_and_vars: pairs of gradient and Variable. Returns the number of steps done."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self.iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """One step.

        grads: a gradient for each variable, None where there is none.
        trainable_variables: Variables, or plain writable arrays, which are updated in place; by default build()'s.
        Raises ValueError if numbers or shapes do not fit, or all gradients are None.
        """
        params = self._variables if trainable_variables is None else trainable_variables
        if len(grads) != len(params):
            raise ValueError(f"[{self.name}] expected {len(params)} gradients, got {len(grads)}")
        if params and isinstance(params[0], Variable):
            self._apply_to_variables(grads, params)
        else:
            self._apply_to_arrays(grads, params)

    def _apply_to_variables(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        if not self._variables:
            self.build(variables)
        moved, ready = [], True
        for gradient, variable in zip(grads, variables, strict=True):
            if gradient is not None:
                moved.append(variable)
                if gradient is not variable.want.out:
                    ready = False
        key = tuple(map(id, moved))
        parts = self._runs.get(key)
        if parts is None:
            parts = self._runs[key] = self._parts(moved)
        if not ready:
            self._deliver(grads, variables)
        self._advance()
        for buffer, runs in parts:
            self.update(buffer.values, buffer.grads, self._slots[id(buffer)], runs)
        for variable in moved:
            if variable._constraint is not None:
                variable.constrain()
            variable.version += 1

    def _parts(self, variables: Sequence[Variable]) -> list[tuple[FlatBuffer, Array]]:
        """Which runs of which buffers the variables cover."""
        if not variables:
            raise ValueError(f"[{self.name}] expected a gradient for at least one variable, got None for all")
        known = {id(v) for v in self._variables}
        fresh = [v for v in variables if id(v) not in known]
        if fresh:  # unfrozen since
            self.build([*self._variables, *fresh])
        return [
            (buffer, runs)
            for buffer in self._buffers
            if len(runs := buffer.runs(v for v in variables if v.storage is buffer))
        ]

    def _deliver(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        """Copies the gradients that lie elsewhere into the variables' flat buffers."""
        for gradient, variable in zip(grads, variables, strict=True):
            if gradient is None or gradient is variable.want.out:
                continue
            array = np.asarray(raw(gradient), variable.dtype)
            if array.shape != variable.shape:
                raise ValueError(
                    f"[{self.name}] expected a gradient of shape {variable.shape} for {variable.path}, "
                    f"got {array.shape}"
                )
            kernels(array).assign(array, variable.want.out)

    def _apply_to_arrays(self, grads: Sequence[Any], params: Sequence[Any]) -> None:
        arrays = [self._plain(p) for p in params]
        for gradient, p in zip(grads, arrays, strict=True):
            if gradient is not None and np.shape(gradient) != p.shape:
                raise ValueError(f"[{self.name}] expected a gradient of shape {p.shape}, got {np.shape(gradient)}")
        if not self._loose:
            self._loose = [self._new_slots(p) for p in arrays]
        if len(self._loose) != len(arrays):
            raise ValueError(
                f"[{self.name}] expected the {len(self._loose)} arrays of the first step, got {len(arrays)}"
            )
        self._advance()
        for p, gradient, slots in zip(arrays, grads, self._loose, strict=True):
            if gradient is not None:
                runs = np.array([[0, p.size]], np.int64)
                self.update(p, np.asarray(raw(gradient), p.dtype), slots, runs)

    def _plain(self, p: Any) -> Array:
        if not isinstance(p, np.ndarray) or p.dtype.kind != "f" or not p.flags.writeable or not p.flags.c_contiguous:
            raise ValueError(
                f"[{self.name}] expected Variables or dense writable floating arrays to update in place, got {p!r}"
            )
        return p

    # ---- recorded steps --------------------------------------------------------------------------------------

    def memory(self) -> Iterator[Array]:
        """The arrays that stay where they are from step to step."""
        yield self._rate
        yield self._step
        for slots in self._slots.values():
            yield from slots.values()
        for parts in self._runs.values():
            yield from (runs for _, runs in parts)

    def replay(
        self, step: RecordedStep, arrays: tuple[Array, ...], variables: Sequence[Variable]
    ) -> tuple[Array, ...] | None:
        """Runs a recorded step that ends with this optimizer's update of the variables; None if it cannot run now."""
        self._advance()
        try:
            results: tuple[Array, ...] | None = step.run(arrays)
        except BaseException:
            self._step[0] -= 1
            raise
        if results is None:
            self._step[0] -= 1
            return None
        for variable in variables:
            variable.version += 1
        return results

    def _advance(self) -> None:
        if self._schedule:
            self._rate[0] = float(self._schedule(int(self._step[0])))
        self._step[0] += 1

    # ---- state -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Array]:
        """Copies of the step count and of the slots, by "<slot>/<position of the variable>"."""
        found = {"iterations": self._step.copy()}
        for position, variable in enumerate(self._variables):
            for name, slot in self._slots[id(variable.storage)].items():
                found[f"{name}/{position}"] = variable.storage.slot(slot, variable).copy()
        return found

    def set_state(self, state: dict[str, Array]) -> None:
        """Restores what state() gave, after build()."""
        self._step[...] = state["iterations"]
        for position, variable in enumerate(self._variables):
            for name, slot in self._slots[id(variable.storage)].items():
                variable.storage.slot(slot, variable)[...] = state[f"{name}/{position}"]

    def get_config(self) -> dict[str, Any]:
        if self._schedule is not None and not hasattr(self._schedule, "get_config"):
            raise ValueError(f"[{self.name}] expected a number as learning_rate, got a function, which cannot be saved")
        return {"name": self.name, "learning_rate": self.learning_rate}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        return cls(**config)


def in_range(name: str, where: str, value: float, low: float, high: float) -> float:
    """value as a float. Raises ValueError unless low <= value < high."""
    if not low <= value < high:
        raise ValueError(f"[{where}] expected {name} in [{low:g}, {high:g}), got {value}")
    return float(value)
