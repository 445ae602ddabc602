"""Activations: values against plain NumPy, names, arguments."""

from math import erf

import numpy as np
import pytest

import fastnn
from fastnn import activations, layers, ops

X = np.linspace(-4, 4, 33) + 0.01  # no element at a kink

#: Keras's, with its defaults.
NAMES = {
    "celu": {"alpha": 1.0}, "elu": {"alpha": 1.0}, "exponential": {}, "gelu": {"approximate": False},
    "glu": {"axis": -1}, "hard_shrink": {"threshold": 0.5}, "hard_sigmoid": {}, "hard_silu": {}, "hard_tanh": {},
    "leaky_relu": {"negative_slope": 0.2}, "linear": {}, "log_sigmoid": {}, "log_softmax": {"axis": -1}, "mish": {},
    "relu": {"negative_slope": 0.0, "max_value": None, "threshold": 0.0}, "relu6": {}, "selu": {}, "sigmoid": {},
    "silu": {}, "soft_shrink": {"threshold": 0.5}, "softmax": {"axis": -1}, "softplus": {}, "softsign": {},
    "sparse_plus": {}, "sparse_sigmoid": {}, "sparsemax": {"axis": -1}, "squareplus": {"b": 4}, "tanh": {},
    "tanh_shrink": {}, "binary_step": {},
}  # fmt: skip


@pytest.mark.parametrize(("name", "defaults"), NAMES.items(), ids=NAMES)
def test_arguments_are_kerass_and_gradients_right(name, defaults):
    """Values are proved in tests/ops; here that a name and its default arguments lead to one function."""
    function, x = getattr(activations, name), X[:-1].reshape(4, 8)
    y = function(x)
    assert y.shape == ((4, 4) if name == "glu" else (4, 8))
    np.testing.assert_array_equal(y, function(x, **defaults))
    np.testing.assert_array_equal(y, function(x, *defaults.values()))
    assert function(x.astype("float32")).dtype == "float32"
    assert fastnn.gradcheck(function, x)


def test_some_values():
    x = np.array([-2.0, 0.5])
    np.testing.assert_allclose(activations.gelu(x), x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2))), rtol=1e-14)
    np.testing.assert_allclose(activations.gelu(x, True), ops.gelu(x), rtol=1e-15)
    np.testing.assert_allclose(activations.exponential(x), np.exp(x), rtol=1e-15)
    np.testing.assert_array_equal(activations.threshold(x, 0.2, 7.0), [7, 0.5])
    np.testing.assert_allclose(activations.softmax(np.zeros((2, 3)), axis=0), np.full((2, 3), 0.5))


@pytest.mark.parametrize("name", [*NAMES, "threshold"])
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


def test_keras_other_names():
    assert activations.get("swish") is activations.swish is activations.silu
    assert activations.get("hard_swish") is activations.hard_swish is activations.hard_silu
    assert ops.swish is ops.silu and ops.hard_swish is ops.hard_silu


@pytest.mark.parametrize("name", NAMES)
def test_dense_layers_and_activation_layers_take_every_name(name):
    layer = layers.Dense(6, name, dtype="float64")
    y = layer(X[:32].reshape(8, 4))
    z = ops.dense(X[:32].reshape(8, 4), layer.kernel, layer.bias)
    np.testing.assert_allclose(y, layers.Activation(name, dtype="float64")(z), rtol=1e-12, atol=1e-15)
    twin = layers.Dense.from_config(layer.get_config())
    assert twin.activation is layer.activation
    width = 3 if name == "glu" else 6
    assert y.shape == (8, width) and layer.compute_output_shape((None, 4)) == (None, width)
    assert layers.Activation(name).compute_output_shape((None, 6)) == (None, width)


def test_a_dense_layer_fuses_what_is_elementwise():
    assert set(activations.FUSED.values()) == set(NAMES) - {"glu", "softmax", "log_softmax", "sparsemax"}


def test_functions_that_no_name_would_lead_back_to_are_not_serialized():
    def relu(x):
        return x

    def swash(x):
        return x

    assert activations.serialize(swash) == "swash"
    with pytest.raises(ValueError, match=r"\[activations.serialize\] expected another name than 'relu'"):
        activations.serialize(relu)
    with pytest.raises(ValueError, match="expected a function with a name, got a lambda"):
        activations.serialize(lambda x: x)


def test_an_activation_may_be_a_layer_and_comes_back_as_one():
    described = activations.serialize(layers.LeakyReLU(0.25))
    again = activations.get(described)
    assert isinstance(again, layers.LeakyReLU) and again.get_config()["negative_slope"] == 0.25


@pytest.mark.parametrize("options", [{"negative_slope": -1}, {"max_value": -1}, {"threshold": -1}])
def test_relu_refuses_negative_settings(options):
    with pytest.raises(ValueError, match=r"\[relu\] expected negative_slope, max_value and threshold >= 0"):
        activations.relu(X, **options)


def test_recommendations():
    assert activations.recommend("binary") == ("relu", "sigmoid", "binary_crossentropy")
    for task in ("regression", "multiclass", "multilabel"):
        hidden, output, loss = activations.recommend(task)
        assert activations.get(hidden) and activations.get(output) and fastnn.losses.get(loss)
    with pytest.raises(ValueError, match=r"\[recommend\] expected a task of regression, .*, got 'ranking'"):
        activations.recommend("ranking")


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softmax", "log_softmax"])
def test_extreme_inputs_stay_finite(name):
    y = getattr(activations, name)(np.array([[-1e30, -1000.0, 0.0, 1000.0]], "float32"))
    assert np.isfinite(y).all()


def test_softmax_of_a_thousand_is_still_a_distribution():
    np.testing.assert_array_equal(activations.softmax(np.array([[1000.0, 1000.0, -1000.0]])), [[0.5, 0.5, 0.0]])
