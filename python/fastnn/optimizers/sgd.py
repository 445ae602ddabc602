from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer, in_range


class SGD(Optimizer):
    """Gradient descent: w -= learning_rate g; with momentum v = momentum v - learning_rate g, w += v.

    nesterov: w += momentum v - learning_rate g instead. Source: Sutskever et al., 2013.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        name: str | None = "SGD",
    ) -> None:
        super().__init__(learning_rate, name)
        self.momentum = in_range("momentum", "SGD", momentum, 0.0, float("inf"))
        self.nesterov = bool(nesterov)

    def slot_names(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def update(self, values: Array, grads: Array, slots: dict[str, Array], runs: Array) -> None:
        kernels(values).sgd(values, grads, slots.get("velocity"), runs, self._rate, self.momentum, self.nesterov)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
