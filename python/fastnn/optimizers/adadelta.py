from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Adadelta(Optimizer):
    """Adadelta: s = rho s + (1 - rho) g^2, u = sqrt(d + epsilon) / sqrt(s + epsilon) g, d = rho d + (1 - rho) u^2,
    w -= learning_rate u.

    The paper has no learning rate: learning_rate=1.0. Source: Zeiler, 2012.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = in_range("rho", "Adadelta", rho, 0.0, 1.0)
        self.epsilon = in_range("epsilon", "Adadelta", epsilon, 0.0, float("inf"))

    def slot_names(self) -> tuple[str, ...]:
        return ("square", "square_of_updates")

    def update(self, part: Part) -> None:
        kernels(part.values).adadelta(
            part.values, part.grads, part.slots["square"], part.slots["square_of_updates"], *self._shared(part),
            *self._limits(), self.rho, self.epsilon,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}
