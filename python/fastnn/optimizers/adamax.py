from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Adamax(Optimizer):
    """Adamax: m as Adam's, u = max(beta_2 u, |g|), w -= learning_rate / (1 - beta_1^step) m / (u + epsilon).

    Source: Kingma and Ba, 2015, section 7.1.
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
        self.beta_1 = in_range("beta_1", "Adamax", beta_1, 0.0, 1.0)
        self.beta_2 = in_range("beta_2", "Adamax", beta_2, 0.0, 1.0)
        self.epsilon = in_range("epsilon", "Adamax", epsilon, 0.0, float("inf"))

    def slot_names(self) -> tuple[str, ...]:
        return ("m", "u")

    def update(self, part: Part) -> None:
        kernels(part.values).adamax(
            part.values, part.grads, part.slots["m"], part.slots["u"], *self._shared(part), self._step,
            *self._limits(), self.beta_1, self.beta_2, self.epsilon,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
