"""Which dtype a layer computes in, as Keras describes it: by policies, of which there are two here."""

from __future__ import annotations

from typing import Any

from fastnn.arrays import float_dtype


class DTypePolicy:
    """The dtype that a layer computes in and that its weights have: "float32" or "float64"; floatx() if None."""

    def __init__(self, name: str | None = None) -> None:
        self._name = float_dtype(name, "DTypePolicy").name

    @property
    def name(self) -> str:
        return self._name

    @property
    def compute_dtype(self) -> str:
        return self._name

    @property
    def variable_dtype(self) -> str:
        return self._name

    def get_config(self) -> dict[str, Any]:
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'
