"""Many combinations of settings, of those that fit, with nearly every pair of values among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product
from random import Random
from typing import Any


def covering_sample(
    factors: Mapping[str, Sequence[Any]], fits: Callable[..., bool] = lambda **row: True, *, count: int, seed: int = 0
) -> list[dict[str, Any]]:
    """`count` rows {factor: value} that fit, with as many pairs of values of different factors as can be found.

    fits(**row): whether a row may be taken. Rows are drawn at random, thirty at a time, of which the one with the most
    new pairs is kept.
    """
    draw = Random(seed)
    rows: list[dict[str, Any]] = []
    known: set[Any] = set()

    def pairs(row: dict[str, Any]) -> set[Any]:
        return set(combinations(((name, str(value)) for name, value in row.items()), 2))

    while len(rows) < count:
        drawn = [{name: draw.choice(values) for name, values in factors.items()} for _ in range(30)]
        best = max((row for row in drawn if fits(**row)), key=lambda row: len(pairs(row) - known), default=None)
        if best is not None:
            known |= pairs(best)
            rows.append(best)
    return rows


def missing_pairs(
    factors: Mapping[str, Sequence[Any]], rows: Sequence[Mapping[str, Any]]
) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    """Pairs ((factor, value), (factor, value)), values as text, that no row has."""
    tagged = {name: [(name, str(value)) for value in values] for name, values in factors.items()}
    every = {pair for a, b in combinations(factors, 2) for pair in product(tagged[a], tagged[b])}
    return every - {pair for row in rows for pair in combinations([(name, str(row[name])) for name in factors], 2)}
