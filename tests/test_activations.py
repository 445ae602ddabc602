"""Activations: values against plain NumPy, names, arguments."""

from math import erf

import numpy as np
import pytest

import fastnn
from fastnn import activations

X = np.linspace(-4, 4, 33) + 0.01  # no element at a kink


def reference_softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


CASES = [
    ("linear", {}, lambda x: x),
    ("relu", {}, lambda x: np.maximum(x, 0)),
    ("relu", {"negative_slope": 0.1}, lambda x: np.where(x > 0, x, 0.1 * x)),
    ("relu", {"max_value": 1.5}, lambda x: np.clip(x, 0, 1.5)),
    ("relu", {"threshold": 1.0}, lambda x: np.where(x > 1, x, 0)),
    ("relu", {"negative_slope": 0.1, "max_value": 2.0, "threshold": 1.0},
     lambda x: np.where(x > 1, np.minimum(x, 2), 0.1 * (x - 1))),
    ("leaky_relu", {}, lambda x: np.where(x > 0, x, 0.2 * x)),
    ("leaky_relu", {"negative_slope": 0.5}, lambda x: np.where(x > 0, x, 0.5 * x)),
    ("sigmoid", {}, lambda x: 1 / (1 + np.exp(-x))),
    ("tanh", {}, lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))),
    ("gelu", {}, lambda x: x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))),
    ("gelu", {"approximate": True}, lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
    ("exponential", {}, np.exp),
    ("softplus", {}, lambda x: np.log1p(np.exp(x))),
    ("softmax", {}, reference_softmax),
    ("softmax", {"axis": 0}, lambda x: reference_softmax(x, 0)),
    ("log_softmax", {}, lambda x: np.log(reference_softmax(x))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "reference"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients(name, options, reference, dtype):
    x = X.reshape(3, 11)
    function = getattr(activations, name)
    y = function(x.astype(dtype), **options)
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    assert y.dtype == dtype
    np.testing.assert_allclose(y, reference(x), rtol=tolerance, atol=tolerance)
    if dtype == "float64":
        assert fastnn.gradcheck(lambda x: function(x, **options), x)


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES}))
def test_names_lead_to_functions_and_back(name):
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert activations.serialize(function) == name and activations.deserialize(name) is function


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get(np.tanh) is np.tanh
    layer = fastnn.layers.LeakyReLU()
    assert activations.get(layer) is layer
    with pytest.raises(
        ValueError, match=r"\[activations\] expected a known name such as .*'sigmoid'.*, got 'sigmoidd'"
    ):
        activations.get("sigmoidd")


def test_functions_of_ones_own_cannot_be_serialized():
    def relu(x):
        return x

    for function in (relu, lambda x: x):
        with pytest.raises(ValueError, match=r"\[activations.serialize\] expected a built-in activation"):
            activations.serialize(function)


@pytest.mark.parametrize("options", [{"negative_slope": -1}, {"max_value": -1}, {"threshold": -1}])
def test_relu_refuses_negative_settings(options):
    with pytest.raises(ValueError, match=r"\[relu\] expected negative_slope, max_value and threshold >= 0"):
        activations.relu(X, **options)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softmax", "log_softmax"])
def test_extreme_inputs_stay_finite(name):
    y = getattr(activations, name)(np.array([[-1e30, -1000.0, 0.0, 1000.0]], "float32"))
    assert np.isfinite(y).all()


def test_softmax_of_a_thousand_is_still_a_distribution():
    np.testing.assert_array_equal(activations.softmax(np.array([[1000.0, 1000.0, -1000.0]])), [[0.5, 0.5, 0.0]])
