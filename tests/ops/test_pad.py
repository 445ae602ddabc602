import itertools

import numpy as np
import pytest

from fastnn import _core, ops, set_num_threads, vjp
from fastnn.testing import check_op, covering_sample, missing_pairs

MODES = ["constant", "edge", "reflect", "symmetric"]


def place(i, n, mode):
    """Walks from 0 to place i over the axis, turning at its ends. None outside for a constant."""
    if mode == "constant" or 0 <= i < n:
        return i if 0 <= i < n else None
    if mode == "edge" or n == 1:
        return min(max(i, 0), n - 1)
    at, step = 0, 1 if i > 0 else -1
    for _ in range(abs(i)):
        if not 0 <= at + step < n:
            step = -step
            if mode == "symmetric":
                continue
        at += step
    return at


def reference(x, pad_width, mode="constant", constant_values=None):
    y = np.full([n + a + b for n, (a, b) in zip(x.shape, pad_width, strict=True)], constant_values or 0.0)
    for index in itertools.product(*(range(length) for length in y.shape)):
        source = [place(i - a, n, mode) for i, n, (a, _) in zip(index, x.shape, pad_width, strict=True)]
        if None not in source:
            y[index] = x[tuple(source)]
    return y


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("shape", "pad_width"),
    [
        ((5,), ((2, 3),)),
        ((2, 3, 4, 2), ((0, 0), (1, 2), (2, 1), (0, 0))),
        ((2, 3, 4), ((1, 0), (0, 0), (0, 9))),
        ((1, 2, 3), ((3, 2), (0, 0), (0, 0))),
        ((2, 3), ((0, 0), (0, 0))),
        ((3, 1, 9), ((0, 0), (4, 0), (1, 0))),
    ],
)
def test_matches_loops(rng, shape, pad_width, mode):
    check_op(ops.pad, reference, rng.standard_normal(shape), linear=[0], pad_width=pad_width, mode=mode)


def test_a_constant_other_than_zero(rng):
    check_op(ops.pad, reference, rng.standard_normal((2, 3)), pad_width=((1, 0), (0, 2)), constant_values=-1.5)


@pytest.mark.parametrize("width", [2, (1, 3), ((0, 1), (2, 2))])
@pytest.mark.parametrize("mode", MODES)
def test_widths_are_numpys(rng, width, mode):
    x = rng.standard_normal((4, 5)).astype(np.float32)
    np.testing.assert_array_equal(ops.pad(x, width, mode), np.pad(x, width, mode))


def test_empty_arrays_and_scalars():
    assert ops.pad(np.zeros((0, 3), np.float32), ((0, 0), (1, 1)), "reflect").shape == (0, 5)
    np.testing.assert_array_equal(ops.pad(np.zeros((0, 2), np.float32), ((2, 0), (0, 0)), "constant", 7), [[7, 7]] * 2)
    assert ops.pad(np.float32(3), 0) == 3


def test_bits_do_not_depend_on_the_number_of_threads(rng):
    x = rng.standard_normal((6, 40, 50, 7)).astype(np.float32)

    def both():
        y, pullback = vjp(lambda x: ops.pad(x, ((0, 0), (3, 5), (60, 2), (0, 0)), "reflect"), x)
        return y.tobytes(), pullback(y)[0].tobytes()

    before = _core.num_threads()
    try:
        found = []
        for threads in (1, 2, 3, 8):
            set_num_threads(threads)
            found.append(both())
    finally:
        set_num_threads(before)
    assert all(f == found[0] for f in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((((1, 1),) * 3,), r"expected pad_width of 2 pairs of integers >= 0, got \(\(1, 1\), \(1, 1\), \(1, 1\)\)"),
        ((-1,), "expected pad_width of 2 pairs of integers >= 0, got -1"),
        ((0.5,), "expected pad_width of 2 pairs of integers >= 0, got 0.5"),
        ((1, "wrap"), "expected mode constant, edge, reflect, symmetric, got 'wrap'"),
        ((1, "edge", 2.0), "expected no constant_values with mode 'edge', got 2.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=rf"\[pad\] {message}"):
        ops.pad(np.zeros((2, 3), np.float32), *arguments)


def test_nothing_can_be_mirrored_where_nothing_is():
    with pytest.raises(ValueError, match=r"\[pad\] expected at least 1 element .* got an empty axis 0"):
        ops.pad(np.zeros((0, 3), np.float32), 1, "edge")


FACTORS = {
    "c": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
    "of_h": [(0, 0), (1, 1), (0, 3), (9, 2)],
    "of_w": [(0, 0), (1, 1), (4, 0), (2, 30)],
    "of_c": [(0, 0), (0, 1), (3, 2)],
    "mode": MODES,
}


def fits(c, h, w, n, of_h, of_w, of_c, mode):
    return max(n, 1) * (c + sum(of_c)) * (h + sum(of_h)) * (w + sum(of_w)) < 8_000


SAMPLE = covering_sample(FACTORS, fits, count=70)


def test_the_sample_holds_every_pair_of_values():
    assert not missing_pairs(FACTORS, SAMPLE)


@pytest.mark.parametrize("g", SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_every_geometry(g):
    x = np.random.default_rng(SAMPLE.index(g)).standard_normal((g["n"], g["h"], g["w"], g["c"]))
    widths = ((0, 0), g["of_h"], g["of_w"], g["of_c"])
    check_op(ops.pad, lambda x, **options: np.pad(x, **options), x, linear=[0], pad_width=widths, mode=g["mode"])
