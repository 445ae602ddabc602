"""Callback: what hears of the progress of training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_EVENTS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end",
    "on_predict_begin", "on_predict_end", "on_predict_batch_begin", "on_predict_batch_end",
)  # fmt: skip

#: Keras's other names of two events; a callback may overwrite either.
_ALIASES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class Callback:
    """Base class. Overwrite the events of interest; logs are the figures so far, by name.

    model, params: set before training begins. self.model.stop_training = True ends training after the running step,
    stop_evaluating and stop_predicting end those.
    """

    model: Any = None
    params: Any = None
    #: Events that are overwritten but not wanted now.
    ignored: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.model = None
        self.params = None

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: Any) -> None:
        self.params = params

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """After the last epoch, also when training was stopped, interrupted, or failed."""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """After an epoch and its validation."""

    def on_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """on_train_batch_begin by another name."""

    def on_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """on_train_batch_end by another name."""

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Before a train step."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """After a train step."""
        self.on_batch_end(batch, logs=logs)

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
    """Callbacks as one. Those that do not overwrite an event are not called for it, so silent ones cost nothing.

    callbacks: a Callback or several, in any nesting of lists. add_history, add_progbar: whether a History, a
    ProgbarLogger joins where none is among them. model, params: what every callback is told of.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        from fastnn.training.callbacks.history import History
        from fastnn.training.callbacks.progress import ProgbarLogger

        self.callbacks = list(flat(callbacks))
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.insert(0, ProgbarLogger())
        if add_history and not any(isinstance(c, History) for c in self.callbacks):
            self.callbacks.append(History())  # hears last, so that what others add to the logs is kept
        if model is not None:
            self.set_model(model)
        self.set_params(params)
        self._listen()

    def set_model(self, model: Any) -> None:
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: Any) -> None:
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def append(self, callback: Callback) -> None:
        self.callbacks.append(next(flat(callback)))
        self._listen()

    def without(self, kind: type[Callback]) -> CallbackList:
        """The same but for callbacks of that class, which are told nothing anew."""
        others = CallbackList([c for c in self.callbacks if not isinstance(c, kind)])
        others.model, others.params = self.model, self.params
        return others

    def hears(self, event: str) -> bool:
        """Whether any callback overwrites the event."""
        return any(_overwrites(callback, event) for callback in self.callbacks)

    def _listen(self) -> None:
        for event in _EVENTS:
            listeners = [getattr(c, event) for c in self.callbacks if _overwrites(c, event)]
            setattr(self, event, _to_the_last(listeners) if event == "on_train_end" else _caller(listeners))


def flat(callbacks: Any) -> Iterator[Callback]:
    """One callback or several, in any nesting of lists. Raises TypeError for what is none."""
    if callbacks is None:
        return
    if isinstance(callbacks, CallbackList):
        yield from callbacks.callbacks
    elif isinstance(callbacks, Callback):
        yield callbacks
    elif isinstance(callbacks, Iterable) and not isinstance(callbacks, (str, bytes, Mapping)):
        for part in callbacks:
            yield from flat(part)
    else:
        raise TypeError(f"[callbacks] expected Callback objects, got {type(callbacks).__name__}")


def _overwrites(callback: Callback, event: str) -> bool:
    """Whether a callback does something at an event, by its class or by an attribute of its own."""
    if event in callback.ignored:
        return False
    return _defines(callback, event) or (event in _ALIASES and _defines(callback, _ALIASES[event]))


def _defines(callback: Callback, name: str) -> bool:
    return name in callback.__dict__ or getattr(type(callback), name) is not getattr(Callback, name)


def _caller(listeners: list[Any]) -> Any:
    if not listeners:
        return lambda *_, **__: None
    if len(listeners) == 1:
        return listeners[0]

    def call_all(*args: Any, **options: Any) -> None:
        for listener in listeners:
            listener(*args, **options)

    return call_all


def _to_the_last(listeners: list[Any]) -> Any:
    """Calls all of them also where one raises, and raises what the first one did: the end of training is heard."""

    def call_all(*args: Any, **options: Any) -> None:
        failed: BaseException | None = None
        for listener in listeners:
            try:
                listener(*args, **options)
            except BaseException as error:
                failed = failed or error
        if failed is not None:
            raise failed

    return call_all
