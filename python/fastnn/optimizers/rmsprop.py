from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range, one_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


class RMSprop(Optimizer):
    """RMSprop: s = rho s + (1 - rho) g^2, w -= learning_rate g / sqrt(s + epsilon).

    momentum: v = momentum v + that update, w -= v. centered: the variance of g in place of its square.
    epsilon_placement: "inside" as above and in Keras, or "outside": g / (sqrt(s) + epsilon).
    Source: Hinton, 2012.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        *,
        epsilon_placement: str = "inside",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = in_range("rho", "RMSprop", rho, 0.0, 1.0)
        self.momentum = in_range("momentum", "RMSprop", momentum, 0.0, float("inf"))
        self.epsilon = in_range("epsilon", "RMSprop", epsilon, 0.0, float("inf"))
        self.centered = bool(centered)
        self.epsilon_placement = one_of("epsilon_placement", "RMSprop", epsilon_placement, ("inside", "outside"))

    def slot_names(self) -> tuple[str, ...]:
        return ("square", *(("mean",) if self.centered else ()), *(("velocity",) if self.momentum else ()))

    def update(self, part: Part) -> None:
        slots = part.slots
        kernels(part.values).rmsprop(
            part.values, part.grads, slots["square"], slots.get("mean"), slots.get("velocity"), *self._shared(part),
            *self._limits(), self.rho, self.momentum, self.epsilon, self.epsilon_placement,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        own = {
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
            "epsilon_placement": self.epsilon_placement,
        }
        return {**super().get_config(), **own}
