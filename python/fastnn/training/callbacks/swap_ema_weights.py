from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn.arrays import Array
from fastnn.training.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Evaluates with the moving averages of the weights, which an optimizer with use_ema=True keeps.

    They take the weights' place before an evaluation or a prediction, and the weights come back after it.
    swap_on_epoch: also between epochs, so that callbacks behind this one, such as ModelCheckpoint, see the averages.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = bool(swap_on_epoch)
        self._weights: list[Array] | None = None  # while the averages stand in their place

    def _put_averages(self) -> None:
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            raise ValueError("[SwapEMAWeights] expected an optimizer with use_ema=True, got one without")
        if self._weights is None:
            self._weights = [variable.numpy() for variable in self.model.trainable_variables]
            optimizer.finalize_variable_values(self.model.trainable_variables)

    def _put_back(self) -> None:
        if self._weights is not None:
            for variable, weights in zip(self.model.trainable_variables, self._weights, strict=True):
                variable.assign(weights)
        self._weights = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._put_back()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self.swap_on_epoch:
            self._put_averages()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._weights = None  # the averages are there to stay

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._put_averages()

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._put_back()

    def on_predict_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._put_averages()

    def on_predict_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._put_back()
