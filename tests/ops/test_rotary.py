import math

import numpy as np
import pytest

from fastnn import ops
from fastnn.layers import SinePositionEncoding
from fastnn.testing import check_op, covering, covering_sample, missing_pairs


def plain(x, start=0, wavelength=10000.0, scaling=1.0, positions=None):
    """Every pair of features as a complex number, turned."""
    y, half = x.copy(), x.shape[-1] // 2
    for p in range(x.shape[1]):
        position = (p + start if positions is None else positions[p]) / scaling
        for j in range(half):
            turned = (x[:, p, ..., j] + 1j * x[:, p, ..., j + half]) * np.exp(1j * position * wavelength ** (-j / half))
            y[:, p, ..., j], y[:, p, ..., j + half] = turned.real, turned.imag
    return y


@pytest.mark.parametrize("shape", [(1, 1, 2), (2, 5, 8), (2, 3, 2, 6), (1, 17, 3, 34), (0, 3, 4)])
@pytest.mark.parametrize("options", [{}, {"start_index": 7, "max_wavelength": 50.0, "scaling_factor": 2.0}])
def test_rotations_are_those_of_complex_numbers(rng, shape, options):
    settings = (options.get("start_index", 0), options.get("max_wavelength", 1e4), options.get("scaling_factor", 1.0))
    x = rng.standard_normal(shape)
    check_op(lambda x: ops.rotary_embedding(x, **options), lambda x: plain(x, *settings), x, linear=[0])


FACTORS = {
    "n": [0, 1, 3, 32],
    "t": [0, 1, 2, 17],
    "heads": [(), (1,), (3,)],
    "d": [2, 8, 16, 34],
    "start": [0, 7],
    "wavelength": [1e4, 50.0],
    "scaling": [1.0, 2.0],
    "given": [False, True],
}
SAMPLE = covering_sample(FACTORS, count=30)


def test_every_pair_of_settings_is_in_the_sample():
    assert not missing_pairs(FACTORS, SAMPLE)


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: "-".join(map(str, case.values())))
def test_rotations_of_every_shape(rng, case):
    x = rng.standard_normal((case["n"], case["t"], *case["heads"], case["d"]))
    positions = rng.integers(0, 100, case["t"]) if case["given"] else None
    settings = (case["start"], case["wavelength"], case["scaling"])
    check_op(
        lambda x: ops.rotary_embedding(x, *settings, positions),
        lambda x: plain(x, *settings, positions),
        x,
        linear=[0],
    )


def test_products_depend_on_the_distance_of_positions_alone(rng):
    q, k = rng.standard_normal((2, 1, 1, 8))
    dots = [
        np.sum(ops.rotary_embedding(q[None], start_index=i) * ops.rotary_embedding(k[None], start_index=i + 3))
        for i in (0, 5, 1000)
    ]
    np.testing.assert_allclose(dots, dots[0], rtol=1e-9)


def test_positions_may_be_given(rng):
    x = rng.standard_normal((2, 3, 4))
    np.testing.assert_allclose(ops.rotary_embedding(x, positions=[4, 0, 2]), plain(x, positions=[4, 0, 2]), rtol=1e-12)
    with pytest.raises(ValueError, match=r"\[rotary_embedding\] expected 3 positions, got 2"):
        ops.rotary_embedding(x, positions=[4, 0])
    with pytest.raises(ValueError, match=r"\[rotary_embedding\] expected x \(n, t, ..., d\) with an even d, got"):
        ops.rotary_embedding(np.zeros((2, 3, 5)))


SINES = {"n": [3, 1, 32, 0], "t": [17, 2, 1, 0], "d": [7, 16, 33, 1], "start": [0, 7], "wavelength": [1e4, 50.0],
         "dtype": ["float32", "float64"]}  # fmt: skip
SINE_CASES = covering(**SINES)


def test_the_sample_of_sines_holds_every_pair_of_values():
    assert not missing_pairs(SINES, SINE_CASES)


@pytest.mark.parametrize("case", SINE_CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_sines_and_cosines_take_turns(case):
    n, t, d, start, wavelength, dtype = case.values()
    y = SinePositionEncoding(wavelength, dtype=dtype)(np.zeros((n, t, d), dtype), start_index=start)
    expected = np.zeros((n, t, d))
    for p, i in np.ndindex(t, d):
        angle = (start + p) / wavelength ** (2 * (i // 2) / d)
        expected[:, p, i] = math.cos(angle) if i % 2 else math.sin(angle)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-7 if dtype == "float32" else 1e-14)
