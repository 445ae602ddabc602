import numpy as np
import pytest

from fastnn import backend, vjp
from fastnn.backend import kernels
from fastnn.ops import batch_norm, group_norm
from fastnn.testing import check_op, covering_sample, missing_pairs


def reference(x, gamma=None, beta=None, groups=1, axis=-1, epsilon=1e-3):
    """Sample by sample, group by group."""
    x = np.moveaxis(x, axis, -1)
    y = np.empty(x.shape)
    size = x.shape[-1] // groups
    for sample in range(len(x)):
        for group in range(groups):
            own = slice(group * size, (group + 1) * size)
            part = x[sample, ..., own]
            mean = part.sum() / part.size
            y[sample, ..., own] = (part - mean) / np.sqrt(((part - mean) ** 2).sum() / part.size + epsilon)
    y = y * (1 if gamma is None else gamma) + (0 if beta is None else beta)
    return np.moveaxis(y, -1, axis)


@pytest.fixture(autouse=True)
def threads():
    before = backend.get_num_threads()
    yield
    backend.set_num_threads(before)


def parameters(rng, channels):
    return rng.uniform(0.5, 2, channels), rng.standard_normal(channels)


@pytest.mark.parametrize(
    ("shape", "groups"),
    [((2, 3, 4), 1), ((3, 5, 6), 3), ((2, 2, 3, 8), 8), ((1, 7, 33), 11), ((2, 9, 2), 2), ((3, 4), 2), ((1, 70, 3), 3)],
)
def test_matches_reference(rng, shape, groups):
    x = 1 + 2 * rng.standard_normal(shape)
    check_op(group_norm, reference, x, *parameters(rng, shape[-1]), groups=groups)


def test_without_scale_or_shift(rng):
    x, (gamma, beta) = rng.standard_normal((3, 5, 4)), parameters(rng, 4)
    check_op(group_norm, reference, x, groups=2)
    check_op(group_norm, reference, x, gamma, groups=2)
    check_op(lambda x, b: group_norm(x, None, b, groups=2), lambda x, b: reference(x, None, b, 2), x, beta)


@pytest.mark.parametrize("axis", [1, 2, -2])
def test_over_other_axes(rng, axis):
    x = rng.standard_normal((2, 4, 6, 3))
    check_op(group_norm, reference, x, *parameters(rng, x.shape[axis]), groups=2, axis=axis)


def test_one_sample_in_groups_of_one_is_batch_normalisation(rng):
    x, dy = (rng.standard_normal((1, 500, 6)) for _ in range(2))
    y, pullback = vjp(lambda x: group_norm(x, groups=6), x)
    expected, expected_pullback = vjp(batch_norm, x)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(pullback(dy)[0], expected_pullback(dy)[0], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("shape", [(3, 4000, 8), (200, 9, 32)])
def test_same_bits_at_any_thread_count(rng, shape):
    x, dy = (rng.standard_normal(shape).astype("float32") for _ in range(2))
    gamma, beta = (p.astype("float32") for p in parameters(rng, shape[-1]))
    results = []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        y, pullback = vjp(lambda *given: group_norm(*given, groups=4), x, gamma, beta)
        results.append((y, *pullback(dy)))
    np.testing.assert_allclose(results[0][0], reference(x.astype(float), gamma, beta, 4), rtol=1e-4, atol=1e-5)
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (2, 3, 0)])
def test_empty(shape):
    x, gamma = np.zeros(shape, "float32"), np.ones(shape[-1], "float32")
    y, pullback = vjp(lambda *given: group_norm(*given, groups=2), x, gamma, gamma)
    dx, dgamma, dbeta = pullback(x)
    assert y.shape == dx.shape == shape
    np.testing.assert_array_equal(dgamma, 0)
    np.testing.assert_array_equal(dbeta, 0)


def test_only_what_is_wanted_is_computed(rng):
    x, dy = (rng.standard_normal((2, 5, 4)).astype("float32") for _ in range(2))
    gamma = parameters(rng, 4)[0].astype("float32")
    run = kernels(x)
    _, mean, inverse = run.group_norm(x, gamma, None, 2, 1e-3)
    every = run.group_norm_backward(x, gamma, mean, inverse, dy)
    flat = np.full(8, np.nan, "float32")
    some = run.group_norm_backward(x, gamma, mean, inverse, dy, False, True, True, flat[:4], flat[4:])
    assert some[0] is None
    np.testing.assert_array_equal(flat, np.concatenate(every[1:]))


def test_out_is_filled_and_returned(rng):
    x = rng.standard_normal((2, 4, 6)).astype("float32")
    for axis in (-1, 1):
        out = np.empty_like(x)
        assert group_norm(x, groups=2, axis=axis, out=out) is out
        np.testing.assert_array_equal(out, group_norm(x, groups=2, axis=axis))


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: group_norm(zeros(2, 5, 4), groups=3), r"expected groups that divide the 4 channels, got 3"),
        (lambda: group_norm(zeros(2, 5, 4), groups=0), r"expected groups that divide the 4 channels, got 0"),
        (lambda: group_norm(zeros(4), groups=2), r"expected x with at least 2 axes, got \(4,\)"),
        (lambda: group_norm(zeros(4, 2), groups=2, axis=0), r"expected channels on another axis than the"),
        (lambda: group_norm(zeros(4, 2), zeros(3), groups=2), r"expected gamma of shape \(2,\), got \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


FACTORS = {
    "c": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
    "groups": [1, 3, 4, 8, "c"],
    "axis": [-1, 1, 2],
    "scale": [False, True],
    "center": [False, True],
    "epsilon": [1e-3, 1e-5],
}


def divide(groups, c):
    return groups == "c" or c % groups == 0


def fits(c, h, w, n, groups, **flags):
    """So small, as differences lose digits with the elements that share a mean."""
    return max(n, 1) * h * w * c < 3_300 and divide(groups, c)


SAMPLE = covering_sample(FACTORS, fits, count=74)


def test_the_sample_holds_every_pair_of_values_that_fits():
    assert missing_pairs(FACTORS, SAMPLE) == {
        (("c", str(c)), ("groups", str(groups)))
        for c in FACTORS["c"]
        for groups in FACTORS["groups"]
        if not divide(groups, c)
    }


def all_at_once(x, gamma, beta, *, groups, axis, epsilon):
    """As reference, all samples and groups together."""
    x = np.moveaxis(x, axis, -1)
    parts = x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    parts = parts - parts.mean((1, 2, 4), keepdims=True)
    y = (parts / np.sqrt((parts**2).mean((1, 2, 4), keepdims=True) + epsilon)).reshape(x.shape)
    return np.moveaxis(y * (1 if gamma is None else gamma) + (0 if beta is None else beta), -1, axis)


@pytest.mark.parametrize("g", SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_every_geometry(g):
    rng = np.random.default_rng(SAMPLE.index(g))
    x = np.moveaxis(1 + 2 * rng.standard_normal((g["n"], g["h"], g["w"], g["c"])), -1, g["axis"])
    gamma, beta = parameters(rng, g["c"])
    groups = g["c"] if g["groups"] == "c" else g["groups"]
    options = {"groups": groups, "axis": g["axis"], "epsilon": g["epsilon"]}
    own = [p for p, flag in ((gamma, g["scale"]), (beta, g["center"])) if flag]

    def placed(function):
        def call(x, *given, **options):
            given = list(given)
            gamma, beta = (given.pop(0) if flag else None for flag in (g["scale"], g["center"]))
            return function(x, gamma, beta, **options)

        return call

    check_op(placed(group_norm), placed(all_at_once), x, *own, **options)
