"""Connectionist temporal classification: the loss, and what a network's output is read as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import cast, floats, kernels
from fastnn.ops.softmax import log_softmax

_INT64 = np.dtype(np.int64)


@primitive
def _loss(logits: Any, labels: Any, label_lengths: Any, logit_lengths: Any, *, blank: int) -> Any:
    logits = floats(logits)
    run = kernels(logits)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, ...]:
        return run.ctc_backward(logits, labels, label_lengths, logit_lengths, blank, dy), None, None, None

    return run.ctc(logits, labels, label_lengths, logit_lengths, blank), pullback


@composite
def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """CTC loss: -ln of the sum of the probabilities of all ways to stretch the target over the steps of the output.

    target: integers, (n, l). output: logits, (n, t, classes). target_length, output_length: integers, (n,), how many of
    them count. mask_index: the class that stands for no label. A way repeats labels, and puts blanks before, between
    and after them; a blank has to stand between two equal labels. Returns (n,); infinity, with a gradient of 0, where
    the steps are too few. Raises ValueError for labels and lengths out of range.
    Source: Graves et al., 2006.
    """
    labels, *lengths = (cast(np.asarray(raw(x)), _INT64) for x in (target, target_length, output_length))
    return _loss(output, labels, *lengths, blank=int(mask_index))


def ctc_collapse(path: Sequence[Any], blank: Any) -> list[Any]:
    """What a path stands for: repeated elements once, then without the blanks. "__aa_ab" is "aab"."""
    return [one for one, before in zip(path, [blank, *path], strict=False) if one != blank and one != before]


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[Array, Array]:
    """The labels that logits are read as.

    inputs: logits, (n, t, classes). sequence_lengths: integers, (n,). strategy: "greedy" for the most probable class of
    each step, collapsed; "beam_search" for the most probable labels, with `beam_width` prefixes kept from step to step.
    merge_repeated: for "greedy"; False to leave repeated classes as they are.
    Returns (labels, scores): labels int64, (top_paths, n, t), -1 beyond their end; scores of "greedy" are the negative
    sums of the largest logits, (n, 1), those of "beam_search" the log-probabilities, (n, top_paths). Raises ValueError
    for lengths and classes out of range.
    Source: Graves et al., 2006; Hannun et al., 2014, algorithm 1.
    """
    logits = floats(raw(inputs))
    lengths = np.asarray(raw(sequence_lengths)).astype(int)
    if logits.ndim != 3 or lengths.shape != logits.shape[:1]:
        got = f"{logits.shape} and {lengths.shape}"
        raise ValueError(f"[ctc_decode] expected inputs (n, t, classes) and lengths (n,), got {got}")
    if np.any(lengths < 0) or np.any(lengths > logits.shape[1]):
        raise ValueError(f"[ctc_decode] expected lengths in [0, {logits.shape[1]}], got {lengths}")
    if not 0 <= mask_index < logits.shape[2]:
        raise ValueError(f"[ctc_decode] expected mask_index in [0, {logits.shape[2]}), got {mask_index}")
    if strategy == "greedy":
        return _greedy(logits, lengths, merge_repeated, mask_index)
    if strategy != "beam_search":
        raise ValueError(f"[ctc_decode] expected strategy 'greedy' or 'beam_search', got {strategy!r}")
    if not merge_repeated or not 0 < top_paths <= beam_width:
        raise ValueError("[ctc_decode] expected merge_repeated, and top_paths in [1, beam_width], for 'beam_search'")
    logs = np.asarray(log_softmax(logits), np.float64)
    labels = np.full((top_paths, *logits.shape[:2]), -1)
    scores = np.full((len(logits), top_paths), -np.inf)
    for i, length in enumerate(lengths):
        for path, (prefix, score) in enumerate(_prefixes(logs[i, :length], beam_width, mask_index)[:top_paths]):
            labels[path, i, : len(prefix)] = prefix
            scores[i, path] = score
    return labels, scores.astype(logits.dtype)


def _greedy(logits: Array, lengths: Array, merge_repeated: bool, blank: int) -> tuple[Array, Array]:
    labels = np.full((1, *logits.shape[:2]), -1)
    best, largest = np.argmax(logits, -1), np.max(logits, -1)
    for i, length in enumerate(lengths):
        path = best[i, :length].tolist()
        found = ctc_collapse(path, blank) if merge_repeated else [one for one in path if one != blank]
        labels[0, i, : len(found)] = found
    counted = np.arange(logits.shape[1]) < lengths[:, None]
    return labels, -np.sum(largest, axis=1, keepdims=True, where=counted)


def _prefixes(logs: Array, width: int, blank: int) -> list[tuple[tuple[int, ...], float]]:
    """The most probable prefixes and their log-probabilities, best first.

    For each prefix the log-probability of the ways that end in a blank, and of those that end in its last label.
    """
    never = -np.inf
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, never)}
    for step in logs:
        grown: dict[tuple[int, ...], tuple[float, float]] = {}

        def add(prefix: tuple[int, ...], to_blank: float, to_label: float) -> None:
            blank_log, label_log = grown.get(prefix, (never, never))  # noqa: B023 (used in this step alone)
            grown[prefix] = float(np.logaddexp(blank_log, to_blank)), float(np.logaddexp(label_log, to_label))  # noqa: B023

        for prefix, (in_blank, in_label) in beams.items():
            total = float(np.logaddexp(in_blank, in_label))
            add(prefix, total + step[blank], in_label + step[prefix[-1]] if prefix else never)
            for label in range(len(step)):
                if label != blank:
                    repeated = bool(prefix) and label == prefix[-1]
                    add((*prefix, label), never, (in_blank if repeated else total) + step[label])
        best = sorted(grown.items(), key=lambda item: -float(np.logaddexp(*item[1])))
        beams = dict(best[:width])
    return [(prefix, float(np.logaddexp(*parts))) for prefix, parts in beams.items()]
