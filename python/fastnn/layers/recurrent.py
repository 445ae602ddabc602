"""Recurrent layers: a cell, which makes one step, and RNN, which takes sequences through it step by step.

Notation of the course: a^<t> is the hidden state after step t, which is also the cell's output, x^<t> the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastnn import activations, backend, constraints, initializers, ops, regularizers
from fastnn.activations import FUSED
from fastnn.arrays import Array, PartialShape
from fastnn.autograd import Variable, raw, recording
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.layer import Layer, registry
from fastnn.random import SeedGenerator
from fastnn.registry import serialize


class Cell(Layer):
    """What SimpleRNNCell, LSTMCell and GRUCell share: their weights and settings.

    kernel: (i, gates u), recurrent_kernel: (u, gates u), bias: (gates u,). dropout, recurrent_dropout: rates at which
    elements of x and of the state are set to 0 while training, the same ones in every step of a sequence and for every
    gate (Gal and Ghahramani, 2016), where Keras's LSTM and GRU with recurrent_dropout draw one mask for each gate.
    """

    _gates = 1
    #: Beside those of every cell: settings that get_config() names.
    _settings: tuple[str, ...] = ()
    _sequence: Any

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        options.pop("implementation", None)  # of Keras: there is one
        super().__init__(**options)
        name = type(self).__name__
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units <= 0:
            raise ValueError(f"[{name}] expected units to be a positive integer, got {units!r}")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = min(1.0, max(0.0, float(dropout)))
        self.recurrent_dropout = min(1.0, max(0.0, float(recurrent_dropout)))
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.output_size = self.units
        self.state_size: Any = self.units
        self._drops: dict[str, Any] = {}

    def build(self, input_shape: PartialShape) -> None:
        features = input_shape[-1] if input_shape else None
        if features is None:
            raise ValueError(f"[{self.name}] expected an input whose last axis has a known length, got {input_shape}")
        columns = self._gates * self.units
        self.kernel = self.add_weight(
            (features, columns),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            (self.units, columns),
            self.recurrent_initializer,
            name="recurrent_kernel",
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self._add_bias()

    def _add_bias(self) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                self._bias_shape(),
                self._first_bias,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def _bias_shape(self) -> tuple[int, ...]:
        return (self._gates * self.units,)

    def _first_bias(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return self.bias_initializer(shape, dtype)

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros, (batch_size, u), one for each state."""
        return [backend.full((batch_size or 0, self.units), 0.0, self._dtype)]

    def _reals(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        """A step's input and its states, one or several, in this layer's dtype."""
        listed = states if isinstance(states, (list, tuple)) else [states]
        return self._real(inputs), [self._real(state) for state in listed]

    # ---- dropout: what is dropped is drawn once for a sequence ------------------------------------------------

    def reset_dropout_mask(self) -> None:
        """What is dropped is drawn anew by the next call. RNN says so at the beginning of each sequence."""
        self._drops.clear()

    reset_recurrent_dropout_mask = reset_dropout_mask

    def _drop_input(self, x: Any) -> Any:
        """One step's x, (n, i), with elements dropped."""
        factors = self._drop("input", self.dropout, x.shape)
        return x if factors is None else ops.multiply(x, factors)

    def _drop_state(self, n: int) -> Any:
        """What the state is multiplied with on its way to the gates, (n, u), or None."""
        return self._drop("state", self.recurrent_dropout, (n, self.units))

    def _drop(self, what: str, rate: float, shape: tuple[int, ...]) -> Any:
        if not 0 < rate < 1:
            return None
        if what not in self._drops:
            ones = backend.full(shape, 1.0, self._dtype)
            self._drops[what] = ops.dropout(ones, rate, seed=self.seed_generator)
        return self._drops[what]

    # ---- configuration ---------------------------------------------------------------------------------------

    def _one_step(self, x: Any, states: Any, weights: Any) -> Any:
        """The states after a step from x, (n, i), where all are arrays and no tape is recording."""
        return self._sequence(x[:, None], states, weights, sequences=False)

    def get_config(self) -> dict[str, Any]:
        names = (
            "units", "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer",
            "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "kernel_constraint",
            "recurrent_constraint", "bias_constraint", "dropout", "recurrent_dropout", "seed", *self._settings,
        )  # fmt: skip
        config = {name: getattr(self, name) for name in names}
        return {
            **super().get_config(),
            "activation": activations.serialize(self.activation),
            **{
                name: value if isinstance(value, (bool, int, float)) else _serialized(value)
                for name, value in config.items()
            },
        }


def _serialized(value: Any) -> Any:
    """A function of fastnn.activations by its name, anything else as registries do."""
    return activations.serialize(value) if value in FUSED else serialize(value)


class RNN(Layer):
    """Takes sequences through a cell: y^<t>, state^<t> = cell(x^<t>, state^<t-1>).

    cell: a layer, or any object, with `state_size` (one number or several), perhaps `output_size` and
        `get_initial_state(batch_size)`, and call(x, states) -> (output, states); or a list of cells to be stacked.
    return_sequences: the outputs of all steps, in the order of the steps, in place of the last one.
    return_state: the last states behind the output. go_backwards: from the last step to the first.
    stateful: a batch begins with the states of the one before, until reset_state().
    unroll: accepted; steps are always taken one by one.
    zero_output_for_mask: zeros where a step is masked, in place of the output before.
    x: (n, t, ...), any t. Returns (n, t, ...) or (n, ...), and the states. initial_state: one array for each state.
    mask: (n, t); where it is False states and output stay as they are. Before the first step that counts the output is
    the initial state, or zeros for cells of one's own.
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        if not hasattr(cell, "call"):
            raise ValueError(f"[RNN] expected a cell with a method call(), got {type(cell).__name__}")
        if not hasattr(cell, "state_size"):
            raise ValueError(f"[RNN] expected a cell with state_size, got {type(cell).__name__} without it")
        self.cell = cell
        self.return_sequences, self.return_state = bool(return_sequences), bool(return_state)
        self.go_backwards, self.stateful, self.unroll = bool(go_backwards), bool(stateful), bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.state_size = _sizes(cell.state_size)
        self._states: list[Variable] | None = None

    # ---- shapes ----------------------------------------------------------------------------------------------

    def build(self, sequences_shape: PartialShape, initial_state_shape: Any = None) -> None:
        if len(sequences_shape) < 3:
            raise ValueError(f"[{self.name}] expected sequences (n, t, ...), got {tuple(sequences_shape)}")
        if isinstance(self.cell, Layer):
            self.cell._build_once((sequences_shape[0], *sequences_shape[2:]))

    def compute_output_shape(self, sequences_shape: PartialShape, initial_state_shape: Any = None) -> Any:
        n, t = sequences_shape[:2]
        output = (n, *_lengths(self._output_size()))
        if self.return_sequences:
            output = (n, t, *output[1:])
        if not self.return_state:
            return output
        return output, *_map(lambda size: (n, *_lengths(size)), self.state_size)

    def _output_size(self) -> Any:
        found = getattr(self.cell, "output_size", None)
        return self.state_size[0] if found is None else found

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        mask = _mask_of_sequences(previous_mask) if self.return_sequences else None
        return [mask, *(None for _ in self.state_size)] if self.return_state else mask

    # ---- states ----------------------------------------------------------------------------------------------

    @property
    def states(self) -> list[Variable] | None:
        """Of a stateful layer: where the next batch begins."""
        return self._states

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Zeros, or what the cell says."""
        if hasattr(self.cell, "get_initial_state"):
            found = self.cell.get_initial_state(batch_size=batch_size)
            return list(found) if isinstance(found, (list, tuple)) else [found]
        return [backend.full((batch_size, *_lengths(s)), 0.0, self._dtype) for s in self.state_size]

    def reset_state(self) -> None:
        """A stateful layer begins the next batch with zeros."""
        for variable in self._states or []:
            variable.assign(np.zeros(variable.shape))

    reset_states = reset_state

    def _first_states(self, n: int, given: Any) -> list[Any]:
        if given is not None:
            given = _listed(given) if isinstance(given, (list, tuple)) else [given]
            if len(given) != len(self.state_size):
                raise ValueError(
                    f"[{self.name}] expected initial_state of {len(self.state_size)} arrays, got {len(given)}"
                )
            if any(not getattr(state, "ndim", 0) for state in _leaves(given)):
                raise TypeError(f"[{self.name}] expected initial_state of arrays, got lists of numbers")
            return _map(lambda state: self._real(self._cast(state)), given)  # type: ignore[no-any-return]
        if not self.stateful:
            return self.get_initial_state(n)
        if self._states is None:
            self._states = [_state_variable(state) for state in _leaves(self.get_initial_state(n))]
        held = self._states[0].shape[0]
        if n != held:
            raise ValueError(
                f"[{self.name}] expected a batch of {held}, as the states of a stateful layer have, got {n}"
            )
        values = iter([variable._value for variable in self._states])
        return _map(lambda _: next(values), self.state_size)  # type: ignore[no-any-return]

    def _keep_states(self, states: Any) -> None:
        for variable, state in zip(self._states or [], _leaves(states), strict=True):
            value = raw(state)
            backend.kernels(value).assign(value, variable._value)

    def _kept_arrays(self) -> Iterator[Array]:
        for variable in self._states or []:
            yield variable._value

    # ---- calling ---------------------------------------------------------------------------------------------

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        mask = self._mask_of_steps(mask, *sequences.shape[:2])
        states = self._first_states(sequences.shape[0], initial_state)
        output, states = self._run(sequences, states, mask, training)
        if self.stateful:
            if self._states is None:  # the first states were given
                self._states = [_state_variable(state) for state in _leaves(states)]
            self._keep_states(states)
        return (output, *states) if self.return_state else output

    def _mask_of_steps(self, given: Any, n: int, t: int) -> Array | None:
        """The mask as booleans (n, t)."""
        given = _mask_of_sequences(given)
        if given is None:
            return None
        mask = np.asarray(raw(given), bool)
        mask = mask[..., 0] if mask.shape == (n, t, 1) else mask
        if mask.shape != (n, t):
            raise ValueError(f"[{self.name}] expected a mask of shape ({n}, {t}), got {mask.shape}")
        return mask

    def _run(self, x: Any, states: list[Any], mask: Array | None, training: bool) -> tuple[Any, list[Any]]:
        """The output and the last states, one step after the other."""
        _reset_dropout(self.cell)
        n, t = x.shape[:2]
        if mask is not None:  # what a masked step holds, NaN perhaps, is not to reach sums of gradients
            x = _where(mask, x, ops.zeros((), x.dtype))
        output: Any = None
        outputs = []
        for at in range(t)[::-1] if self.go_backwards else range(t):
            new_output, new_states = self._step(x[:, at], states, training)
            if mask is None:
                output, states = new_output, new_states
            else:
                if self.zero_output_for_mask or (output is None and not self._gives_its_state()):
                    output = backend.full(new_output.shape, 0.0, self._dtype)
                elif output is None:
                    output = _leaves(states[-1] if isinstance(self.cell, StackedRNNCells) else states)[0]
                output = _where(mask[:, at], new_output, output)
                states = _where(mask[:, at], new_states, states)
            outputs.append(output)
        _reset_dropout(self.cell)
        if not outputs:
            shape = (n, *_lengths(self._output_size()))
            shape = (n, 0, *shape[1:]) if self.return_sequences else shape
            return backend.full(shape, 0.0, self._dtype), states
        return (ops.stack(outputs, axis=1) if self.return_sequences else output), states

    def _gives_its_state(self) -> bool:
        """Whether the first state (of the last cell) is the output of the step before."""
        cell = self.cell.cells[-1] if isinstance(self.cell, StackedRNNCells) else self.cell
        return isinstance(cell, Cell)

    def _step(self, x: Any, states: list[Any], training: bool) -> tuple[Any, list[Any]]:
        return _call_cell(self.cell, x, states, training)

    def step(self, x: Any, state: Any = None) -> tuple[Any, list[Any]]:
        """One step, for loops that make their own next input: output, state = layer.step(x, state).

        x: (n, ...). state: what the step before returned; None at the beginning. Not training.
        """
        x = self._cast(x)
        if not self.built:
            self._build_once((None, None, *x.shape[1:]))
        return self._step(x, self.get_initial_state(x.shape[0]) if state is None else list(state), False)

    # ---- configuration ---------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        names = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
        config = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **config, "cell": serialize(self.cell)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        return cls(registry.deserialize(config.pop("cell"), custom_objects), **config)


class StackedRNNCells(Layer):
    """Cells one upon the other: the output of each is the input of the next. Its state is the list of their states.

    cells: a list of cells.
    """

    def __init__(self, cells: Sequence[Any], **options: Any) -> None:
        super().__init__(**options)
        for cell in cells:
            if not hasattr(cell, "call") or not hasattr(cell, "state_size"):
                raise ValueError(
                    f"[StackedRNNCells] expected cells with call() and state_size, got {type(cell).__name__}"
                )
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        last = self.cells[-1]
        found = getattr(last, "output_size", None)
        return _sizes(last.state_size)[0] if found is None else found

    def build(self, input_shape: PartialShape) -> None:
        for cell in self.cells:
            if isinstance(cell, Layer):
                cell._build_once(input_shape)
            found = getattr(cell, "output_size", None)
            input_shape = (input_shape[0], *_lengths(_sizes(cell.state_size)[0] if found is None else found))

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        states = []
        for cell in self.cells:
            if hasattr(cell, "get_initial_state"):
                states.append(cell.get_initial_state(batch_size=batch_size))
            else:
                n = batch_size or 0
                states.append([backend.full((n, *_lengths(s)), 0.0, self._dtype) for s in _sizes(cell.state_size)])
        return states

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        new_states = []
        for cell, state in zip(self.cells, states, strict=True):
            many = isinstance(state, (list, tuple))
            inputs, new = _call_cell(cell, inputs, list(state) if many else [state], training)
            new_states.append(new if many else new[0])
        return inputs, new_states

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [serialize(cell) for cell in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        return cls([registry.deserialize(cell, custom_objects) for cell in config.pop("cells")], **config)


def _of_cell(name: str) -> Any:
    return property(lambda self: getattr(self.cell, name), doc=f"The cell's {name}.")


class FusedRNN(RNN):
    """RNN over one of fastnn's cells, whose whole sequence is one call of a kernel where its activations have one."""

    cell: Any

    def __init__(self, cell: Cell, use_cudnn: Any = "auto", **options: Any) -> None:
        if use_cudnn not in ("auto", True, False):
            raise ValueError(f"[{type(self).__name__}] expected use_cudnn 'auto', True or False, got {use_cudnn!r}")
        super().__init__(cell, **options)
        self.input_spec = InputSpec(ndim=3)

    units, activation, use_bias = _of_cell("units"), _of_cell("activation"), _of_cell("use_bias")
    kernel_initializer, recurrent_initializer = _of_cell("kernel_initializer"), _of_cell("recurrent_initializer")
    bias_initializer = _of_cell("bias_initializer")
    kernel_regularizer, recurrent_regularizer = _of_cell("kernel_regularizer"), _of_cell("recurrent_regularizer")
    bias_regularizer = _of_cell("bias_regularizer")
    kernel_constraint, recurrent_constraint = _of_cell("kernel_constraint"), _of_cell("recurrent_constraint")
    bias_constraint = _of_cell("bias_constraint")
    dropout, recurrent_dropout = _of_cell("dropout"), _of_cell("recurrent_dropout")

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        return super().call(sequences, initial_state, mask, training)

    def _run(self, x: Any, states: list[Any], mask: Array | None, training: bool) -> tuple[Any, list[Any]]:
        cell = self.cell
        if x.ndim != 3:
            raise ValueError(f"[{self.name}] expected an input with 3 axes (n, t, i), got {x.shape}")
        zero_masked = self.zero_output_for_mask and mask is not None
        if not cell._is_fused() or (zero_masked and not self.return_sequences):
            return super()._run(x, states, mask, training)
        x = self._real(x)
        drop = None
        if training:
            if 0 < cell.dropout < 1:
                shape = (x.shape[0], 1, x.shape[2])
                x = ops.dropout(x, cell.dropout, noise_shape=shape, seed=cell.seed_generator)
            cell.reset_dropout_mask()
            drop = cell._drop_state(x.shape[0])
            cell.reset_dropout_mask()
        try:
            outputs = cell._sequence(
                x,
                states,
                mask=mask,
                drop=drop,
                reverse=self.go_backwards,
                zero_masked=zero_masked,
                sequences=self.return_sequences,
            )
        except ValueError as error:
            raise ValueError(f"[{self.name}] {error}") from None
        return outputs[0], list(outputs[1:] if self.return_sequences else outputs)

    def _step(self, x: Any, states: list[Any], training: bool) -> tuple[Any, list[Any]]:
        return self.cell(x, states, training=training)  # type: ignore[no-any-return]

    def step(self, x: Any, state: Any = None) -> tuple[Any, list[Any]]:
        cell = self.cell
        plain = type(x) is np.ndarray and x.ndim == 2 and x.dtype is self._dtype
        if not plain or state is None or recording() or not cell._is_fused():
            return super().step(x, state)
        # Past the layer and the tape, which cost more than the kernel: h, [h, c] of arrays alone.
        weights = cell.kernel._value, cell.recurrent_kernel._value, None if cell.bias is None else cell.bias._value
        found = cell._one_step(x, state, weights)
        return found[0], list(found)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        cell = config.pop("cell")["config"]
        return {**{name: value for name, value in cell.items() if name not in config}, **config}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)


# ---- cells of any kind, nestings of states --------------------------------------------------------------------


def _call_cell(cell: Any, x: Any, states: list[Any], training: bool) -> tuple[Any, list[Any]]:
    """Output and states of one step of a cell, a layer or not."""
    run = cell if callable(cell) else cell.call
    takes_training = isinstance(cell, Layer) and cell._takes_training
    output, new = run(x, states, training=training) if takes_training else run(x, states)
    return output, list(new) if isinstance(new, (list, tuple)) else [new]


def _mask_of_sequences(given: Any) -> Any:
    """Of the masks of all inputs, that of the sequences; rows of booleans are one mask."""
    if isinstance(given, (list, tuple)):
        return given[0] if given and (given[0] is None or hasattr(given[0], "dtype")) else np.asarray(given)
    return given


def _state_variable(state: Any) -> Variable:
    return Variable(np.asarray(raw(state)), trainable=False, name="rnn_state")


def _reset_dropout(cell: Any) -> None:
    if hasattr(cell, "reset_dropout_mask"):
        cell.reset_dropout_mask()
    for inner in getattr(cell, "cells", ()):
        _reset_dropout(inner)


def _where(valid: Array, new: Any, old: Any) -> Any:
    """new where a sequence's step counts, else old; both arrays or nested lists of them."""
    if isinstance(new, (list, tuple)):
        return [_where(valid, a, b) for a, b in zip(new, old, strict=True)]
    return ops.where(valid[(..., *(None for _ in new.shape[valid.ndim :]))], new, old)


def _map(function: Any, structure: Any) -> Any:
    """function of every leaf of nested lists."""
    return [_map(function, part) for part in structure] if isinstance(structure, list) else function(structure)


def _listed(structure: Any) -> Any:
    """Lists in place of tuples."""
    return [_listed(part) for part in structure] if isinstance(structure, (list, tuple)) else structure


def _leaves(structure: Any) -> list[Any]:
    if isinstance(structure, (list, tuple)):
        return [leaf for part in structure for leaf in _leaves(part)]
    return [structure]


def _lengths(size: Any) -> tuple[int, ...]:
    """A state's size without the batch, as a shape."""
    return (int(size),) if isinstance(size, (int, np.integer)) else tuple(size)


def _sizes(state_size: Any) -> list[Any]:
    return [state_size] if isinstance(state_size, int) else list(state_size)
