"""Numbers of an optimizer that are read like numbers, and can be used like Keras's variables too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import raw


class _Settable:
    """A number of the type _kind. assign() sets the optimizer's; numpy() gives it as an array."""

    _kind: Any
    _dtype: Any
    _set: Callable[[Any], None]

    @classmethod
    def of(cls, value: float, set_to: Callable[[Any], None]) -> Any:
        """value, whose assign() calls set_to."""
        made = cls._kind.__new__(cls, value)
        made._set = set_to
        return made

    def assign(self, value: Any) -> None:
        self._set(self._kind(np.asarray(raw(value)).item()))

    def numpy(self) -> Array:
        return np.asarray(self._kind(self), self._dtype)

    @property
    def value(self) -> Array:
        return self.numpy()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies are plain numbers."""
        return self._kind, (self._kind(self),)


class Rate(_Settable, float):
    """A learning rate."""

    _kind, _dtype = float, np.float32


class Count(_Settable, int):
    """A number of steps."""

    _kind, _dtype = int, np.int64
