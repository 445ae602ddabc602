from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range, one_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Adam(Optimizer):
    """Adam: m and v are moving averages of g and g^2, m' and v' these divided by 1 - beta^step;
    w -= learning_rate m' / (sqrt(v') + epsilon).

    epsilon_placement: "hat", as in Keras, adds epsilon to the uncorrected sqrt(v), the correction being part of the
    rate; "outside" is the formula above, PyTorch's; "inside" is sqrt(v' + epsilon).
    bias_correction: False takes m and v as they are. amsgrad: the largest v so far in place of v.
    Source: Kingma and Ba, 2015; Reddi et al., 2018.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        *,
        bias_correction: bool = True,
        epsilon_placement: str = "hat",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        own = type(self).__name__
        self.beta_1 = in_range("beta_1", own, beta_1, 0.0, 1.0)
        self.beta_2 = in_range("beta_2", own, beta_2, 0.0, 1.0)
        self.epsilon = in_range("epsilon", own, epsilon, 0.0, float("inf"))
        self.amsgrad = bool(amsgrad)
        self.bias_correction = bool(bias_correction)
        self.epsilon_placement = one_of("epsilon_placement", own, epsilon_placement, ("hat", "outside", "inside"))

    def slot_names(self) -> tuple[str, ...]:
        return ("m", "v", "largest") if self.amsgrad else ("m", "v")

    def update(self, part: Part) -> None:
        slots = part.slots
        kernels(part.values).adam(
            part.values, part.grads, slots["m"], slots["v"], slots.get("largest"), *self._shared(part), self._step,
            *self._limits(), self.beta_1, self.beta_2, self.epsilon, self.epsilon_placement, self.bias_correction,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        own = {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
            "bias_correction": self.bias_correction,
            "epsilon_placement": self.epsilon_placement,
        }
        return {**super().get_config(), **own}


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: w -= learning_rate weight_decay w. Source: Loshchilov and
    Hutter, 2019.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("[AdamW] expected weight_decay as a number, got None")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options)
