"""The training loop, over anything that can do a step."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from fastnn.training.batches import Batch, Batches
from fastnn.training.callbacks.callback import CallbackList

Logs = dict[str, float]


class Trainable(Protocol):
    """What the loops need of a model. Steps return the running figures of the epoch."""

    stop_training: bool

    def train_step(self, data: Batch) -> Logs: ...

    def test_step(self, data: Batch) -> Logs: ...

    def reset_metrics(self) -> None: ...

    def finish_training(self) -> None: ...


def fit(
    model: Trainable,
    batches: Batches,
    callbacks: CallbackList,
    epochs: int,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validate: Callable[[], Logs] | None,
    validation_freq: int | Collection[int],
) -> None:
    """Runs epochs of train steps, validating after those that validation_freq names."""
    model.stop_training = False
    callbacks.on_train_begin()
    logs: Logs = {}
    try:
        for epoch in range(initial_epoch, epochs):
            model.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            logs = dict(_train_epoch(model, batches, callbacks, steps_per_epoch))
            if validate is not None and _due(epoch, validation_freq):
                logs.update({f"val_{name}": value for name, value in validate().items()})
            callbacks.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        if epochs > initial_epoch:
            model.finish_training()
    finally:
        callbacks.on_train_end(logs)


def _train_epoch(model: Trainable, batches: Batches, callbacks: CallbackList, steps: int | None) -> Logs:
    logs: Logs = {}
    for step, batch in enumerate(batches):
        if steps is not None and step >= steps:
            break
        callbacks.on_train_batch_begin(step)
        logs = model.train_step(batch)
        callbacks.on_train_batch_end(step, logs)
        if model.stop_training:
            break
    return logs


def _due(epoch: int, validation_freq: int | Collection[int]) -> bool:
    if not isinstance(validation_freq, Collection):
        return (epoch + 1) % validation_freq == 0
    return epoch + 1 in validation_freq


def evaluate(model: Trainable, batches: Batches, callbacks: CallbackList, steps: int | None) -> Logs:
    """Figures over all batches, without training."""
    model.reset_metrics()
    callbacks.on_test_begin()
    logs: Logs = {}
    for step, batch in enumerate(batches):
        if steps is not None and step >= steps:
            break
        callbacks.on_test_batch_begin(step)
        logs = model.test_step(batch)
        callbacks.on_test_batch_end(step, logs)
    callbacks.on_test_end(logs)
    return logs
