from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn.training.callbacks.callback import Callback


class History(Callback):
    """The figures of every epoch. history: {name: [value per epoch]}, epoch: the epochs' numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self.history, self.epoch = {}, []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
