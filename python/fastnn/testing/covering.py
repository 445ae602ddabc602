"""Few combinations of settings in which every pair of values occurs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any


def covering(**levels: Sequence[Any]) -> list[dict[str, Any]]:
    """Settings such that any two values of any two of them meet at least once.

    levels: the values of each setting, by name. Two settings with 3 and 4 values need 12 combinations, and ten of them
    hardly more; most faults depend on one setting or on two. No chance in it: the same levels give the same list.
    """
    names = list(levels)
    missing = {
        (a, i, b, j)
        for a, b in combinations(range(len(names)), 2)
        for i, j in product(range(len(levels[names[a]])), range(len(levels[names[b]])))
    }
    found = []
    while missing:
        row: dict[int, int] = {}
        a, i, b, j = min(missing)
        row[a], row[b] = i, j
        for k in range(len(names)):
            if k not in row:
                row[k] = max(
                    range(len(levels[names[k]])),
                    key=lambda v: (sum(_pair(k, v, other, at) in missing for other, at in row.items()), -v),
                )
        missing -= {_pair(k, row[k], other, row[other]) for k, other in combinations(sorted(row), 2)}
        found.append({name: levels[name][row[k]] for k, name in enumerate(names)})
    return found


def _pair(a: int, i: int, b: int, j: int) -> tuple[int, int, int, int]:
    return (a, i, b, j) if a < b else (b, j, a, i)
