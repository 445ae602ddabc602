"""Settings of optimizers: what all of them take, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np


class Options(TypedDict, total=False):
    """What every optimizer takes besides its own settings; see Optimizer."""

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


def in_range(name: str, where: str, value: float, low: float, high: float) -> float:
    """value as a float. Raises ValueError unless low <= value < high."""
    if not low <= value < high:
        raise ValueError(f"[{where}] expected {name} in [{low:g}, {high:g}), got {value}")
    return float(value)


def optional_in_range(name: str, where: str, value: float | None, low: float, high: float) -> float | None:
    """in_range(), or None as it is."""
    return None if value is None else in_range(name, where, value, low, high)


def one_of(name: str, where: str, value: str, known: Sequence[str]) -> str:
    """value. Raises ValueError unless it is among the known."""
    if value not in known:
        raise ValueError(f"[{where}] expected {name} {' or '.join(map(repr, known))}, got {value!r}")
    return value


def at_least(name: str, where: str, value: int | None, least: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"[{where}] expected {name} to be None or an integer >= {least}, got {value!r}")
    return int(value)
