"""Numbers of an optimizer that are read like numbers, and can be used like Keras's variables too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import raw


class Rate(float):
    """A learning rate. assign() sets the optimizer's."""

    _set: Callable[[Any], None]

    def assign(self, value: Any) -> None:
        self._set(float(np.asarray(raw(value)).item()))

    def numpy(self) -> Array:
        return np.asarray(float(self), np.float32)

    @property
    def value(self) -> Array:
        return self.numpy()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies are plain numbers."""
        return float, (float(self),)


class Count(int):
    """A number of steps. assign() sets the optimizer's."""

    _set: Callable[[Any], None]

    def assign(self, value: Any) -> None:
        self._set(int(np.asarray(raw(value)).item()))

    def numpy(self) -> Array:
        return np.asarray(int(self), np.int64)

    @property
    def value(self) -> Array:
        return self.numpy()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies are plain numbers."""
        return int, (int(self),)


def rate(value: float, set_to: Callable[[Any], None]) -> Rate:
    made = Rate(value)
    made._set = set_to
    return made


def count(value: int, set_to: Callable[[Any], None]) -> Count:
    made = Count(value)
    made._set = set_to
    return made
