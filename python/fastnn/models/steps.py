"""The steps of a model: recorded and replayed where that gives what Python would, else as they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from numpy import concatenate, ndarray

from fastnn.arrays import Array
from fastnn.autograd import constants, recording
from fastnn.masks import set_mask
from fastnn.models.slabs import Slabs
from fastnn.recording import Recordings
from fastnn.structure import is_ours
from fastnn.training.batches import leaves

if TYPE_CHECKING:
    from fastnn.backend import RecordedStep
    from fastnn.models.trainer import Trainer


class Recorded:
    """A function of nested arrays, recorded for each nesting that comes.

    A recording knows arrays one after the other: they are taken out of their lists, tuples and dicts, and put back.
    replay: how a recording is run; None where it could not be. phase: what decides which kernels the next call makes,
    besides the arrays.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        memory: Callable[[], Iterable[Array]],
        replay: Callable[[RecordedStep, tuple[Any, ...]], Sequence[Any] | None] | None = None,
        phase: Callable[[], Any] | None = None,
    ) -> None:
        self._function, self._memory, self._replay, self._phase = function, memory, replay, phase
        self._by_form: dict[Any, tuple[Recordings, list[Any]]] = {}

    def __call__(self, *given: Any) -> Any:
        arrays: list[Any] = []
        form = _taken(given, arrays)
        key = form if self._phase is None else (form, self._phase())
        known = self._by_form.get(key)
        recordings, results = self._begun(key, form) if known is None else known
        flat = self._run(recordings, tuple(arrays))
        made = results[0]
        if made == _PLAIN:
            return flat[0], [], flat[1], []
        return flat[0] if made == 0 else _filled(made, iter(flat))

    def _run(self, recordings: Recordings, arrays: tuple[Any, ...]) -> Sequence[Any]:
        if self._replay is None:
            return recordings.replay_or_call(arrays)
        step = recordings.find(arrays)
        results = None if step is None else self._replay(step, arrays)
        return recordings.call(arrays) if results is None else results

    def _begun(self, key: Any, form: Any) -> tuple[Recordings, list[Any]]:
        """Recordings for another nesting, and where that of their results will stand."""
        results: list[Any] = []
        run = self._function  # not self, which would hold itself

        def function(*arrays: Any) -> tuple[Any, ...]:
            flat: list[Any] = []
            results[:] = [_taken(run(*_filled(form, iter(arrays))), flat)]
            return tuple(flat)

        begun = self._by_form[key] = (Recordings(function, self._memory), results)
        return begun

    @property
    def _steps(self) -> list[RecordedStep]:
        """All recordings there are."""
        return [step for recordings, _ in self._by_form.values() for step in recordings._steps]


class Steps:
    """The steps of a model as it is now; made anew when its structure changes.

    variables: those to train. Recordings are None where all steps run in Python.
    """

    def __init__(self, model: Trainer) -> None:
        self._model = model
        self.variables = variables = model.trainable_variables
        self._training: Recorded | None = None
        self._testing: Recorded | None = None
        self._predicting: Recorded | None = None
        if model.run_eagerly or not model.built or not model._is_recordable():
            return
        self._predicting = Recorded(lambda x: model(x, training=False), lambda: _read(model))
        self._slabs = Slabs(model)
        if model._objective.recordable and is_ours(model.compute_loss):
            self._testing = Recorded(model._evaluated, lambda: _read(model))
            if is_ours(type(model.optimizer)):
                self._training = Recorded(
                    model._update,
                    lambda: chain(_read(model), model.optimizer.memory()),
                    lambda step, arrays: model.optimizer.replay(step, arrays, variables),
                    model.optimizer.phase if model.optimizer.has_phases else None,
                )

    def train(self, x: Any, y: Any, sample_weight: Any) -> Any:
        """The loss, those of single outputs, and the prediction of a batch, after which the weights have moved."""
        run = self._training
        with self._model._one_step:
            return _masked((self._model._update if run is None or recording() else run)(x, y, sample_weight))

    def test(self, x: Any, y: Any, sample_weight: Any) -> Any:
        """The loss, those of single outputs, and the prediction of a batch, without training."""
        run = self._testing
        with self._model._one_step:
            return _masked((self._model._evaluated if run is None or recording() else run)(x, y, sample_weight))

    def predict(self, x: Any) -> Any:
        """The prediction for a batch."""
        if self._predicting is None or recording():
            return self._model(x, training=False)
        if type(x) is ndarray and x.ndim > 2:
            size = self._slabs.samples(len(x))
            if size < len(x):
                return concatenate([self._predicting(x[i : i + size]) for i in range(0, len(x), size)])
        return self._predicting(x)


def _masked(results: Any) -> Any:
    """(loss, those of single outputs, prediction), the last with the masks that come fourth."""
    loss, parts, y_pred, masks = results
    if masks:
        for output, mask in zip(leaves(y_pred), masks, strict=True):
            set_mask(output, mask)
    return loss, parts, y_pred


#: The form of what a step of one output returns: a loss, no others, a prediction, no masks.
_PLAIN = (tuple, 0, (list,), 0, (list,))


def _taken(data: Any, arrays: list[Any]) -> Any:
    """Takes the arrays out of their nesting, which is returned, in a form that can be a key."""
    kind = type(data)
    if kind is ndarray:
        arrays.append(data)
        return 0
    if data is None:
        return None
    if kind is tuple or kind is list or isinstance(data, (tuple, list)):
        return (type(data), *[_taken(part, arrays) for part in data])
    if isinstance(data, Mapping):
        return (dict, *[(key, _taken(part, arrays)) for key, part in data.items()])
    arrays.append(data)
    return 0


def _filled(form: Any, arrays: Iterator[Any]) -> Any:
    """The nesting that _taken() returned, with arrays in it."""
    if form == 0:
        return next(arrays)
    if form is None:
        return None
    if form[0] is dict:
        return {key: _filled(part, arrays) for key, part in form[1:]}
    return form[0]([_filled(part, arrays) for part in form[1:]])


def _read(model: Trainer) -> Iterator[Array]:
    """The arrays that a step may read besides its arguments."""
    return chain(model._memory(), constants())
