"""The steps of a model: recorded and replayed where that gives what Python would, else as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from fastnn.arrays import Array
from fastnn.autograd import constants, recording
from fastnn.masks import set_mask
from fastnn.recording import Recordings
from fastnn.structure import is_ours
from fastnn.training.batches import Batch

if TYPE_CHECKING:
    from fastnn.models.model import Model


class Steps:
    """The steps of a model as it is now; made anew when its structure changes.

    variables: those to train.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.variables = model.trainable_variables
        self._training: Recordings | None = None
        self._testing: Recordings | None = None
        self._predicting: Recordings | None = None
        if model.run_eagerly or not model.built or not model._is_recordable():
            return
        self._predicting = Recordings(lambda x: (model(x, training=False),), lambda: _read(model))
        if is_ours(type(model.loss)) and is_ours(model.compute_loss):
            self._testing = Recordings(model._evaluated, lambda: _read(model))
            if is_ours(type(model.optimizer)) and model.optimizer.recordable:
                self._training = Recordings(model._update, lambda: chain(_read(model), model.optimizer.memory()))

    def train(self, data: Batch) -> Sequence[Any]:
        """Loss and prediction of a batch, after which the weights have moved."""
        recordings = self._training
        if recordings is None or recording():
            return _masked(self._model._update(*data))
        arrays = _given(data)
        step = recordings.find(arrays)
        if step is not None:
            results: Sequence[Any] | None = self._model.optimizer.replay(step, arrays, self.variables)
            if results is not None:
                return _masked(results)
        return _masked(recordings.call(arrays))

    def test(self, data: Batch) -> Sequence[Any]:
        """Loss and prediction of a batch, without training."""
        if self._testing is None or recording():
            return _masked(self._model._evaluated(*data))
        return _masked(self._testing.replay_or_call(_given(data)))

    def predict(self, x: Any) -> Any:
        """The prediction for a batch."""
        if self._predicting is None or recording():
            return self._model(x, training=False)
        return self._predicting.replay_or_call((x,))[0]


def _masked(results: Sequence[Any]) -> Sequence[Any]:
    """Loss and prediction, which gets the mask that comes third, if one does."""
    if len(results) == 3:
        set_mask(results[1], results[2])
    return results[:2]


def _given(data: Batch) -> tuple[Any, ...]:
    """Inputs, targets and, if there are any, weights."""
    return data if data[2] is not None else data[:2]


def _read(model: Model) -> Iterator[Array]:
    """The arrays that a step may read besides its arguments."""
    return chain(model._memory(), constants())
