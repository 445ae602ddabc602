"""A layer around another."""

from __future__ import annotations

from typing import Any

from fastnn.arrays import PartialShape
from fastnn.layers.layer import Layer, registry
from fastnn.registry import serialize


class Wrapper(Layer):
    """Base class of layers that hold another, `layer`. One of your own implements call(), and uses self.layer in it."""

    def __init__(self, layer: Any, **options: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"[{type(self).__name__}] expected a layer, got {type(layer).__name__}")
        super().__init__(**options)
        self.layer = layer

    def build(self, input_shape: PartialShape) -> None:
        self.layer._build_once(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        return cls(registry.deserialize(config.pop("layer"), custom_objects), **config)
