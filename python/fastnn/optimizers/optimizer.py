"""Optimizer: how gradients change weights, one kernel call a step for each flat buffer."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from inspect import Parameter, signature
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Variable, raw
from fastnn.backend import RecordedStep, full, kernels, weights_changed
from fastnn.optimizers.numbers import Count, Rate
from fastnn.optimizers.plan import ACCUMULATOR, AVERAGE, Part, Plan
from fastnn.optimizers.schedules.schedule import LearningRateSchedule
from fastnn.optimizers.schedules.schedule import registry as schedules
from fastnn.optimizers.settings import at_least, optional_in_range
from fastnn.registry import Registry, serialize, snake_case, unique_name
from fastnn.storage import FlatBuffer, FlatStorage
from fastnn.structure import Structural

registry = Registry("optimizers")

#: A learning rate: a number, a schedule, or a function of the step number or of nothing.
LearningRate = float | LearningRateSchedule | Callable[..., float]


class Optimizer(Structural):
    """Base class. A subclass names its slots in slot_names() and calls its kernel in update().

    learning_rate: a number, a LearningRateSchedule, or a function of the number of steps done so far, or of nothing.
    weight_decay: w -= learning_rate weight_decay w in each step, apart from the gradient.
    clipnorm: the largest norm of a weight's gradient; global_clipnorm: of all together; clipvalue: the largest absolute
    value in one. One of the three at most.
    use_ema: keeps a moving average of the weights, average = ema_momentum average + (1 - ema_momentum) w, which takes
    the weights' place every ema_overwrite_frequency steps and in finalize_variable_values().
    loss_scale_factor: what scale_loss() multiplies the loss with and a step divides the gradients by.
    gradient_accumulation_steps: changes the weights in every so many-th step, by the mean of the gradients since.
    """

    free = frozenset({"learning_rate"})

    #: Whether the rule wants every variable to be a run of its own.
    per_variable = False

    def __init__(
        self,
        learning_rate: LearningRate,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name or unique_name(snake_case(type(self).__name__))
        self._schedule: LearningRateSchedule | Callable[[int], float] | None = None
        self._rate = np.zeros(1, np.float64)  # read by the kernels when they run
        self._step = np.zeros(1, np.int64)
        self.learning_rate = learning_rate
        infinity = float("inf")
        own = type(self).__name__
        self.weight_decay = optional_in_range("weight_decay", own, weight_decay, 0.0, infinity)
        self.clipnorm = optional_in_range("clipnorm", own, clipnorm, 0.0, infinity)
        self.clipvalue = optional_in_range("clipvalue", own, clipvalue, 0.0, infinity)
        self.global_clipnorm = optional_in_range("global_clipnorm", own, global_clipnorm, 0.0, infinity)
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                f"[{own}] expected one of clipnorm, clipvalue and global_clipnorm at most, "
                f"got {clipnorm}, {clipvalue} and {global_clipnorm}"
            )
        self.use_ema = bool(use_ema)
        self.ema_momentum = float(ema_momentum)
        if not 0 <= ema_momentum <= 1:
            raise ValueError(f"[{own}] expected ema_momentum in [0, 1], got {ema_momentum}")
        self.ema_overwrite_frequency = at_least("ema_overwrite_frequency", own, ema_overwrite_frequency, 1)
        self.gradient_accumulation_steps = at_least("gradient_accumulation_steps", own, gradient_accumulation_steps, 2)
        if loss_scale_factor is not None and not 0 < loss_scale_factor < infinity:
            raise ValueError(f"[{own}] expected loss_scale_factor > 0, got {loss_scale_factor}")
        self.loss_scale_factor = loss_scale_factor

        self._undecayed: tuple[set[int], list[str]] = (set(), [])
        self._accumulated = 0  # steps whose gradients wait in the accumulators
        self._slots: dict[int, dict[str, Array]] = {}  # per flat buffer, by its identity
        self._buffers: list[FlatBuffer] = []
        self._plans: dict[tuple[int, ...], Plan] = {}
        self._whole: list[Part] = []  # all own weights, with a gradient or without
        self._variables: list[Variable] = []
        self._loose: list[Part] = []  # plain arrays, by position
        self._all: tuple[int, ...] = ()  # the positions of all of them

    def __init_subclass__(cls) -> None:
        registry.add_own(cls)

    @property
    def _kind(self) -> str:
        """What messages begin with."""
        return type(self).__name__

    # ---- what a subclass implements --------------------------------------------------------------------------

    def slot_names(self) -> tuple[str, ...]:
        """Names of the buffers kept beside the weights."""
        return ()

    def slot_start(self, name: str) -> float:
        """The value that all elements of a slot begin with."""
        return 0.0

    def update(self, part: Part) -> None:
        """One step of the rule, in place."""
        raise NotImplementedError(f"[{self._kind}] expected update() to be implemented")

    def _shared(self, part: Part) -> tuple[Any, ...]:
        """The arguments that every kernel takes behind its slots."""
        return part.runs, part.scales, self._rate

    def _limits(self) -> tuple[float, float]:
        """clip_value and weight_decay as kernels take them."""
        return self.clipvalue or 0.0, self.weight_decay or 0.0

    # ---- learning rate and count of steps --------------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step. Its assign() sets it, its numpy() gives it as an array, as Keras's variable."""
        now = self._schedule(self._batches()) if self._schedule else self._rate[0]
        return Rate.of(float(now), self._set_learning_rate)

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        self._set_learning_rate(value)

    def _set_learning_rate(self, value: LearningRate) -> None:
        if isinstance(value, LearningRateSchedule):
            self._schedule = value
            return
        if callable(value):
            self._schedule = _of_step(value)
            return
        if isinstance(self._schedule, LearningRateSchedule):
            raise TypeError(
                f"[{self._kind}] expected no number as learning_rate of an optimizer made with a "
                f"{type(self._schedule).__name__}, got {value}"
            )
        number = float(value)
        if not number >= 0:
            raise ValueError(f"[{self._kind}] expected learning_rate >= 0, got {value}")
        self._schedule = None
        self._rate[0] = number

    @property
    def iterations(self) -> Count:
        """Number of times the weights were changed, a number with assign() and numpy() as Keras's variable."""
        found: Count = Count.of(int(self._step[0]), self._set_iterations)
        return found

    def _set_iterations(self, value: int) -> None:
        if value < 0:
            raise ValueError(f"[{self._kind}] expected iterations >= 0, got {value}")
        self._step[0] = value

    @property
    def variables(self) -> list[Variable]:
        """The state, as Variables that share its memory, in Keras's order: the number of steps, the learning rate
        unless it is a schedule, and for each variable its slots.
        """
        found = [_sharing(self._step.reshape(()), "iteration")]
        if self._schedule is None:
            found.append(_sharing(self._rate.reshape(()), "learning_rate"))
        for variable in self._variables:
            for name, slot in self._slots[id(variable.storage)].items():
                found.append(_sharing(variable.storage.slot(slot, variable), f"{variable.name}_{name}"))
        return found

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets what `variables` holds. Raises ValueError before build(), and for another number or other shapes."""
        if not self.built:
            raise ValueError(f"[{self._kind}] expected build() before set_weights()")
        own = self.variables
        if len(own) != len(weights):
            raise ValueError(f"[{self._kind}] expected {len(own)} weights, got {len(weights)}")
        for variable, value in zip(own, weights, strict=True):
            variable.assign(value)

    def _advance(self) -> None:
        """Puts into memory what kernels read there: the rate of this step and its number."""
        if self._schedule:
            self._rate[0] = float(self._schedule(self._batches()))
        self._step[0] += 1

    def _batches(self) -> int:
        """Number of steps done, those that only added to the accumulators included."""
        return int(self._step[0]) * (self.gradient_accumulation_steps or 1) + self._accumulated

    # ---- weights ---------------------------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        return bool(self._variables)

    def build(self, variables: Iterable[Variable]) -> None:
        """Packs the variables into flat storage and makes the slots. Called by the first step."""
        known = {id(v) for v in self._variables}
        self._variables = list(variables)
        self._buffers = FlatStorage(self._variables).buffers
        for buffer in self._buffers:
            slots = self._slots.get(id(buffer))
            if slots is None:
                slots = self._slots[id(buffer)] = self._new_slots(buffer.values)
            if self.use_ema:
                for variable in self._variables:
                    if variable.storage is buffer and id(variable) not in known:
                        buffer.slot(slots[AVERAGE], variable)[...] = variable._value
        self._plans.clear()
        self._whole = self._parts(self._variables) if self._variables else []

    def _new_slots(self, values: Array) -> dict[str, Array]:
        slots = {name: full(values.shape, self.slot_start(name), values.dtype) for name in self.slot_names()}
        if self.gradient_accumulation_steps:
            slots[ACCUMULATOR] = full(values.shape, 0.0, values.dtype)
        if self.use_ema:
            slots[AVERAGE] = full(values.shape, 0.0, values.dtype)
            slots[AVERAGE][...] = values
        return slots

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Lets weights keep out of weight_decay.

        var_list: Variables. var_names: regular expressions; a Variable is left out if one is found in its name.
        Raises ValueError after the first step.
        """
        if self.built:
            raise ValueError(f"[{self._kind}] expected exclude_from_weight_decay() before the optimizer is built")
        self._undecayed = ({id(v) for v in var_list or ()}, list(var_names or ()))

    def _decays(self, variable: Variable) -> bool:
        ids, names = self._undecayed
        return id(variable) not in ids and not any(re.search(name, variable.name) for name in names)

    # ---- steps -----------------------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> int:
        """One step. grads_and_vars: pairs of gradient and Variable. Returns the number of steps done."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._batches()

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """One step.

        grads: a gradient for each variable, None where there is none.
        trainable_variables: Variables, or plain writable arrays, which are updated in place; by default build()'s.
        Without any gradients nothing happens. Raises ValueError if numbers or shapes do not fit, or all are None.
        """
        params = self._variables if trainable_variables is None else trainable_variables
        if len(grads) != len(params):
            raise ValueError(f"[{self._kind}] expected {len(params)} gradients, got {len(grads)}")
        if not params:
            return
        if isinstance(params[0], Variable):
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
        # tuple() of an iterator would leave CPython's list of free tuples one longer, 2,000 times: a page in 50 steps.
        key = tuple([id(variable) for variable in moved])
        plan = self._plans.get(key)
        if plan is None:
            if moved and len(moved) < len(variables):
                self._warn_of_missing(grads, variables)
            plan = self._plan(self._parts(moved))
            self._plans[key] = plan
        if not ready:
            self._deliver(grads, variables)
        if self._take(plan, self._whole):
            for variable in moved:
                if variable._constraint is not None:
                    variable.constrain()
                variable.version += 1
        if self._overwrites():
            self._put_averages(self._whole)
            for variable in self._variables:
                variable.version += 1
        weights_changed()

    def _warn_of_missing(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        paths = [v.path for gradient, v in zip(grads, variables, strict=True) if gradient is None]
        message = f"[{self._kind}] expected a gradient for every variable, got None for {', '.join(paths)}"
        warnings.warn(message + "; they stay as they are", stacklevel=4)

    def _take(self, plan: Plan, whole: list[Part]) -> bool:
        """A step on gradients that are in place. Returns whether weights were changed.

        Which kernels are called depends on the number of the step with gradient_accumulation_steps alone.
        """
        due = not self.gradient_accumulation_steps or self._accumulate(plan)
        if due:
            self._advance()
            self._clip(plan)
            for part in plan.parts:
                self.update(part)
            if self.gradient_accumulation_steps:
                self._clear(whole)
        if self.use_ema:
            for part in whole:
                kernels(part.values).move_average(
                    part.slots[AVERAGE], part.values, part.runs, self._step, self.ema_momentum
                )
        return due

    def _accumulate(self, plan: Plan) -> bool:
        """Adds the gradients to those of the steps before. Returns whether enough have come together."""
        for part in plan.parts:
            kernels(part.values).accumulate(part.slots[ACCUMULATOR], part.given, part.runs)
        due = self._accumulated + 1 == self.gradient_accumulation_steps
        self._accumulated += not due  # counts on while the sums wait; _clear() begins anew
        return due

    def _clear(self, whole: list[Part]) -> None:
        """Empties the accumulators."""
        for part in whole:
            kernels(part.values).accumulate(part.slots[ACCUMULATOR], None, part.runs)
        self._accumulated = 0

    def _clip(self, plan: Plan) -> None:
        """Finds the factors that bring the norms of the gradients below their limit."""
        limit = self.clipnorm or self.global_clipnorm
        if limit:
            for part in plan.parts:
                kernels(part.values).squared_norms(part.grads, part.squares, part.runs)
            kernels(part.values).clip_factors(plan.squares, plan.scales, limit, self._factor(), not self.clipnorm)

    def _factor(self) -> float:
        """What gradients are multiplied with before anything else."""
        return 1.0 / ((self.loss_scale_factor or 1.0) * (self.gradient_accumulation_steps or 1))

    def _overwrites(self) -> bool:
        """Whether the averages take the weights' place after this step."""
        every = self.ema_overwrite_frequency
        return self.use_ema and every is not None and self._accumulated == 0 and self.iterations % every == 0

    def _put_averages(self, whole: list[Part]) -> None:
        for part in whole:
            kernels(part.values).move_average(part.values, part.slots[AVERAGE], part.runs, self._step, 0.0)

    def _plan(self, parts: list[Part]) -> Plan:
        return Plan(parts, self._factor(), bool(self.clipnorm or self.global_clipnorm))

    def _parts(self, variables: Sequence[Variable]) -> list[Part]:
        """Which runs of which buffers the variables cover."""
        if not variables:
            raise ValueError(f"[{self._kind}] expected a gradient for at least one variable, got None for all")
        known = {id(v) for v in self._variables}
        fresh = [v for v in variables if id(v) not in known]
        if fresh:  # unfrozen since
            self.build([*self._variables, *fresh])
        undecayed = {id(v) for v in variables if not self._decays(v)}
        merged = not (self.clipnorm or self.per_variable)
        parts = []
        for buffer in self._buffers:
            own = [v for v in variables if v.storage is buffer and v.size]
            own.sort(key=lambda v: buffer.offsets[id(v)])
            if own:
                runs = buffer.runs(own, undecayed, merged)
                part = Part(buffer.values, buffer.grads, self._slots[id(buffer)], runs)
                part.shapes = [v.shape for v in own]
                parts.append(part)
        return parts

    def _deliver(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        """Copies the gradients that lie elsewhere into the variables' flat buffers."""
        for gradient, variable in zip(grads, variables, strict=True):
            if gradient is None or gradient is variable.want.out:
                continue
            array = np.asarray(raw(gradient), variable.dtype)
            if array.shape != variable.shape:
                raise ValueError(
                    f"[{self._kind}] expected a gradient of shape {variable.shape} for {variable.path}, "
                    f"got {array.shape}"
                )
            kernels(array).assign(array, variable.want.out)

    def _apply_to_arrays(self, grads: Sequence[Any], params: Sequence[Any]) -> None:
        plan = self._plan_for_arrays(grads, params) if not self._takes(grads, params) else self._plans[self._all]
        self._take(plan, self._loose)
        if self._overwrites():
            self._put_averages(self._loose)

    def _takes(self, grads: Sequence[Any], params: Sequence[Any]) -> bool:
        """Takes the arrays of the step before and gradients like them, as a loop brings them; False for others."""
        if len(self._loose) != len(params):
            return False
        for p, gradient, part in zip(params, grads, self._loose, strict=True):
            if p is not part.values:
                return False
            if gradient is not part.given:
                if type(gradient) is not np.ndarray or gradient.dtype is not p.dtype or gradient.shape != p.shape:
                    return False
                part.take(p, gradient)
        return self._all in self._plans

    def _plan_for_arrays(self, grads: Sequence[Any], params: Sequence[Any]) -> Plan:
        arrays = [self._plain(p) for p in params]
        for gradient, p in zip(grads, arrays, strict=True):
            if gradient is not None and np.shape(gradient) != p.shape:
                raise ValueError(f"[{self._kind}] expected a gradient of shape {p.shape}, got {np.shape(gradient)}")
        if not self._loose:
            self._loose = [Part(p, p, self._new_slots(p), np.array([[0, p.size, 1]], np.int64)) for p in arrays]
            self._all = tuple(range(len(arrays)))
        if len(self._loose) != len(arrays):
            raise ValueError(
                f"[{self._kind}] expected the {len(self._loose)} arrays of the first step, got {len(arrays)}"
            )
        key = tuple([position for position, gradient in enumerate(grads) if gradient is not None])
        if not key:
            raise ValueError(f"[{self._kind}] expected a gradient for at least one array, got None for all")
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan([self._loose[position] for position in key])
        for p, gradient, part in zip(arrays, grads, self._loose, strict=True):
            part.take(p, None if gradient is None else np.asarray(raw(gradient), p.dtype))
        return plan

    def _plain(self, p: Any) -> Array:
        if not isinstance(p, np.ndarray) or p.dtype.kind != "f" or not p.flags.writeable or not p.flags.c_contiguous:
            raise ValueError(
                f"[{self._kind}] expected Variables or dense writable floating arrays to update in place, got {p!r}"
            )
        return p

    # ---- recorded steps --------------------------------------------------------------------------------------

    def memory(self) -> Iterator[Array]:
        """The arrays that stay where they are from step to step."""
        yield from [value for value in vars(self).values() if isinstance(value, np.ndarray)]
        for slots in self._slots.values():
            yield from slots.values()
        for plan in self._plans.values():
            for part in (*plan.parts, *self._whole):
                yield part.runs
            for factors in (plan.scales, plan.squares):
                if factors is not None:
                    yield factors

    @property
    def has_phases(self) -> bool:
        """Whether not all steps call the same kernels."""
        return self.gradient_accumulation_steps is not None or self.ema_overwrite_frequency is not None

    def phase(self) -> tuple[bool, bool]:
        """Which kernels the next step calls: whether it changes the weights, and whether averages take their place.

        Steps of one phase are alike, and can be recorded.
        """
        due = not self.gradient_accumulation_steps or self._accumulated + 1 == self.gradient_accumulation_steps
        every = self.ema_overwrite_frequency
        return due, due and self.use_ema and every is not None and (self.iterations + 1) % every == 0

    def replay(
        self, step: RecordedStep, arrays: tuple[Array, ...], variables: Sequence[Variable]
    ) -> tuple[Array, ...] | None:
        """Runs a recorded step of this phase that ends with an update of the variables; None if it cannot run now."""
        due, overwrites = self.phase() if self.has_phases else (True, False)
        if due:
            self._advance()
        try:
            results: tuple[Array, ...] | None = step.run(arrays)
        except BaseException:
            self._step[0] -= due
            raise
        if results is None:
            self._step[0] -= due
            return None
        if self.gradient_accumulation_steps:
            self._accumulated = 0 if due else self._accumulated + 1
        if due:
            for variable in self._variables if overwrites else variables:
                variable.version += 1
        return results

    # ---- around steps ----------------------------------------------------------------------------------------

    def scale_loss(self, loss: Any) -> Any:
        """The loss times loss_scale_factor, to take gradients of."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Iterable[Variable] | None = None) -> None:
        """Puts the moving averages in the weights' place, where they are kept; the end of training.

        var_list: the Variables to change, by default all of build()'s.
        """
        if self.use_ema and self.built:
            variables = self._variables if var_list is None else [v for v in var_list if v in self._variables]
            if variables:
                self._put_averages(self._parts(variables))
            for variable in variables:
                variable.version += 1
            weights_changed()

    # ---- state -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Array]:
        """Copies of the step count, of the positions of variables without weight decay, and of the slots, by
        "<slot>/<position of the variable>".
        """
        found = {"iterations": self._step.copy()}
        if self.gradient_accumulation_steps:
            found["accumulated"] = np.array([self._accumulated], np.int64)
        undecayed = [position for position, variable in enumerate(self._variables) if not self._decays(variable)]
        if undecayed:
            found["undecayed"] = np.array(undecayed, np.int64)
        for position, variable in enumerate(self._variables):
            for name, slot in self._slots[id(variable.storage)].items():
                found[f"{name}/{position}"] = variable.storage.slot(slot, variable).copy()
        return found

    def set_state(self, state: dict[str, Array]) -> None:
        """Restores what state() gave, after build()."""
        self._step[...] = state["iterations"]
        if self.gradient_accumulation_steps:
            self._accumulated = int(state["accumulated"][0])
        if "undecayed" in state:
            self._undecayed = ({id(self._variables[position]) for position in state["undecayed"]}, [])
            self._plans.clear()
        for position, variable in enumerate(self._variables):
            for name, slot in self._slots[id(variable.storage)].items():
                variable.storage.slot(slot, variable)[...] = state[f"{name}/{position}"]

    def get_config(self) -> dict[str, Any]:
        """The settings, ready for JSON. Raises ValueError if learning_rate is a function."""
        planned: Any = self._schedule
        if planned is None:
            planned = float(self._rate[0])
        elif not isinstance(planned, LearningRateSchedule):
            raise ValueError(f"[{self._kind}] expected a number as learning_rate to save, got a function")
        else:
            planned = serialize(planned)
        return {
            "name": self.name,
            "learning_rate": planned,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "clipvalue": self.clipvalue,
            "global_clipnorm": self.global_clipnorm,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """The optimizer of get_config()."""
        planned = config.get("learning_rate")
        if isinstance(planned, dict):
            config = {**config, "learning_rate": schedules.deserialize(planned)}
        return cls(**config)


def _sharing(memory: Array, name: str) -> Variable:
    """A Variable whose value lies there."""
    variable = Variable(np.zeros(memory.shape, memory.dtype), trainable=False, name=name)
    variable._value = memory
    return variable


def _of_step(function: Callable[..., float]) -> Callable[[int], float]:
    """A function of the step number: as it is, or of nothing."""
    try:
        parameters = signature(function).parameters.values()
    except ValueError:  # a builtin that does not say
        return function
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)
    return function if any(p.kind in positional for p in parameters) else lambda step: function()
