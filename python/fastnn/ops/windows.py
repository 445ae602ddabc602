"""Windows that move over the axes of an image: sizes, strides, padding, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnn.arrays import Shape


class Windows(NamedTuple):
    """Windows along one axis, as the kernels take them (core/windows.hpp).

    Window i of `out` begins at i * step / divisor - before and is size / divisor long.
    """

    out: int
    step: int
    size: int
    divisor: int = 1
    before: int = 0

    def holds(self, length: int) -> bool:
        """Whether one window holds an axis of this length."""
        return self.out == 1 and self.size // self.divisor - self.before >= length


#: The one window over an axis of length 1.
POINT = Windows(1, 1, 1)


def is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def per_axis(value: Any, axes: int) -> tuple[Any, ...]:
    """What is given for each axis; a single number stands for all. Empty where it is neither."""
    if is_whole(value):
        return (value,) * axes
    return tuple(value) if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str) else ()


def whole_numbers(value: Any, axes: int, name: str, where: str, least: int = 1) -> Shape:
    """One integer per axis; a single one stands for all. Raises ValueError for another number of them, or less."""
    given = per_axis(value, axes)
    if len(given) != axes or not all(is_whole(v) and v >= least for v in given):
        raise ValueError(f"[{where}] expected {name} of {axes} integers >= {least}, got {value!r}")
    return tuple(int(v) for v in given)


def paddings(padding: Any, axes: int, where: str, name: str = "padding") -> str | tuple[tuple[int, int], ...]:
    """ "valid", "same", or for each axis how many elements are put before and behind it.

    padding: a name, a number for all sides, or for each axis a number or a pair (before, after).
    """
    if isinstance(padding, str):
        if padding.lower() not in ("valid", "same"):
            raise ValueError(f"[{where}] expected padding 'valid', 'same', a number or pairs, got {padding!r}")
        return padding.lower()
    given = per_axis(padding, axes)
    if len(given) != axes:
        raise ValueError(f"[{where}] expected {name} as a number or one pair for each of {axes} axes, got {padding!r}")
    pairs = []
    for sides in given:
        before, after = whole_numbers(sides, 2, name, where, 0)
        pairs.append((before, after))
    return tuple(pairs)


def same_padding(length: int, size: int, stride: int) -> tuple[int, int]:
    """What to put before and behind an axis to have length / stride windows, rounded up; the odd one behind."""
    missing = max(0, (-(-length // stride) - 1) * stride + size - length)
    return missing // 2, missing - missing // 2


def window_count(length: int | None, size: int, stride: int, padding: str | tuple[int, int], where: str) -> int | None:
    """Windows along an axis, None where its length is not known. padding: a name, or what stands before and behind."""
    if length is None:
        return None
    if isinstance(padding, str):
        padding = same_padding(length, size, stride) if padding == "same" else (0, 0)
    room = length + sum(padding) - size
    if length == 0 or room < 0:
        raise ValueError(f"[{where}] expected windows that fit x with padding, got {size} over {length}")
    return room // stride + 1


def windows_over(
    lengths: Sequence[int], sizes: Shape, strides: Shape, padding: str | tuple[tuple[int, int], ...], where: str
) -> tuple[Windows, ...]:
    """The windows over each axis. Raises ValueError if one is longer than its axis, or would hold padding alone."""
    found = []
    for axis, (length, size, stride) in enumerate(zip(lengths, sizes, strides, strict=True)):
        if isinstance(padding, str):
            before, after = same_padding(length, size, stride) if padding == "same" else (0, 0)
        else:
            before, after = padding[axis]
        count = window_count(length, size, stride, (before, after), where)
        if count is None or max(before, after) >= size:
            raise ValueError(f"[{where}] expected padding less than the windows {sizes}, got {padding}")
        found.append(Windows(count, stride, size, 1, before))
    return tuple(found)


def adaptive_windows(lengths: Sequence[int], outs: Shape, where: str) -> tuple[Windows, ...]:
    """Windows that share each axis out evenly: window i of `out` is [i n / out, (i + 1) n / out), rounded outward."""
    if 0 in lengths:
        raise ValueError(f"[{where}] expected axes of at least 1 element, got {tuple(lengths)}")
    return tuple(Windows(out, n, n, out) for n, out in zip(lengths, outs, strict=True))


def channels_last(data_format: str | None, where: str) -> None:
    """Raises ValueError for any data_format but channels last."""
    if data_format not in (None, "channels_last"):
        raise ValueError(f"[{where}] expected data_format 'channels_last', got {data_format!r}")
