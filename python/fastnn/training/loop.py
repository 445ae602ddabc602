"""The training loop, over anything that can do a step."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from fastnn.training.batches import Batch
from fastnn.training.callbacks.callback import CallbackList
from fastnn.training.epochs import Epochs
from fastnn.training.interrupts import Interrupts

Logs = dict[str, Any]


class Trainable(Protocol):
    """What the loops need of a model.

    _step_function(training, figures): a function of a batch that does a step and returns the figures so far; it may
    leave them out if nobody listens, figures being False. _epoch_figures(logs): those of an epoch whose last step
    returned logs.
    """

    stop_training: bool
    stop_evaluating: bool
    _initial_epoch: int | None  # what a callback wants fit() to begin with

    def _step_function(self, training: bool, figures: bool) -> Callable[[Batch], Logs | None]: ...

    def _epoch_figures(self, logs: Logs | None) -> Logs: ...

    def reset_metrics(self) -> None: ...

    def _finish_training(self) -> None: ...


def fit(
    model: Trainable,
    data: Epochs,
    callbacks: CallbackList,
    epochs: int,
    initial_epoch: int,
    validate: Callable[[], Logs] | None,
    validation_freq: int | Collection[int],
) -> None:
    """Runs epochs of train steps, validating after those that validation_freq names.

    Ctrl-C raises KeyboardInterrupt after the running step. on_train_end is heard whatever ends training.
    """
    model.stop_training, model._initial_epoch = False, None
    logs: Logs = {}
    with Interrupts() as interrupts:
        callbacks.on_train_begin({})
        initial_epoch = initial_epoch if model._initial_epoch is None else model._initial_epoch
        try:
            for epoch in range(initial_epoch, epochs):
                model.reset_metrics()
                callbacks.on_epoch_begin(epoch, {})
                found = _train_epoch(model, data, callbacks, interrupts)
                if found is None:  # the data have ended
                    break
                logs = dict(found)
                if validate is not None and _due(epoch, validation_freq):
                    logs.update({f"val_{name}": value for name, value in validate().items()})
                callbacks.on_epoch_end(epoch, logs)
                if model.stop_training:
                    break
            if epochs > initial_epoch:
                model._finish_training()
        finally:
            callbacks.on_train_end(logs)


def _train_epoch(model: Trainable, data: Epochs, callbacks: CallbackList, interrupts: Interrupts) -> Logs | None:
    """The figures of an epoch; None if it had no batch."""
    heard = callbacks.hears("on_train_batch_begin") or callbacks.hears("on_train_batch_end")
    step = model._step_function(True, heard)
    begin, end, check = callbacks.on_train_batch_begin, callbacks.on_train_batch_end, interrupts.check
    logs: Logs | None = None
    number = -1
    try:
        for number, batch in enumerate(data):
            if heard:
                begin(number, logs or {})
            interrupts.busy = True
            logs = step(batch)
            interrupts.busy = False
            if interrupts.asked:
                check()
            if heard:
                end(number, logs)
                if model.stop_training:
                    break
    finally:
        interrupts.busy = False
    if number < 0:
        data.warn(0)
        return None
    data.on_epoch_end()
    return model._epoch_figures(logs)


def _due(epoch: int, validation_freq: int | Collection[int]) -> bool:
    if not isinstance(validation_freq, Collection):
        return (epoch + 1) % validation_freq == 0
    return epoch + 1 in validation_freq


def evaluate(model: Trainable, data: Epochs, callbacks: CallbackList) -> Logs:
    """Figures over all batches, without training."""
    heard = callbacks.hears("on_test_batch_begin") or callbacks.hears("on_test_batch_end")
    step = model._step_function(False, heard)
    model.reset_metrics()
    model.stop_evaluating = False
    callbacks.on_test_begin({})
    logs: Logs | None = None
    for number, batch in enumerate(data):
        callbacks.on_test_batch_begin(number, logs or {})
        logs = step(batch)
        callbacks.on_test_batch_end(number, logs)
        if model.stop_evaluating:
            break
    data.on_epoch_end()
    figures = model._epoch_figures(logs)
    callbacks.on_test_end(figures)
    return figures
