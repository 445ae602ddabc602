"""Model: a layer that can be compiled, fitted, evaluated, saved."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from fastnn.layers.layer import Layer
from fastnn.models.summary import print_summary
from fastnn.models.trainer import Trainer


class Model(Trainer):
    """Base class of models. Subclasses implement `call`."""

    supports_masking = True
    _makes_masks = False

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: an output has the mask that the layers inside have given it."""
        return None

    # ---- looking and saving ----------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside this model."""
        self._track_containers()
        return list(self._sublayers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or position. Raises ValueError if there is none."""
        if (name is None) == (index is None):
            raise ValueError(f"[get_layer] expected either name or index, got {name!r} and {index!r}")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"[get_layer] expected an index below {len(self.layers)}, got {index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"[get_layer] expected one of {[layer.name for layer in self.layers]}, got {name!r}")

    def summary(self, line_length: int | None = None, print_fn: Callable[[str], Any] | None = None) -> None:
        """Prints layers, output shapes and numbers of parameters."""
        print_summary(self, line_length, print_fn or print)

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Writes configuration, weights and, if compiled, the training state into one safetensors file.

        The file is put in place when it is whole. Raises FileExistsError if it exists and overwrite is False.
        """
        from fastnn.models.saving import save_model

        save_model(self, filepath, overwrite)

    def __reduce__(self) -> Any:
        from fastnn.models.saving import from_state, own_classes, to_state

        return from_state, (*to_state(self), own_classes(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from fastnn.models.saving import from_state, own_classes, to_state

        return from_state(*to_state(self), own_classes(self))
