"""Keras's names for convolutions, and those over three axes, against nested loops in float64."""

import numpy as np
import pytest

from fastnn import ops, vjp
from fastnn.testing import check_op


def volumes(x, w, b=0.0, *, strides=(1, 1, 1), dilation=(1, 1, 1), padding=((0, 0),) * 3):
    """3D convolution, one output place after the other."""
    x = np.pad(x, ((0, 0), *padding, (0, 0)))
    window = [(k - 1) * d + 1 for k, d in zip(w.shape, dilation, strict=False)]
    out = [(s - k) // t + 1 for s, k, t in zip(x.shape[1:4], window, strides, strict=True)]
    y = np.zeros((len(x), *out, w.shape[-1]))
    for place in np.ndindex(*out):
        at = tuple(slice(p * s, p * s + k, d) for p, s, k, d in zip(place, strides, window, dilation, strict=True))
        y[(slice(None), *place)] = np.einsum("nhijp,hijpq->nq", x[(slice(None), *at)], w)
    return y + b


@pytest.mark.parametrize(
    ("settings", "slow"),
    [
        ({}, {}),
        ({"strides": (2, 1, 2)}, {"strides": (2, 1, 2)}),
        ({"dilation_rate": 2}, {"dilation": (2, 2, 2)}),
        ({"padding": "same"}, {"padding": ((0, 1), (0, 1), (1, 1))}),
        ({"padding": ((2, 1), (0, 0), (1, 0))}, {"padding": ((2, 1), (0, 0), (1, 0))}),
    ],
)
def test_conv3d(rng, settings, slow):
    x, w, b = rng.standard_normal((2, 4, 5, 5, 2)), rng.standard_normal((2, 2, 3, 2, 3)), rng.standard_normal(3)
    np.testing.assert_allclose(ops.conv3d(x, w, b, **settings), volumes(x, w, b, **slow), rtol=1e-12, atol=1e-12)


def test_conv3d_manners(rng):
    x, w, b = rng.standard_normal((1, 3, 3, 3, 2)), rng.standard_normal((2, 2, 2, 2, 3)), rng.standard_normal(3)
    check_op(ops.conv3d, volumes, x, w, b)


def test_conv3d_with_an_activation(rng):
    x, w, b = rng.standard_normal((1, 3, 3, 3, 2)), rng.standard_normal((2, 2, 2, 2, 3)), rng.standard_normal(3)
    check_op(
        lambda x, w, b: ops.conv3d(x, w, b, activation="leaky_relu", negative_slope=0.3),
        lambda x, w, b: np.where(volumes(x, w, b) > 0, 1, 0.3) * volumes(x, w, b),
        *(x, w, b),
    )
    np.testing.assert_allclose(ops.conv3d(x, w, b, activation="tanh"), np.tanh(volumes(x, w, b)), rtol=1e-12)
    with pytest.raises(ValueError, match=r"\[conv3d\] expected activation None or one of"):
        ops.conv3d(x, w, activation="no such")


@pytest.mark.parametrize("settings", [{}, {"strides": (2, 1, 2)}, {"padding": "same", "strides": 2}])
def test_conv_transpose3d_is_the_input_gradient_of_conv3d(rng, settings):
    x, w = rng.standard_normal((2, 4, 4, 6, 2)), rng.standard_normal((2, 2, 2, 2, 3))
    y, pullback = vjp(lambda x: ops.conv3d(x, w, **settings), x)
    back, back_pullback = vjp(lambda y, w: ops.conv_transpose3d(y, w, **settings), y, w)
    (dx,) = pullback(y)
    np.testing.assert_allclose(back, dx[:, : back.shape[1], : back.shape[2], : back.shape[3]], rtol=1e-12, atol=1e-12)
    dy, dw = back_pullback(back)
    assert dy.shape == y.shape and dw.shape == w.shape
    np.testing.assert_allclose((dw * w).sum(), (back**2).sum(), rtol=1e-11)


def test_keras_names_choose_by_the_number_of_axes(rng):
    for axes in (1, 2, 3):
        x, w = rng.standard_normal((2, *(5, 6, 4)[:axes], 4)), rng.standard_normal((*(3, 2, 2)[:axes], 4, 3))
        own = getattr(ops, f"conv{axes}d")
        np.testing.assert_array_equal(ops.conv(x, w, 2, "same"), own(x, w, strides=2, padding="same"))
        np.testing.assert_array_equal(ops.conv(x, w[..., :2, :2]), own(x, w[..., :2, :2], groups=2))
        back, own = np.swapaxes(w, -1, -2), getattr(ops, f"conv_transpose{axes}d")
        np.testing.assert_array_equal(ops.conv_transpose(x, back, 2), own(x, back, strides=2))
        if axes < 3:
            deep, own = rng.standard_normal((*(3, 2)[:axes], 4, 2)), getattr(ops, f"depthwise_conv{axes}d")
            expected = own(x, deep, dilation_rate=2)
            np.testing.assert_array_equal(ops.depthwise_conv(x, deep, dilation_rate=2), expected)
            point = rng.standard_normal((*(1,) * axes, 8, 5))
            got = ops.separable_conv(x, deep, point, dilation_rate=2)
            np.testing.assert_allclose(got, expected @ point.reshape(8, 5), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.conv(x, np.ones((2, 2))), r"\[conv\] expected inputs with 3 or 4 or 5 axes, got shape \(2, 2\)"),
        (lambda x: ops.depthwise_conv(x, x, data_format="channels_first"), r"\[depthwise_conv\] expected data_format"),
        (lambda x: ops.conv3d(x, x), r"\[conv3d\] expected x with 5 axes \(n, d, h, w, c\), got \(2, 2\)"),
        (
            lambda x: ops.conv3d(np.ones((1, 2, 2, 2, 1)), np.ones((3, 1, 1, 1, 1))),
            r"\[conv3d\] expected a kernel that fits into the padded image of depth 2, got one that covers 3",
        ),
        (
            lambda x: ops.separable_conv(np.ones((1, 2, 2, 1)), np.ones((1, 1, 1, 1)), np.ones((2, 1, 1, 1))),
            r"\[separable_conv\] expected pointwise_kernel \(1, ..., 1, o\), got shape \(2, 1, 1, 1\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((2, 2)))
