"""Recorded steps: a function of arrays that runs once in Python and from then on without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from numpy import ndarray

from fastnn.arrays import Array
from fastnn.backend import RecordedStep

#: A recording holds its intermediate arrays. Beyond so many bytes they stay with the pool, and the time that a
#: recording saves does not count.
MOST_BYTES = 64 << 20

#: Shapes of batches that one function is recorded for.
MOST_KINDS = 4

#: Shapes of batches that are remembered to have come once.
MOST_SEEN = 64


class Recordings:
    """The recordings of one function, one for each kind of arguments: shapes and dtypes.

    function: dense arrays -> a tuple of new arrays, through kernels alone, from its arguments and the arrays of
    `memory`, which stay where they are. What else it does in Python a replay does not do.
    """

    def __init__(self, function: Callable[..., Sequence[Any]], memory: Callable[[], Iterable[Array]]) -> None:
        self._function, self._memory = function, memory
        self._steps: list[RecordedStep] = []
        self._seen: set[Any] = set()
        self._refused: set[Any] = set()

    def find(self, arrays: tuple[Any, ...]) -> RecordedStep | None:
        """The recording for such arrays, if there is one."""
        for step in self._steps:
            if step.matches(arrays):
                return step
        return None

    def replay_or_call(self, arrays: tuple[Any, ...]) -> Sequence[Any]:
        """The results, from a recording if there is one that can run now."""
        for step in self._steps:
            results: Sequence[Any] | None = step.run(arrays)
            if results is not None:
                return results
        return self.call(arrays)

    def call(self, arrays: tuple[Any, ...]) -> Sequence[Any]:
        """function(*arrays), recorded where such arrays come for the second time."""
        for array in arrays:
            if type(array) is not ndarray:
                return self._function(*arrays)
        kind = tuple([(a.shape, a.dtype, a.flags.c_contiguous) for a in arrays])
        if kind not in self._seen or kind in self._refused:
            if len(self._seen) >= MOST_SEEN:
                self._seen.clear()
            self._seen.add(kind)
            return self._function(*arrays)
        step = RecordedStep(arrays, list(self._memory()))
        results: Sequence[Any] = step.record(lambda: tuple(self._function(*arrays)))
        if step.usable and step.bytes <= MOST_BYTES:
            self._steps = [step, *self._steps[: MOST_KINDS - 1]]
        else:
            self._refused.add(kind)
        return results
