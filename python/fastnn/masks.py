"""Masks: which steps of a batch of sequences count. True where one does.

A NumPy array cannot carry an attribute, so masks lie in a table beside the arrays and Tensors they belong to, by
identity, and leave it with them. They come from Embedding(mask_zero=True), Masking, or set_mask(); layers hand them on.
"""

from __future__ import annotations

from typing import Any
from weakref import ReferenceType, ref

import numpy as np

from fastnn.arrays import Array

#: By id() of what has a mask: a reference that takes the entry away with it, and the mask. Empty as a rule, which is
#: all that a program without masks has to ask.
table: dict[int, tuple[ReferenceType[Any], Array]] = {}


def mask_of(x: Any) -> Array | None:
    """The mask of an array or Tensor, None if it has none."""
    entry = table.get(id(x))
    return None if entry is None else entry[1]


def masks_of(x: Any) -> Any:
    """The mask of x; for a list or tuple one of masks, None where there is none; None if there are none at all."""
    if not isinstance(x, (list, tuple)):
        return mask_of(x)
    found = [masks_of(part) for part in x] if isinstance(x, list) else tuple(masks_of(part) for part in x)
    return found if any(mask is not None for mask in found) else None


def set_mask(x: Any, mask: Any) -> None:
    """Gives x, an array or a Tensor, a mask in place of the one it may have; None for no mask."""
    key = id(x)
    if mask is None:
        table.pop(key, None)
    else:
        table[key] = (ref(x, lambda _: table.pop(key, None)), np.asarray(mask, bool))


def masked(x: Any, mask: Any) -> Any:
    """x with this mask; of an array a view, so that the caller's own array stays without it."""
    if mask is None or mask_of(x) is mask:
        return x
    x = x[...] if isinstance(x, np.ndarray) else x
    set_mask(x, mask)
    return x
