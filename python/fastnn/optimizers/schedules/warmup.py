from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn.optimizers.schedules.schedule import LearningRateSchedule, registry
from fastnn.registry import serialize


class LinearWarmup(LearningRateSchedule):
    """Rises in a line from `start` over warmup_steps to what `after` begins with, which goes on from there.

    after: a number, or a schedule whose own step 0 is the end of the rise.
    """

    def __init__(
        self,
        after: float | LearningRateSchedule | Mapping[str, Any],
        warmup_steps: int,
        start: float = 0.0,
        name: str = "LinearWarmup",
    ) -> None:
        if warmup_steps < 0:
            raise ValueError(f"[{name}] expected warmup_steps >= 0, got {warmup_steps}")
        self.after: float | LearningRateSchedule = registry.deserialize(after) if isinstance(after, Mapping) else after
        self.warmup_steps, self.start, self.name = warmup_steps, start, name

    def _after(self, step: int) -> float:
        return float(self.after(step) if callable(self.after) else self.after)

    def __call__(self, step: int) -> float:
        if step >= self.warmup_steps:
            return self._after(step - self.warmup_steps)
        return self.start + (self._after(0) - self.start) * step / self.warmup_steps

    def get_config(self) -> dict[str, Any]:
        after = serialize(self.after) if callable(self.after) else self.after
        return {"after": after, "warmup_steps": self.warmup_steps, "start": self.start, "name": self.name}
