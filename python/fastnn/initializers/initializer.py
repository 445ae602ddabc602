from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.arrays import Array, DTypeLike
from fastnn.registry import Registry

registry = Registry("initializers")


class Initializer:
    """Base class: subclasses implement __call__ and get_config."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
        raise NotImplementedError(f"[{type(self).__name__}] expected __call__ to be implemented")

    def get_config(self) -> dict[str, Any]:
        return {}

    def clone(self) -> Initializer:
        """Another one of the same configuration."""
        return self.from_config(self.get_config())

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**config)

    def __init_subclass__(cls) -> None:
        registry.add_own(cls)
