from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.training.callbacks.callback import Callback


class LambdaCallback(Callback):
    """A callback made of functions, each named as the event it is for; they take what the event's method takes.

    What is named otherwise becomes an attribute.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for event, function in given.items():
            if event.startswith("on_") and not hasattr(Callback, event):
                raise TypeError(f"[LambdaCallback] expected an event of Callback, got {event!r}")
            if function is not None:
                setattr(self, event, function)
