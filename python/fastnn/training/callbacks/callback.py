"""Callback: what hears of the progress of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_EVENTS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end",
    "on_predict_begin", "on_predict_end", "on_predict_batch_begin", "on_predict_batch_end",
)  # fmt: skip


class Callback:
    """Base class. Overwrite the events of interest; logs are the figures so far, by name.

    model, params: set before training begins. self.model.stop_training = True ends training after the running step.
    """

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """After the last epoch, also when training was stopped or failed."""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """After an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Before a train step."""

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """After a train step."""

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Before an evaluation or validation."""

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """After an evaluation or validation."""

    def on_test_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Before a test step."""

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """After a test step."""

    def on_predict_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """After a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Before a predict step."""

    def on_predict_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """After a predict step."""


class CallbackList(Callback):
    """Callbacks as one. Those that do not overwrite an event are not called for it, so silent ones cost nothing."""

    def __init__(self, callbacks: Iterable[Callback], model: Any, params: dict[str, Any]) -> None:
        super().__init__()
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"[callbacks] expected Callback objects, got {type(callback).__name__}")
            callback.set_model(model)
            callback.set_params(params)
        for event in _EVENTS:
            listeners = [
                getattr(c, event) for c in self.callbacks if getattr(type(c), event) is not getattr(Callback, event)
            ]
            setattr(self, event, _caller(listeners))


def _caller(listeners: list[Any]) -> Any:
    if not listeners:
        return lambda *_: None
    if len(listeners) == 1:
        return listeners[0]

    def call_all(*args: Any) -> None:
        for listener in listeners:
            listener(*args)

    return call_all
