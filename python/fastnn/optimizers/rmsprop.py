from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer, in_range


class RMSprop(Optimizer):
    """RMSprop: s = rho s + (1 - rho) g^2, w -= learning_rate g / sqrt(s + epsilon).

    momentum: v = momentum v + that update, w -= v. centered: the variance of g in place of its square.
    Source: Hinton, 2012.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        name: str | None = "rmsprop",
    ) -> None:
        super().__init__(learning_rate, name)
        self.rho = in_range("rho", "RMSprop", rho, 0.0, 1.0)
        self.momentum = in_range("momentum", "RMSprop", momentum, 0.0, float("inf"))
        self.epsilon = in_range("epsilon", "RMSprop", epsilon, 0.0, float("inf"))
        self.centered = bool(centered)

    def slot_names(self) -> tuple[str, ...]:
        return ("square", *(("mean",) if self.centered else ()), *(("velocity",) if self.momentum else ()))

    def update(self, values: Array, grads: Array, slots: dict[str, Array], runs: Array) -> None:
        kernels(values).rmsprop(
            values, grads, slots["square"], slots.get("mean"), slots.get("velocity"), runs, self._rate,
            self.rho, self.momentum, self.epsilon,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}
