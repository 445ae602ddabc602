"""Callbacks that set the learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import numpy as np

from fastnn.training.callbacks.callback import Callback
from fastnn.training.callbacks.monitor import MonitorCallback


class LearningRateScheduler(Callback):
    """Sets the learning rate when an epoch begins.

    schedule: (epoch, learning rate so far) -> learning rate, or (epoch) -> learning rate. The rate goes into the logs
    as "learning_rate".
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        rate = self.schedule(*(epoch, optimizer.learning_rate)[: _most_positional(self.schedule)])
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(f"[LearningRateScheduler] expected schedule() to return a float, got {rate!r}")
        optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: learning rate {float(rate):g}", flush=True)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _most_positional(function: Callable[..., Any]) -> int:
    """How many positional arguments a function takes, 2 at most."""
    try:
        parameters = signature(function).parameters.values()
    except (ValueError, TypeError):  # a builtin that does not say
        return 2
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    return min(2, sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters))


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate with `factor` when a figure has not improved for `patience` epochs.

    monitor, mode, min_delta: see MonitorCallback. cooldown: epochs after that in which nothing is counted. min_lr: the
    least rate. The rate goes into the logs as "learning_rate".
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, None, min_delta)
        if not 0 <= factor < 1:
            raise ValueError(f"[ReduceLROnPlateau] expected factor in [0, 1), got {factor}")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self.best, self.wait, self.cooldown_counter = None, 0, 0

    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        current = self.monitored(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best, self.wait = current, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        optimizer = self.model.optimizer
        if optimizer.learning_rate > self.min_lr:
            optimizer.learning_rate = max(optimizer.learning_rate * self.factor, self.min_lr)
            self.cooldown_counter, self.wait = self.cooldown, 0
            if self.verbose > 0:
                print(f"Epoch {epoch + 1}: learning rate reduced to {optimizer.learning_rate:g}", flush=True)
