from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.training.callbacks.monitor import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, while it is trained. A file is put in place when it is whole.

    filepath: where to; "{epoch}", "{batch}" and names of figures in it are filled in, as in
    "{epoch:02d}-{val_loss:.2f}.keras". Any suffix will do; missing folders are made.
    save_best_only: only where the monitored figure is better than ever; monitor, mode: see MonitorCallback;
    initial_value_threshold: the first value to beat. save_weights_only: save_weights() in place of save().
    save_freq: "epoch", or a number of batches.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        if save_freq != "epoch" and (
            isinstance(save_freq, bool) or not isinstance(save_freq, (int, np.integer)) or save_freq < 1
        ):
            raise ValueError(f"[ModelCheckpoint] expected save_freq 'epoch' or an integer >= 1, got {save_freq!r}")
        self.filepath = os.fspath(filepath)
        self.verbose, self.save_best_only, self.save_weights_only = verbose, save_best_only, save_weights_only
        self.save_freq: Any = save_freq
        self._epoch = self._batches = 0
        if save_freq != "epoch":  # an attribute of its own, so that nobody is called per batch otherwise
            self.on_train_batch_end = self._count  # type: ignore[method-assign]

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch

    def _count(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._batches += 1
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save(self._epoch, batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def _save(self, epoch: int, batch: int | None, logs: Mapping[str, Any]) -> None:
        if self.save_best_only:
            current = self.monitored(logs)
            if current is not None:
                if not self.improves(current, self.best):
                    self._say(epoch, f"{self.monitor} did not improve from {self.best:.5f}")
                    return
                self.best = current
        path = self._path(epoch, batch, logs)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        self._say(epoch, f"saved to {path}")

    def _path(self, epoch: int, batch: int | None, logs: Mapping[str, Any]) -> str:
        names: dict[str, Any] = {**logs, "epoch": epoch + 1}
        if batch is not None:
            names.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**names)
        except KeyError as error:
            known = ", ".join(names)
            raise KeyError(
                f"[ModelCheckpoint] expected names among {known} in {self.filepath!r}, got {error}"
            ) from None

    def _say(self, epoch: int, text: str) -> None:
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: {text}", flush=True)
