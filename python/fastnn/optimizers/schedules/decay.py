from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil, floor
from typing import Any

from fastnn.optimizers.schedules.schedule import LearningRateSchedule, positive


class ExponentialDecay(LearningRateSchedule):
    """rate(step) = initial_learning_rate decay_rate^(step / decay_steps).

    staircase: whole powers only, so that the rate falls in steps, every decay_steps.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate, self.decay_rate = initial_learning_rate, decay_rate
        self.decay_steps = positive("decay_steps", name, decay_steps)
        self.staircase, self.name = bool(staircase), name

    def __call__(self, step: int) -> float:
        power = step / self.decay_steps
        return float(self.initial_learning_rate * self.decay_rate ** (floor(power) if self.staircase else power))

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class InverseTimeDecay(LearningRateSchedule):
    """rate(step) = initial_learning_rate / (1 + decay_rate step / decay_steps).

    staircase: step / decay_steps rounded down.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate, self.decay_rate = initial_learning_rate, decay_rate
        self.decay_steps = positive("decay_steps", name, decay_steps)
        self.staircase, self.name = bool(staircase), name

    def __call__(self, step: int) -> float:
        periods = step / self.decay_steps
        return float(
            self.initial_learning_rate / (1 + self.decay_rate * (floor(periods) if self.staircase else periods))
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class PolynomialDecay(LearningRateSchedule):
    """rate(step) = (initial_learning_rate - end_learning_rate) (1 - step / decay_steps)^power + end_learning_rate.

    From decay_steps on it stays at the end; cycle: decay_steps grows to its next multiple instead.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate, self.end_learning_rate = initial_learning_rate, end_learning_rate
        self.decay_steps = positive("decay_steps", name, decay_steps)
        self.power, self.cycle, self.name = power, bool(cycle), name

    def __call__(self, step: int) -> float:
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, ceil(step / steps))
        left = 1 - min(step, steps) / steps
        return float((self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


class PiecewiseConstantDecay(LearningRateSchedule):
    """rate(step) = values[i] for boundaries[i - 1] < step <= boundaries[i]."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                f"[{name}] expected one value more than boundaries, got {len(values)} and {len(boundaries)}"
            )
        if list(boundaries) != sorted(boundaries):
            raise ValueError(f"[{name}] expected boundaries in ascending order, got {list(boundaries)}")
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def __call__(self, step: int) -> float:
        return float(self.values[bisect_left(self.boundaries, step)])

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}
