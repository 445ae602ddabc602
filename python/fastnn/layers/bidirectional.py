"""A recurrent layer in both directions."""

from __future__ import annotations

from typing import Any

from fastnn import ops
from fastnn.arrays import PartialShape
from fastnn.layers.layer import Layer, registry
from fastnn.registry import serialize

_WANTED = ("go_backwards", "return_sequences", "return_state", "stateful")
_MERGES = ("sum", "mul", "concat", "ave", None)


class Bidirectional(Layer):
    """Runs a recurrent layer over a sequence forwards, a second one backwards, and joins their outputs step by step.

    layer: an RNN, LSTM, GRU ..., or any layer with go_backwards, return_sequences, return_state and stateful; a copy of
        it with fresh weights is used, and another that goes backwards.
    merge_mode: "concat", "sum", "mul", "ave", or None for both outputs. weights: what get_weights() of another gave.
    backward_layer: what goes backwards in place of the copy.
    x: (n, t, ...). Returns the joined output, and with return_state the states of both behind it. initial_state: those
    of the first, then those of the second layer. mask: (n, t). With return_sequences the outputs of masked steps are 0.
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        for name, given in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(given, Layer) and not (given is None and name == "backward_layer"):
                raise ValueError(f"[Bidirectional] expected {name} to be a layer, got {type(given).__name__}")
            missing = [] if given is None else [wanted for wanted in _WANTED if not hasattr(given, wanted)]
            if missing:
                raise ValueError(
                    f"[Bidirectional] expected {name} to be recurrent, with {', '.join(_WANTED)}, got "
                    f"{type(given).__name__} without {missing[0]}"
                )
        if merge_mode not in _MERGES:
            raise ValueError(f"[Bidirectional] expected merge_mode one of {_MERGES}, got {merge_mode!r}")
        super().__init__(**kwargs)
        self.forward_layer: Any = _copy(layer, "forward")
        self.backward_layer: Any = backward_layer or _copy(layer, "backward", go_backwards=True)
        if self.forward_layer.go_backwards == self.backward_layer.go_backwards:
            raise ValueError(
                "[Bidirectional] expected layers with different go_backwards, got "
                f"{self.forward_layer.go_backwards} for both"
            )
        for name in ("stateful", "return_sequences", "return_state"):
            first, second = getattr(self.forward_layer, name), getattr(self.backward_layer, name)
            if first != second:
                raise ValueError(f"[Bidirectional] expected layers with one {name}, got {first} and {second}")
        for inner in (self.forward_layer, self.backward_layer):
            if hasattr(inner, "zero_output_for_mask"):
                inner.zero_output_for_mask = inner.return_sequences
        self.merge_mode = merge_mode
        self.stateful = self.forward_layer.stateful
        self.return_sequences, self.return_state = self.forward_layer.return_sequences, self.forward_layer.return_state
        self.input_spec = layer.input_spec
        self._first_weights = None if weights is None else list(weights)

    def build(self, sequences_shape: PartialShape, initial_state_shape: Any = None) -> None:
        self.forward_layer._build_once(sequences_shape)
        self.backward_layer._build_once(sequences_shape)
        if self._first_weights is not None:
            self.set_weights(self._first_weights)
            self._first_weights = None

    def compute_output_shape(self, sequences_shape: PartialShape, initial_state_shape: Any = None) -> Any:
        shape, states = self.forward_layer.compute_output_shape(sequences_shape), ()
        if self.return_state:
            shape, *states = shape
        if self.merge_mode == "concat":
            shape = (*shape[:-1], 2 * shape[-1])
        outputs = (shape, shape) if self.merge_mode is None else (shape,)
        return (*outputs, *states, *states) if len(outputs) > 1 or self.return_state else shape

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        mask = previous_mask if self.return_sequences else None
        outputs = 2 if self.merge_mode is None else 1
        states = 2 * len(self.forward_layer.state_size) if self.return_state else 0
        return [*[mask] * outputs, *[None] * states] if outputs + states > 1 else mask

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        first = second = None
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = list(initial_state[:half]), list(initial_state[half:])
        options = {} if mask is None else {"mask": mask}
        y = self._run(self.forward_layer, sequences, first, training, options)
        back = self._run(self.backward_layer, sequences, second, training, options)
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*y[1:], *back[1:])
            y, back = y[0], back[0]
        if self.return_sequences:
            back = back[:, ::-1]
        merged = self._merged(y, back)
        if self.merge_mode is None:
            return (*merged, *states)
        return (merged, *states) if self.return_state else merged

    def _run(self, layer: Any, x: Any, state: Any, training: bool, options: dict[str, Any]) -> Any:
        if state is not None:
            options = {**options, "initial_state": state}
        return layer(x, training=training, **options)

    def _merged(self, y: Any, back: Any) -> Any:
        if self.merge_mode == "concat":
            return ops.concatenate([y, back], axis=-1)
        if self.merge_mode == "sum":
            return ops.add(y, back)
        if self.merge_mode == "ave":
            return ops.multiply(ops.add(y, back), 0.5)
        if self.merge_mode == "mul":
            return ops.multiply(y, back)
        return y, back

    @property
    def states(self) -> Any:
        """Of a stateful layer: where the next batch begins, both ways."""
        first, second = self.forward_layer.states, self.backward_layer.states
        return None if first is None else (*first, *second)

    def reset_state(self) -> None:
        """A stateful layer begins the next batch with zeros."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": serialize(self.forward_layer),
            "backward_layer": serialize(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        layer = registry.deserialize(config.pop("layer"), custom_objects)
        back = registry.deserialize(config.pop("backward_layer"), custom_objects)
        return cls(layer, backward_layer=back, **config)


def _copy(layer: Any, way: str, **changes: Any) -> Any:
    """A layer with the same configuration, fresh weights and a name that says which way it goes."""
    config = {**layer.get_config(), **changes, "name": f"{way}_{layer.name.removeprefix(way + '_')}"}
    custom = {type(layer).__name__: type(layer)}
    cell = getattr(layer, "cell", None)
    for inner in (cell, *getattr(cell, "cells", ())):
        custom[type(inner).__name__] = type(inner)
    return registry.deserialize({"class_name": type(layer).__name__, "config": config}, custom)
