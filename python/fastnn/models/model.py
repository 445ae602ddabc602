"""Model: a layer that can be compiled, fitted, evaluated, saved."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastnn.layers.layer import Layer
from fastnn.models.trainer import Trainer
from fastnn.registry import serialize


class Model(Trainer):
    """A layer that can be compiled, fitted, evaluated, saved.

    Model(inputs, outputs) makes one of the calls that lead from symbolic inputs to outputs; a class of one's own
    implements `call`, or takes inputs and outputs too and has a train_step of its own.
    """

    supports_masking = True
    _makes_masks = False

    def __init__(self, *args: Any, **options: Any) -> None:
        from fastnn.models.functional import Functional, functional_class, is_functional_call

        if is_functional_call(args, options):  # Model(inputs, outputs), and so a class of one's own
            self.__class__ = functional_class(type(self))
            Functional.__init__(self, *args, **options)  # type: ignore[arg-type]
        else:
            super().__init__(*args, **options)

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

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Prints layers, output shapes and numbers of parameters, and how they are connected if that is no chain.

        line_length, positions: the width of the table, and where its columns end, as shares of it or in characters; by
        default it is as wide as what it holds. print_fn: called for every line. expand_nested: also the layers inside
        layers. show_trainable: which layers are. layer_range: the first and the last name, or patterns of them.
        """
        from fastnn.models.summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True, zipped: bool | None = None) -> None:
        """Writes configuration, weights and, if compiled, the training state into one safetensors file.

        The suffix may be any, such as .keras or .h5; the file is the same. It is put in place when it is whole.
        zipped is there for Keras's sake and changes nothing. Raises FileExistsError if the file exists and overwrite is
        False.
        """
        from fastnn.models.saving import save_model

        save_model(self, filepath, overwrite)

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Writes the weights alone into a safetensors file, whatever its suffix. Raises as save()."""
        from fastnn.models.saving import save_weights

        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
        """Sets the weights that save_weights() or save() wrote, by name, or by order where names differ.

        skip_mismatch: leave what does not fit as it is. Raises ValueError otherwise.
        """
        from fastnn.models.saving import load_weights

        load_weights(self, filepath, skip_mismatch)

    def to_json(self, **options: Any) -> str:
        """The configuration as JSON, for models.model_from_json(). options: those of json.dumps()."""
        return json.dumps(serialize(self), **options)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The model that get_config() described. custom_objects: classes of one's own by name.

        Raises ValueError for a graph that Keras wrote, whose layers and weights can be carried over one by one.
        """
        if "calls" in config:
            from fastnn.models.functional import functional_from_config

            return functional_from_config(cls, config, custom_objects)
        if "input_layers" in config:
            raise ValueError(f"[{cls.__name__}] expected a graph that fastnn wrote, got one of Keras")
        return cls(**config)

    def __reduce__(self) -> Any:
        from fastnn.models.saving import from_state, own_classes, to_state

        return from_state, (*to_state(self), own_classes(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from fastnn.models.saving import from_state, own_classes, to_state

        return from_state(*to_state(self), own_classes(self))
