"""A dense layer over any axes, named by letters."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

from fastnn import activations, constraints, initializers, ops, regularizers
from fastnn.arrays import PartialShape
from fastnn.initializers import VarianceScaling
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.layer import Layer
from fastnn.registry import serialize


class _Shapes(NamedTuple):
    kernel: tuple[int, ...]
    bias: tuple[int, ...] | None
    output: PartialShape
    inputs: int  # how many products are added up for an output
    outputs: int  # how many outputs of a place depend on one input


class EinsumDense(Layer):
    """Fully connected layer over named axes: y = activation(einsum(equation, x, kernel) + bias).

    equation: "ab,bc->ac" (Dense), "abc,cd->abd", "...x,xy->...y": letters of x, of the kernel, of y; "..." for axes of
    x and y in front of theirs, or behind them, as in "ab...,bc->ac...". output_shape: the lengths of y's axes without
    the batch and without those under "..."; None for one that is not known or stands in x too. bias_axes: letters of y
    the bias has an axis for; None for no bias. lora_rank r: the kernel stays as it is, and what trains is A B, (..., r)
    times (r, last axis), added to it with the factor lora_alpha / r; lora_alpha is r by default.
    A kernel drawn by variance has the fan in and the fan out that the equation says.
    """

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: None = None,
        quantization_config: None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for name, value in (("gptq_unpacked_column_size", gptq_unpacked_column_size),
                            ("quantization_config", quantization_config)):  # fmt: skip
            if value is not None:
                raise ValueError(f"[EinsumDense] expected {name} None, got {value!r}")
        if lora_rank is not None and kernel_constraint is not None:
            raise ValueError("[EinsumDense] expected no kernel_constraint with lora_rank, got both")
        self.equation, self.bias_axes = equation, bias_axes
        self._parts = _parse(equation)
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.lora_rank = lora_rank
        self.lora_alpha = lora_rank if lora_alpha is None else lora_alpha

    def build(self, input_shape: PartialShape) -> None:
        shapes = self._shapes(input_shape)
        self.input_spec = InputSpec(ndim=len(input_shape))
        initializer = as_matrix(self.kernel_initializer, shapes.inputs, shapes.outputs)
        self._kernel = self._add("kernel", shapes.kernel, initializer)
        self.bias = None if shapes.bias is None else self._add("bias", shapes.bias, self.bias_initializer)
        if self.lora_rank is not None:
            self._kernel.trainable = self._own_trainable[self._variables.index(self._kernel)] = False
            *lead, last = shapes.kernel
            self.lora_kernel_a = self._add("lora_kernel_a", (*lead, self.lora_rank), "he_uniform")
            self.lora_kernel_b = self._add("lora_kernel_b", (self.lora_rank, last), "zeros")

    def _add(self, name: str, shape: tuple[int, ...], initializer: Any) -> Any:
        of_bias = name == "bias"
        regularizer = self.bias_regularizer if of_bias else self.kernel_regularizer
        constraint = self.bias_constraint if of_bias else self.kernel_constraint
        return self.add_weight(shape, initializer, name=name, regularizer=regularizer, constraint=constraint)

    @property
    def kernel(self) -> Any:
        """The kernel, with what lora_rank adds to it. Raises AttributeError before the layer is built."""
        if not self.built:
            raise AttributeError(f"[{self.name}] expected a built layer; it has no kernel yet")
        if self.lora_rank is None:
            return self._kernel
        change = ops.matmul(self.lora_kernel_a, self.lora_kernel_b)
        return self._kernel + change * (float(self.lora_alpha) / self.lora_rank)  # type: ignore[arg-type]

    def call(self, inputs: Any) -> Any:
        y = ops.einsum(self.equation, inputs, self.kernel)
        return self.activation(y if self.bias is None else ops.add(y, self.bias))

    def _refuse_mask(self) -> None:
        """As Keras: the equation may do anything with the axes that a mask is of."""
        warnings.warn(f"[{self.name}] expected an input without a mask, got one, which ends here", stacklevel=4)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return self._shapes(input_shape).output

    def _shapes(self, input_shape: PartialShape) -> _Shapes:
        of_x, of_kernel, of_y = (part.strip(".") for part in self._parts)
        elided = len(input_shape) - len(of_x)
        if elided < 0 or (elided and "..." not in self.equation):
            raise ValueError(f"[{self.name}] expected an input with axes {self._parts[0]!r}, got {input_shape}")
        front = elided if self.equation.startswith("...") else 0
        behind = len(input_shape) - (elided - front)
        lead, tail = input_shape[:front], input_shape[behind:]
        known = dict(zip(of_x, input_shape[front:behind], strict=True))
        given = self.partial_output_shape if front else (input_shape[0], *self.partial_output_shape)
        lengths = self._lengths(known, given)
        kernel = tuple(lengths[letter] if letter in lengths else known[letter] for letter in of_kernel)
        if None in kernel:
            raise ValueError(f"[{self.name}] expected known lengths of the kernel's axes {of_kernel!r}, got {kernel}")
        fans = [
            prod(n for n, letter in zip(kernel, of_kernel, strict=True) if (letter in of_y) is out)  # type: ignore[misc]
            for out in (False, True)
        ]
        bias = self._bias_shape(lengths, len(tail))
        return _Shapes(kernel, bias, (*lead, *lengths.values(), *tail), *fans)  # type: ignore[arg-type]

    def _lengths(self, known: dict[str, int | None], given: Sequence[int | None]) -> dict[str, int | None]:
        """The lengths of y's axes by letter. known: those of x. given: what output_shape says."""
        of_y = self._parts[2].strip(".")
        if len(given) != len(of_y):
            raise ValueError(
                f"[{self.name}] expected output_shape to have a length for each axis of {self._parts[2]!r} behind the "
                f"batch, got {self.partial_output_shape}"
            )
        lengths = dict(zip(of_y, given, strict=True))
        for letter in of_y:
            if letter in known and lengths[letter] not in (None, known[letter]):
                raise ValueError(
                    f"[{self.name}] expected {known[letter]} or None for axis {letter!r}, as in the input, got "
                    f"{lengths[letter]}"
                )
        return {letter: known.get(letter) if n is None else n for letter, n in lengths.items()}

    def _bias_shape(self, lengths: dict[str, int | None], behind: int) -> tuple[int, ...] | None:
        if self.bias_axes is None:
            return None
        of_y = "".join(lengths)
        where = [of_y.find(letter) for letter in self.bias_axes]
        if -1 in where or not where:
            raise ValueError(f"[{self.name}] expected bias_axes of {of_y!r}, got {self.bias_axes!r}")
        axes = (lengths[letter] if letter in self.bias_axes else 1 for letter in of_y[min(where) :])
        return (*axes, *[1] * behind)  # type: ignore[arg-type]

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "equation": self.equation,
            "output_shape": list(self.partial_output_shape),
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
            "kernel_regularizer": serialize(self.kernel_regularizer),
            "bias_regularizer": serialize(self.bias_regularizer),
            "kernel_constraint": serialize(self.kernel_constraint),
            "bias_constraint": serialize(self.bias_constraint),
        }
        if self.lora_rank is not None:
            config.update(lora_rank=self.lora_rank, lora_alpha=self.lora_alpha)
        return config


