"""Convolution with batch normalisation by given statistics in one pass: the bits of the two ops one after the other."""

import numpy as np
import pytest

from fastnn import GradientTape, Variable, backend, ops
from fastnn.ops.batch_norm import ACTIVATIONS

#: op, x, w, settings: each way that convolutions go, with what they leave of tiles and vectors.
GEOMETRIES = [
    (ops.conv2d, (2, 5, 7, 3), (3, 3, 3, 50), {"padding": "same"}),
    (ops.conv2d, (1, 12, 12, 130), (1, 1, 130, 33), {}),
    (ops.conv2d, (1, 6, 6, 600), (1, 1, 600, 5), {}),  # in blocks of the depth
    (ops.conv2d, (2, 9, 8, 4), (3, 2, 2, 6), {"strides": 2, "groups": 2}),
    (ops.conv2d, (4, 14, 11, 32), (3, 3, 32, 35), {"padding": "same"}),  # Winograd
    (ops.conv2d, (3, 28, 26, 9), (5, 5, 9, 35), {"strides": 2, "padding": "same"}),  # the same, over phases
    (ops.conv2d, (5, 4, 4, 3), (4, 4, 3, 17), {}),  # a product
    (ops.conv2d, (31, 5, 6, 3), (3, 3, 3, 7), {"padding": "same"}),  # images in lanes
    (ops.conv1d, (2, 9, 5), (3, 5, 18), {"padding": (2, 0)}),
    (ops.depthwise_conv2d, (2, 6, 7, 19), (3, 3, 19, 1), {"padding": "same"}),
    (ops.depthwise_conv2d, (2, 9, 13, 17), (3, 3, 17, 1), {"strides": 2, "padding": "same"}),
    (ops.depthwise_conv2d, (1, 9, 30, 5), (2, 4, 5, 1), {"padding": 1}),
    (ops.depthwise_conv2d, (1, 4, 5, 3), (3, 3, 3, 2), {}),
    (ops.depthwise_conv1d, (2, 12, 4), (5, 4, 1), {}),
    (ops.conv2d, (0, 5, 5, 3), (3, 3, 3, 4), {}),
]


def drawn(rng, channels, dtype, some):
    """gamma, beta, mean, variance, epsilon; without the first or the second, as `some` says."""
    values = rng.standard_normal((3, channels)).astype(dtype)
    gamma, beta = (values[i] if some[i] else None for i in (0, 1))
    return gamma, beta, values[2], rng.uniform(0.1, 3, channels).astype(dtype), 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", range(len(GEOMETRIES)))
def test_one_pass_has_the_bits_of_two(rng, case, dtype):
    op, shape, kernel, settings = GEOMETRIES[case]
    x, w = rng.standard_normal(shape).astype(dtype), rng.standard_normal(kernel).astype(dtype)
    for i, activation in enumerate(ACTIVATIONS):
        b = None if (i + case) % 2 else rng.standard_normal(kernel[-1] * (kernel[-2] if op in DEPTHWISE else 1))
        b = None if b is None else b.astype(dtype)
        z = op(x, w, b, **settings)
        *parameters, epsilon = drawn(rng, z.shape[-1], dtype, (i % 3 > 0, (i + case) % 3 > 0))
        expected = ops.batch_norm_inference(z, *parameters, epsilon=epsilon, activation=activation)
        y = op(x, w, b, activation=activation, statistics=(*parameters, epsilon), **settings)
        np.testing.assert_array_equal(y, expected)
        assert y.dtype == dtype


DEPTHWISE = (ops.depthwise_conv2d, ops.depthwise_conv1d)


def test_threads_change_no_bit(rng):
    before = backend.get_num_threads()
    try:
        for op, shape, kernel in (
            (ops.conv2d, (2, 40, 40, 16), (1, 1, 16, 70)),
            (ops.depthwise_conv2d, (3, 40, 40, 48), (3, 3, 48, 1)),
        ):
            x, w = rng.standard_normal(shape).astype("f"), rng.standard_normal(kernel).astype("f")
            statistics = drawn(rng, kernel[-1] if op is ops.conv2d else kernel[-2], "f", (True, True))
            results = []
            for threads in (1, 2, 3, 8):
                backend.set_num_threads(threads)
                results.append(op(x, w, activation="relu", statistics=statistics))
            for y in results[1:]:
                np.testing.assert_array_equal(y, results[0])
    finally:
        backend.set_num_threads(before)


def test_what_cannot_be_one_pass_is_refused(rng):
    x, w = rng.standard_normal((1, 5, 5, 3)).astype("f"), rng.standard_normal((2, 2, 3, 4)).astype("f")
    statistics = drawn(rng, 4, "f", (True, True))
    with GradientTape(), pytest.raises(ValueError, match=r"^\[conv2d\] expected statistics without a tape"):
        ops.conv2d(x, Variable(w), statistics=statistics)
    with pytest.raises(ValueError, match=r"^\[conv2d\] expected statistics without a tape"):
        ops.conv2d(x, w, statistics=statistics, out=np.empty((1, 4, 4, 4), "f"))
    with pytest.raises(ValueError, match=r"^\[conv2d\] expected activation None or one of linear, relu"):
        ops.conv2d(x, w, statistics=statistics, activation="tanh")
    for at, name in enumerate(("gamma", "beta", "mean", "variance")):
        wrong = tuple(v[:3] if i == at else v for i, v in enumerate(statistics))
        with pytest.raises(ValueError, match=rf"^\[conv2d\] expected {name} of shape \(4,\), got "):
            ops.conv2d(x, w, statistics=wrong)
