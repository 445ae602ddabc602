from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.backend import kernels
from fastnn.optimizers.optimizer import LearningRate, Optimizer
from fastnn.optimizers.plan import Part
from fastnn.optimizers.settings import Options, in_range

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SGD(Optimizer):
    """Gradient descent: w -= learning_rate g; with momentum v = momentum v - learning_rate g, w += v.

    nesterov: w += momentum v - learning_rate g instead. dampening: momentum takes in (1 - dampening) g; with
    dampening = momentum, v is -learning_rate times the moving average of g.
    Source: Sutskever et al., 2013.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        dampening: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, **options)
        if not 0 <= momentum <= 1:
            raise ValueError(f"[SGD] expected momentum in [0, 1], got {momentum}")
        self.momentum = float(momentum)
        self.nesterov = bool(nesterov)
        self.dampening = in_range("dampening", "SGD", dampening, 0.0, 1.0)
        if dampening and not momentum:
            raise ValueError(f"[SGD] expected dampening with momentum > 0 only, got {dampening}")

    def slot_names(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def update(self, part: Part) -> None:
        kernels(part.values).sgd(
            part.values, part.grads, part.slots.get("velocity"), *self._shared(part), *self._limits(),
            self.momentum, self.dampening, self.nesterov,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        own = {"momentum": self.momentum, "nesterov": self.nesterov, "dampening": self.dampening}
        return {**super().get_config(), **own}
