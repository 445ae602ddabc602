from __future__ import annotations

from typing import Any

from fastnn.registry import Registry

registry = Registry("schedules")


class LearningRateSchedule:
    """Base class: a learning rate as a function of the number of steps done. Subclasses implement __call__."""

    name: str

    def __call__(self, step: int) -> float:
        raise NotImplementedError(f"[{type(self).__name__}] expected __call__ to be implemented")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, ready for JSON."""
        raise NotImplementedError(f"[{type(self).__name__}] expected get_config() to be implemented")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        return cls(**config)

    def __init_subclass__(cls) -> None:
        registry.add_own(cls)


def positive(name: str, where: str, value: float) -> float:
    """value. Raises ValueError unless it is greater than 0."""
    if not value > 0:
        raise ValueError(f"[{where}] expected {name} > 0, got {value}")
    return value
