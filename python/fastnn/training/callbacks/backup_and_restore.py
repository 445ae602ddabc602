from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.io import safetensors
from fastnn.training.callbacks.callback import Callback

#: Ends of the names of the files: the weights; the optimizer's state, with the epoch that is reached.
_WEIGHTS, _STATE = ".weights.safetensors", ".optimizer.safetensors"


class BackupAndRestore(Callback):
    """Keeps what training needs to go on after it was interrupted: fit() called again goes on with the next epoch.

    backup_dir: a folder for weights, the optimizer's state and the number of the epoch. save_freq: "epoch", or a number
    of batches. double_checkpoint: also keeps the state before, which is taken where the last cannot be read.
    delete_checkpoint: whether the folder goes when training ends by itself.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError(f"[BackupAndRestore] expected backup_dir, got {backup_dir!r}")
        whole = isinstance(save_freq, (int, np.integer)) and not isinstance(save_freq, bool) and save_freq >= 1
        if save_freq != "epoch" and not whole:
            raise ValueError(f"[BackupAndRestore] expected save_freq 'epoch' or an integer >= 1, got {save_freq!r}")
        self.backup_dir, self.save_freq = os.fspath(backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = bool(double_checkpoint), bool(delete_checkpoint)
        self._epoch = self._batches = 0
        self._error: BaseException | None = None
        if save_freq != "epoch":  # an attribute of its own, so that nobody is called per batch otherwise
            self.on_train_batch_end = self._count  # type: ignore[method-assign]

    def _path(self, name: str) -> Path:
        return Path(self.backup_dir, name)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._error, self._batches = sys.exc_info()[1], 0  # fit() may be called where an error is handled
        try:
            self._restore("latest")
        except (OSError, ValueError):
            if not self._path("previous" + _STATE).exists():
                raise
            self._restore("previous")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch, self._batches = epoch + 1, 0
        if self.save_freq == "epoch":
            self._save()

    def _count(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._batches += 1
        if self._batches % int(self.save_freq) == 0:
            self._save()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        if self.delete_checkpoint and sys.exc_info()[1] is self._error:
            shutil.rmtree(self.backup_dir, ignore_errors=True)

    def _save(self) -> None:
        Path(self.backup_dir).mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self._path("latest" + _STATE).exists():
            for suffix in (_WEIGHTS, _STATE):
                shutil.copyfile(self._path("latest" + suffix), self._path("previous" + suffix))
        optimizer = self.model.optimizer
        self.model.save_weights(self._path("latest" + _WEIGHTS), overwrite=True)
        planned = optimizer.get_config()["learning_rate"]
        rate = planned if isinstance(planned, float) else None
        reached = {"epoch": self._epoch, "learning_rate": rate}
        safetensors.write(self._path("latest" + _STATE), optimizer.state(), reached)

    def _restore(self, name: str) -> None:
        """Nothing if there is nothing to restore. Raises ValueError for files that are not whole."""
        if not self._path(name + _STATE).exists():
            return
        state, found = safetensors.read(self._path(name + _STATE))
        self.model.load_weights(self._path(name + _WEIGHTS))
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        optimizer.set_state(state)
        if found["learning_rate"] is not None:
            optimizer.learning_rate = found["learning_rate"]
        self.model._initial_epoch = self._epoch = found["epoch"]
