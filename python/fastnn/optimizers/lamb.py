from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn import ops
from fastnn.backend import kernels
from fastnn.optimizers.by_variable import ByVariable
from fastnn.optimizers.optimizer import LearningRate
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Lamb(ByVariable):
    """Adam whose step has, for each variable, learning_rate times the length of the variable itself.

    With u = m' / (sqrt(v') + epsilon) as Adam has it: w -= learning_rate |w| / |u| u; where |w| or |u| is 0, the factor
    is 1. Weight decay comes first. For large batches. Source: You et al., 2019.
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
        self.beta_1 = in_range("beta_1", "Lamb", beta_1, 0.0, 1.0)
        self.beta_2 = in_range("beta_2", "Lamb", beta_2, 0.0, 1.0)
        self.epsilon = in_range("epsilon", "Lamb", epsilon, 0.0, float("inf"))

    def slot_names(self) -> tuple[str, ...]:
        return ("m", "v")

    def update(self, part: Part) -> None:
        u = self._decayed(part)
        kernels(u).adam(
            u, part.grads, part.slots["m"], part.slots["v"], None, part.runs, part.scales, self._minus_one, self._step,
            self._limits()[0], 0.0, self.beta_1, self.beta_2, self.epsilon, "outside", True,
        )  # fmt: skip
        weights, updates = self._squares(part, part.values), self._squares(part, u)
        both = ops.logical_and(ops.greater(weights, 0.0), ops.greater(updates, 0.0))
        self._move(part, u, ops.where(both, ops.sqrt(ops.divide(weights, updates)), 1.0), self._rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
