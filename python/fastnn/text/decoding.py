"""What a model that predicts the next token says: the most probable sequence, or one drawn at random.

The model is a function step(tokens, state) -> (log_probs, state). tokens: int64, (k, t), k sequences as far as they are
known, the start token included. log_probs: (k, vocabulary), of what comes next; logits do as well, as they are
normalised here. state: what the function wants back, arrays (k, ...) in any nesting of tuples, lists and dicts, or
None: a recurrent net's state after these tokens, so that it need look at tokens[:, -1] alone. Where sequences are
dropped or doubled, the rows of state are too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import raw
from fastnn.random import SeedGenerator, as_generator

Step = Callable[[Array, Any], tuple[Any, Any]]


def _log_probs(step: Step, tokens: Array, state: Any) -> tuple[Array, Any]:
    found, state = step(tokens, state)
    logits = np.asarray(raw(found), np.float64)
    if logits.ndim != 2 or len(logits) != len(tokens):
        raise ValueError(f"[decoding] expected log_probs ({len(tokens)}, vocabulary) of a step, got {logits.shape}")
    top = np.max(logits, axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return logits - top - np.log(np.sum(np.exp(logits - top), axis=1, keepdims=True)), state


def _rows(state: Any, rows: Array) -> Any:
    """state with these of its rows."""
    if state is None:
        return None
    if isinstance(state, dict):
        return {key: _rows(part, rows) for key, part in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(_rows(part, rows) for part in state)
    return raw(state)[rows]


def beam_search(
    step: Step,
    start: int,
    end: int | None,
    max_length: int,
    width: int = 4,
    length_penalty: float = 0.0,
    state: Any = None,
    rejected: Collection[int] = (),
) -> list[tuple[list[int], float]]:
    """The most probable sequences found when `width` prefixes are kept from step to step, best first.

    start: the token before the first. end: the token after the last, or None where sequences have max_length tokens.
    length_penalty a: sequences are ranked by ln P / length^a, with 0 by their probability; the length counts the end
    token. state: of one sequence, (1, ...). rejected: tokens that never come.
    Returns (tokens, score) of at most `width` sequences, without start and end. With a width of vocabulary^max_length
    nothing is dropped: the search is exhaustive. With 1 it is greedy.
    """
    if width < 1 or max_length < 0:
        raise ValueError(f"[beam_search] expected width >= 1 and max_length >= 0, got {width} and {max_length}")
    tokens, totals = np.array([[start]]), np.zeros(1)
    finished: list[tuple[list[int], float]] = []

    def score(total: float, length: int) -> float:
        return total / float(max(length, 1) ** length_penalty)

    for length in range(1, max_length + 1):
        logs, state = _log_probs(step, tokens, state)
        logs[:, list(rejected)] = -np.inf
        candidates = (totals[:, None] + logs).ravel()
        best = np.argsort(-candidates, kind="stable")[:width]
        best = best[candidates[best] > -np.inf]
        rows, nexts, totals = best // logs.shape[1], best % logs.shape[1], candidates[best]
        over = nexts == end if end is not None else np.zeros(len(best), bool)
        for row, total in zip(rows[over], totals[over], strict=True):
            finished.append((tokens[row, 1:].tolist(), score(float(total), length)))
        rows, nexts, totals = rows[~over], nexts[~over], totals[~over]
        tokens, state = np.column_stack([tokens[rows], nexts]), _rows(state, rows)
        finished = sorted(finished, key=lambda found: -found[1])[:width]
        if not len(tokens) or _no_better(finished, width, totals, length, max_length, length_penalty):
            return finished
    finished += [(row[1:].tolist(), score(float(t), max_length)) for row, t in zip(tokens, totals, strict=True)]
    return sorted(finished, key=lambda found: -found[1])[:width]


def _no_better(
    finished: list[tuple[list[int], float]], width: int, totals: Array, length: int, longest: int, penalty: float
) -> bool:
    """True if no prefix can end up before the worst of `width` finished sequences: ln P only falls, and counts least
    at the greatest length."""
    if len(finished) < width:
        return False
    reach = longest if penalty > 0 else length
    return bool(float(np.max(totals)) / reach**penalty <= finished[-1][1])


def greedy_search(
    step: Step, start: int, end: int | None, max_length: int, state: Any = None, rejected: Collection[int] = ()
) -> list[int]:
    """The sequence of the tokens that are most probable each, without start and end. Arguments as of beam_search."""
    tokens = [start]
    while len(tokens) <= max_length:
        logs, state = _log_probs(step, np.array([tokens]), state)
        logs[:, list(rejected)] = -np.inf
        token = int(np.argmax(logs[0]))
        if not logs[0, token] > -np.inf:
            raise ValueError("[greedy_search] expected a token that may come, got none")
        if token == end:
            break
        tokens.append(token)
    return tokens[1:]


def filtered(
    log_probs: Any,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rejected: Collection[int] = (),
) -> Array:
    """Probabilities to draw from: of log_probs / temperature, over the tokens that are left.

    log_probs: logits or log-probabilities, (vocabulary,). temperature: 0 for the most probable token alone. top_k: so
    many most probable tokens are left. top_p: the fewest most probable tokens that have this probability together.
    rejected: tokens that are never drawn. Returns (vocabulary,), which sums to 1. Raises ValueError for NaN, and if no
    token is left.
    """
    logs = np.array(raw(log_probs), np.float64)
    if temperature < 0 or (top_k is not None and top_k < 1) or (top_p is not None and not 0 < top_p <= 1):
        raise ValueError(
            f"[filtered] expected temperature >= 0, top_k >= 1, 0 < top_p <= 1, got {temperature}, {top_k}, {top_p}"
        )
    logs[list(rejected)] = -np.inf
    if logs.ndim != 1 or not np.max(logs, initial=-np.inf) > -np.inf:
        raise ValueError(f"[filtered] expected log_probs (vocabulary,) with a token that may come, got {logs}")
    order = np.argsort(-logs, kind="stable")
    if temperature == 0:
        top_k, temperature = 1, 1.0
    if top_k is not None:
        logs[order[top_k:]] = -np.inf
    p = np.exp((logs - np.max(logs)) / temperature)
    p /= p.sum()
    if top_p is not None:
        before = np.cumsum(p[order]) - p[order]
        p[order[before >= top_p]] = 0
        p /= p.sum()
    return p


def sample(
    step: Step,
    start: int,
    end: int | None,
    max_length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rejected: Collection[int] = (),
    state: Any = None,
    seed: int | SeedGenerator | None = None,
) -> list[int]:
    """A sequence drawn token by token, without start and end. Arguments as of beam_search and filtered."""
    random = as_generator(seed).numpy()
    tokens = [start]
    while len(tokens) <= max_length:
        logs, state = _log_probs(step, np.array([tokens]), state)
        p = filtered(logs[0], temperature, top_k, top_p, rejected)
        token = int(random.choice(len(p), p=p))
        if token == end:
            break
        tokens.append(token)
    return tokens[1:]


def log_probability(step: Step, start: int, tokens: Collection[int], state: Any = None) -> float:
    """ln P(tokens): the sum of the logarithms of the probability of each token, given those before it."""
    known, total = [start], 0.0
    for token in tokens:
        logs, state = _log_probs(step, np.array([known]), state)
        total += float(logs[0, token])
        known.append(int(token))
    return total
