from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range, one_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Adagrad(Optimizer):
    """AdaGrad: s += g^2, w -= learning_rate g / sqrt(s + epsilon); s begins at initial_accumulator_value.

    epsilon_placement: "inside" as above and in Keras, or "outside": g / (sqrt(s) + epsilon).
    Source: Duchi et al., 2011.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        *,
        epsilon_placement: str = "inside",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        infinity = float("inf")
        self.initial_accumulator_value = in_range(
            "initial_accumulator_value", "Adagrad", initial_accumulator_value, 0.0, infinity
        )
        self.epsilon = in_range("epsilon", "Adagrad", epsilon, 0.0, infinity)
        self.epsilon_placement = one_of("epsilon_placement", "Adagrad", epsilon_placement, ("inside", "outside"))

    def slot_names(self) -> tuple[str, ...]:
        return ("accumulator",)

    def slot_start(self, name: str) -> float:
        return self.initial_accumulator_value

    def update(self, part: Part) -> None:
        kernels(part.values).adagrad(
            part.values, part.grads, part.slots["accumulator"], *self._shared(part), *self._limits(),
            self.epsilon, self.epsilon_placement,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        own = {
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
            "epsilon_placement": self.epsilon_placement,
        }
        return {**super().get_config(), **own}
