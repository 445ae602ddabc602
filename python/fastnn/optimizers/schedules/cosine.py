from __future__ import annotations

from math import cos, pi
from typing import Any

from fastnn.optimizers.schedules.schedule import LearningRateSchedule, positive


class CosineDecay(LearningRateSchedule):
    """rate(step) = initial_learning_rate ((1 - alpha) (1 + cos(pi step / decay_steps)) / 2 + alpha), alpha at the end.

    warmup_target: the rate first rises to it in a line, over warmup_steps, and falls from there.
    Source: Loshchilov and Hutter, 2016.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate, self.alpha, self.name = initial_learning_rate, alpha, name
        self.decay_steps = positive("decay_steps", name, decay_steps)
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: int) -> float:
        top: float = self.initial_learning_rate
        done: float = step
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return float(top + (self.warmup_target - top) * step / self.warmup_steps)
            top, done = self.warmup_target, step - self.warmup_steps
        return float(top * _fall(min(done / self.decay_steps, 1.0), self.alpha))

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay over first_decay_steps, and again and again, t_mul times as long and from m_mul times as high.

    alpha: where each fall would end, as a share of initial_learning_rate. Source: Loshchilov and Hutter, 2016.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        if not t_mul >= 1:
            raise ValueError(f"[{name}] expected t_mul >= 1, got {t_mul}")
        self.initial_learning_rate, self.alpha, self.name = initial_learning_rate, alpha, name
        self.first_decay_steps = positive("first_decay_steps", name, first_decay_steps)
        self.t_mul, self.m_mul = t_mul, m_mul

    def __call__(self, step: int) -> float:
        done, length, restarts = float(step), float(self.first_decay_steps), 0
        if self.t_mul == 1:
            restarts = int(done // length)
            done -= restarts * length
        else:  # by subtraction: a quotient of logarithms can miss a restart by one step
            while done >= length:
                done, length, restarts = done - length, length * self.t_mul, restarts + 1
        return float(self.initial_learning_rate * _fall(done / length, self.alpha, self.m_mul**restarts))

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


def _fall(share: float, alpha: float, height: float = 1.0) -> float:
    """Half a cosine wave, from height at share 0 to 0 at 1, with alpha below it."""
    return (1 - alpha) * height * 0.5 * (1 + cos(pi * share)) + alpha