def as_matrix(initializer: Any, inputs: int, outputs: int) -> Callable[..., Any]:
    """The initializer; one that asks for the fans of a kernel, and has none, gets to see a matrix (inputs, outputs)."""
    known = isinstance(initializer, VarianceScaling) and None in (initializer.input_axes, initializer.output_axes)
    if not known:
        return initializer  # type: ignore[no-any-return]
    return lambda shape, dtype=None: initializer((inputs, outputs), dtype).reshape(shape)


def _parse(equation: str) -> tuple[str, str, str]:
    """The letters of x, the kernel and y."""
    left, arrow, y = equation.replace(" ", "").partition("->")
    x, comma, kernel = left.partition(",")
    parts = [part.strip(".") for part in (x, kernel, y)]
    dots = [[part.startswith("..."), part.endswith("...")] for part in (x, y)]
    well = all(part.isalpha() and part.isascii() for part in parts) and dots[0] == dots[1] and dots[0] != [True, True]
    full = [len(part) - 3 * part.count("...") == len(bare) for part, bare in zip((x, kernel, y), parts, strict=True)]
    if not (arrow and comma and well and all(full)) or "." in kernel:
        raise ValueError(
            "[EinsumDense] expected an equation like 'ab,bc->ac', '...ab,bc->...ac' or 'ab...,bc->ac...', "
            f"got {equation!r}"
        )
    for letter in parts[1]:
        if letter not in parts[0] and letter not in parts[2]:
            raise ValueError(f"[EinsumDense] expected axis {letter!r} of the kernel in x or y too, got {equation!r}")
    for letter in parts[2]:
        if letter not in parts[0] and letter not in parts[1]:
            raise ValueError(f"[EinsumDense] expected axis {letter!r} of y in x or the kernel too, got {equation!r}")
    return x, kernel, y
