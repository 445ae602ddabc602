from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastnn.training.callbacks.callback import Callback


class TerminateOnNaN(Callback):
    """Ends training after a step whose loss is NaN or infinite. raise_error: True raises RuntimeError there instead."""

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"[TerminateOnNaN] expected a finite loss, got {loss} at batch {batch}")
        print(f"Batch {batch}: the loss is {loss}, training ends", flush=True)
        self.model.stop_training = True
