from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Lion(Optimizer):
    """Lion: w -= learning_rate sign(beta_1 m + (1 - beta_1) g), then m = beta_2 m + (1 - beta_2) g.

    Every weight moves by learning_rate, so that a third to a tenth of Adam's rate is due. Source: Chen et al., 2023.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        if not 0 < beta_1 <= 1:
            raise ValueError(f"[Lion] expected beta_1 in (0, 1], got {beta_1}")
        self.beta_1 = float(beta_1)
        self.beta_2 = in_range("beta_2", "Lion", beta_2, 0.0, 1.0)

    def slot_names(self) -> tuple[str, ...]:
        return ("m",)

    def update(self, part: Part) -> None:
        kernels(part.values).lion(
            part.values, part.grads, part.slots["m"], *self._shared(part), *self._limits(), self.beta_1, self.beta_2
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
