from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Ftrl(Optimizer):
    """Follow the regularized leader: weights are what the sums of the gradients say, 0 where these are below l1.

    With q(s) = s^(-learning_rate_power), n = s + g^2, l2' = l2 + beta / (2 learning_rate): z += g + 2 shrinkage w -
    (q(n) - q(s)) / learning_rate w, s = n, w = (clip(z, -l1, l1) - z) / (q(n) / learning_rate + 2 l2'). l1, l2 and
    shrinkage: l1_, l2_ and l2_shrinkage_regularization_strength. Source: McMahan et al., 2013.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        if not learning_rate_power <= 0:
            raise ValueError(f"[Ftrl] expected learning_rate_power <= 0, got {learning_rate_power}")
        self.learning_rate_power = float(learning_rate_power)
        self.initial_accumulator_value = _positive("initial_accumulator_value", initial_accumulator_value)
        self.l1_regularization_strength = _positive("l1_regularization_strength", l1_regularization_strength)
        self.l2_regularization_strength = _positive("l2_regularization_strength", l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = _positive(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = float(beta)

    def slot_names(self) -> tuple[str, ...]:
        return ("accumulator", "linear")

    def slot_start(self, name: str) -> float:
        return self.initial_accumulator_value if name == "accumulator" else 0.0

    def update(self, part: Part) -> None:
        kernels(part.values).ftrl(
            part.values, part.grads, part.slots["accumulator"], part.slots["linear"], *self._shared(part),
            *self._limits(), self.learning_rate_power, self.l1_regularization_strength,
            self.l2_regularization_strength, self.l2_shrinkage_regularization_strength, self.beta,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        names = (
            "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength",
            "l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta",
        )  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _positive(name: str, value: float) -> float:
    return in_range(name, "Ftrl", value, 0.0, float("inf"))
