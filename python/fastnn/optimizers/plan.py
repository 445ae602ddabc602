"""What a step works on: the stretches of flat buffers that its kernels are called with."""

from __future__ import annotations

import numpy as np

from fastnn.arrays import Array, Shape

#: Names of the slots that belong to no rule: sums of gradients, moving averages of weights.
ACCUMULATOR, AVERAGE = "gradient_accumulator", "average"


class Part:
    """What one kernel call works on: dense buffers of one size, and stretches of them.

    values, grads: the weights, and the gradients that the rule reads. given: where gradients arrive, which is grads
    unless they are summed up over several steps. slots: buffers beside the weights. runs: int64, (r, 3): offset,
    length, whether weights decay there. scales: float64, (r,): factors of the gradients, or None. squares: their
    squared norms, or None. shapes: those of the variables of the runs, where each has a run of its own.
    """

    __slots__ = ("given", "grads", "runs", "scales", "shapes", "slots", "squares", "values")

    def __init__(self, values: Array, given: Array, slots: dict[str, Array], runs: Array) -> None:
        self.values = values
        self.given = given
        self.grads = slots.get(ACCUMULATOR, given)
        self.slots = slots
        self.runs = runs
        self.shapes: list[Shape] = [values.shape]
        self.scales: Array | None = None
        self.squares: Array | None = None

    def take(self, values: Array, given: Array | None) -> None:
        """Puts other weights and gradients in the place of those before."""
        self.values = values
        if given is not None:
            self.given = given
            if ACCUMULATOR not in self.slots:
                self.grads = given


class Plan:
    """A step for one set of weights: its parts. scales, squares: what those of the parts are slices of."""

    __slots__ = ("parts", "scales", "squares")

    def __init__(self, parts: list[Part], factor: float, norms: bool) -> None:
        self.parts = parts
        self.scales = self.squares = None
        if norms or factor != 1:
            self.scales, self.squares = np.full((2, sum(len(part.runs) for part in parts)), factor)
            start = 0
            for part in parts:
                end = start + len(part.runs)
                part.scales, part.squares = self.scales[start:end], self.squares[start:end]
                start = end
