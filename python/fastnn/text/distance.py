"""How far apart two texts are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def edit_distance(found: Sequence[Any], wanted: Sequence[Any]) -> int:
    """The least number of insertions, deletions and replacements that make `wanted` of `found` (Levenshtein, 1966).

    Strings, or lists of tokens. Divided by the length of `wanted` it is the character or word error rate.
    """
    row = np.arange(len(wanted) + 1)
    for i, one in enumerate(found, 1):
        differs = np.fromiter((one != other for other in wanted), np.int64, len(wanted))
        best = np.concatenate([[i], np.minimum(row[1:] + 1, row[:-1] + differs)])
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(len(best))  # and insertions after it
    return int(row[-1])
