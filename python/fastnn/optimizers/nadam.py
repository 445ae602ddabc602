from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Nadam(Optimizer):
    """Adam with Nesterov momentum: the step that m will take next, as far as it is known.

    With b(t) = beta_1 (1 - 0.96^t / 2) and B(t) = b(1) ... b(t), m and v as Adam's and v' = v / (1 - beta_2^t):
    w -= learning_rate (b(t+1) m / (1 - B(t+1)) + (1 - b(t)) g / (1 - B(t))) / (sqrt(v') + epsilon).
    Source: Dozat, 2016.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = in_range("beta_1", "Nadam", beta_1, 0.0, 1.0)
        self.beta_2 = in_range("beta_2", "Nadam", beta_2, 0.0, 1.0)
        self.epsilon = in_range("epsilon", "Nadam", epsilon, 0.0, float("inf"))
        self._product = np.array([0.0, 1.0])  # a step and B there, which the kernel keeps up with the step

    def slot_names(self) -> tuple[str, ...]:
        return ("m", "v")

    def update(self, part: Part) -> None:
        kernels(part.values).nadam(
            part.values, part.grads, part.slots["m"], part.slots["v"], self._product, *self._shared(part), self._step,
            *self._limits(), self.beta_1, self.beta_2, self.epsilon,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
