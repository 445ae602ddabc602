"""Pools whose windows share an image out: to any size, and to one pixel, which is global pooling."""

import numpy as np
import pytest

from fastnn import ops
from fastnn.testing import check_op, covering_sample, missing_pairs

FACTORS = {
    "c": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
    "out_h": [1, 2, 3, 5, 9],
    "out_w": [1, 2, 4, 7, 14],
}


def fits(c, h, w, n, out_h, out_w):
    return max(n, 1) * c * max(h * w, out_h * out_w) < 8_000


SAMPLE = covering_sample(FACTORS, fits, count=60)
GLOBAL = {**{name: FACTORS[name] for name in "chwn"}, "d": [1, 2, 5], "axes": [1, 2, 3]}


def is_small(c, h, w, n, d, axes):
    return max(n, 1) * c * h * (w if axes > 1 else 1) * (d if axes > 2 else 1) < 8_000


GLOBAL_SAMPLE = covering_sample(GLOBAL, is_small, count=52)


def test_the_samples_hold_every_pair_of_values():
    assert not missing_pairs(FACTORS, SAMPLE)
    assert not missing_pairs(GLOBAL, GLOBAL_SAMPLE)


def apart(rng, *shape):
    """Values 1/1024 apart, a thousand steps of a difference: which of them is largest does not change."""
    return (rng.permutation(np.prod(shape)).reshape(shape) - np.prod(shape) // 2) / 1024


def shared_out(of):
    """Loops over the windows [floor(i n / out), ceil((i + 1) n / out)) of both axes."""

    def reference(x, output_size):
        y = np.empty((len(x), *output_size, x.shape[3]))
        for at in np.ndindex(output_size):
            places = zip(at, x.shape[1:3], output_size, strict=True)
            rows, cols = (slice(i * n // out, -(-(i + 1) * n // out)) for i, n, out in places)
            y[:, *at] = of(x[:, rows, cols], axis=(1, 2))
        return y

    return reference


@pytest.mark.parametrize("g", SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_every_geometry(g):
    x = apart(np.random.default_rng(SAMPLE.index(g)), g["n"], g["h"], g["w"], g["c"])
    size = (g["out_h"], g["out_w"])
    check_op(ops.adaptive_max_pool, shared_out(np.max), x, output_size=size)
    check_op(ops.adaptive_average_pool, shared_out(np.mean), x, linear=[0], output_size=size)


@pytest.mark.parametrize("g", GLOBAL_SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_global_pools_of_every_geometry(g):
    lengths = {1: (g["h"],), 2: (g["h"], g["w"]), 3: (g["d"], g["h"], g["w"])}[g["axes"]]
    x = apart(np.random.default_rng(GLOBAL_SAMPLE.index(g)), g["n"], *lengths, g["c"])
    axes = tuple(range(1, x.ndim - 1))
    check_op(lambda x: ops.adaptive_max_pool(x, 1), lambda x: x.max(axes, keepdims=True), x)
    check_op(ops.mean, np.mean, x, linear=[0], axis=axes, keepdims=True)
    check_op(lambda x: ops.adaptive_average_pool(x, 1), lambda x: x.mean(axes, keepdims=True), x, linear=[0])


def test_gradients_where_a_window_has_two_columns_more_than_its_length(rng):
    """7 columns by 4: the window from 7/4 to 14/4 has three. Places were counted two a row, so that two of them met."""
    x = apart(rng, 1, 8, 7, 3)
    check_op(ops.adaptive_max_pool, shared_out(np.max), x, output_size=(5, 4))
