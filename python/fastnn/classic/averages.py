from __future__ import annotations

import numpy as np

from fastnn.arrays import Array, ArrayLike


def exponential_average(
    x: ArrayLike, beta: float = 0.9, bias_correction: bool = False, normalised: bool = True
) -> Array:
    """The exponentially weighted average at every step: v = beta v + (1 - beta) x, from v = 0.

    It remembers some 1 / (1 - beta) steps. As the weights of x at step t add up to 1 - beta^t, it starts too low.

    x: real numbers, (t, ...). Averaged along the first axis, in float64.
    bias_correction: v / (1 - beta^t), the mean of x with weights that add up to 1.
    normalised: False for v = beta v + x, whose weights add up to 1 / (1 - beta) in the end.
    Returns float64, of the shape of x. Raises ValueError for a scalar x, beta outside [0, 1), or where a sum would have
    to be corrected.
    """
    values = np.asarray(x, np.float64)
    if values.ndim == 0:
        raise ValueError("[exponential_average] expected values along a first axis, got a scalar")
    if not 0 <= beta < 1:
        raise ValueError(f"[exponential_average] expected beta in [0, 1), got {beta}")
    if bias_correction and not normalised:
        raise ValueError("[exponential_average] expected bias_correction of a normalised average only")
    averages = np.empty_like(values)
    v = np.zeros(values.shape[1:])
    for t, value in enumerate(values):
        v = beta * v + ((1 - beta) * value if normalised else value)
        averages[t] = v / (1 - beta ** (t + 1)) if bias_correction else v
    return averages
