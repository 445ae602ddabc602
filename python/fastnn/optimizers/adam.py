from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer, in_range


class Adam(Optimizer):
    """Adam: m and v are moving averages of g and g^2; w -= learning_rate m' / (sqrt(v') + epsilon).

    The bias correction is folded into the rate, so epsilon is added to the uncorrected sqrt(v), as in Keras.
    amsgrad: the largest v so far in place of v. Source: Kingma and Ba, 2015; Reddi et al., 2018.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        name: str | None = "adam",
    ) -> None:
        super().__init__(learning_rate, name)
        self.beta_1 = in_range("beta_1", "Adam", beta_1, 0.0, 1.0)
        self.beta_2 = in_range("beta_2", "Adam", beta_2, 0.0, 1.0)
        self.epsilon = in_range("epsilon", "Adam", epsilon, 0.0, float("inf"))
        self.amsgrad = bool(amsgrad)

    def slot_names(self) -> tuple[str, ...]:
        return ("m", "v", "largest") if self.amsgrad else ("m", "v")

    def update(self, values: Array, grads: Array, slots: dict[str, Array], runs: Array) -> None:
        kernels(values).adam(
            values, grads, slots["m"], slots["v"], slots.get("largest"), runs, self._rate, self._step,
            self.beta_1, self.beta_2, self.epsilon,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return {**super().get_config(), **own}
