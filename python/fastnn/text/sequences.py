"""Batches of sequences of different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> Array:
    """Sequences of different lengths in one array, the short ones filled up, the long ones cut.

    sequences: arrays or lists, (t, ...) each, of one shape but for t. maxlen: the length they get, the longest's if
    None. padding, truncating: "pre" or "post", where they are filled up and cut. value: what they are filled with.
    Returns (len(sequences), maxlen, ...). Raises ValueError for sequences that do not go together.
    """
    for name, where in (("padding", padding), ("truncating", truncating)):
        if where not in ("pre", "post"):
            raise ValueError(f"[pad_sequences] expected {name} 'pre' or 'post', got {where!r}")
    try:
        arrays = [np.asarray(sequence, dtype) for sequence in sequences]
    except TypeError as error:
        raise ValueError(f"[pad_sequences] expected sequences of numbers: {error}") from None
    inner = {array.shape[1:] for array in arrays if len(array)}
    if len(inner) > 1 or any(array.ndim == 0 for array in arrays):
        raise ValueError(f"[pad_sequences] expected steps of one shape, got {sorted(inner)}")
    length = max((len(array) for array in arrays), default=0) if maxlen is None else maxlen
    padded = np.full((len(arrays), length, *(inner.pop() if inner else ())), value, dtype)
    for row, array in zip(padded, arrays, strict=True):
        kept = array[max(len(array) - length, 0) :] if truncating == "pre" else array[:length]
        if len(kept):
            row[length - len(kept) if padding == "pre" else 0 :][: len(kept)] = kept
    return padded


def teacher_forcing(targets: Any, start: int) -> tuple[Array, Array]:
    """(inputs, targets) of a decoder that is told the true token before: `start` and all targets but the last.

    targets: integers, (n, t). Source: Williams and Zipser, 1989.
    """
    wanted = np.asarray(targets)
    if wanted.ndim != 2:
        raise ValueError(f"[teacher_forcing] expected targets (n, t), got {wanted.shape}")
    given = np.empty_like(wanted)
    given[:, :1], given[:, 1:] = start, wanted[:, :-1]
    return given, wanted
