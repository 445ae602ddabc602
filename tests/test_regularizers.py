"""Penalties and constraints of weights, alone, in layers and in training."""

import copy
import json
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, constraints, layers, ops, optimizers, regularizers
from fastnn.models import Model, Sequential

W = np.array([[1.0, -2.0, 0.0], [0.5, 3.0, -1.0]])


# ---- penalties -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (regularizers.L1(), 0.01 * 7.5),
        (regularizers.L2(0.1), 0.1 * 15.25),
        (regularizers.L1L2(0.2, 0.1), 0.2 * 7.5 + 0.1 * 15.25),
        (regularizers.L1L2(), 0.0),
        # rows (1, -2, 0) and (0.5, 3, -1): product -5.5, lengths 5^0.5 and 10.25^0.5
        (regularizers.OrthogonalRegularizer(0.5), 0.5 * 5.5 / (5 * 10.25) ** 0.5),
        # columns (1, 0.5), (-2, 3), (0, -1): products -0.5, -0.5, -3; lengths 1.25^0.5, 13^0.5, 1
        (
            regularizers.OrthogonalRegularizer(0.5, "columns"),
            0.5 / 3 * (0.5 / (1.25 * 13) ** 0.5 + 0.5 / 1.25**0.5 + 3 / 13**0.5),
        ),
    ],
)
def test_penalties(regularizer, expected):
    for dtype, tolerance in (("float32", 1e-6), ("float64", 1e-12)):
        found = regularizer(W.astype(dtype))
        assert found.dtype == dtype and found.shape == ()
        np.testing.assert_allclose(found, expected, rtol=tolerance)
    shifted = W + 0.125  # away from the kink at 0
    assert fastnn.gradcheck(regularizer, shifted)


def test_orthogonal_rows_have_no_penalty():
    assert regularizers.OrthogonalRegularizer()(np.eye(3)) == 0
    assert regularizers.OrthogonalRegularizer()(np.ones((1, 3))) == 0


@pytest.mark.parametrize(
    ("identifier", "cls"),
    [("l1", "L1"), ("L2", "L2"), ("l1_l2", "L1L2"), ("L1L2", "L1L2"),
     ("orthogonal_regularizer", "OrthogonalRegularizer")],
)  # fmt: skip
def test_names_and_configurations(identifier, cls):
    found = regularizers.get(identifier)
    assert type(found) is getattr(regularizers, cls)
    twin = regularizers.deserialize(json.loads(json.dumps(regularizers.serialize(found))))
    assert type(twin) is type(found) and twin.get_config() == found.get_config()


def test_get_takes_objects_functions_and_none():
    made = regularizers.L2()
    assert regularizers.get(made) is made and regularizers.get(None) is None
    assert regularizers.get(ops.sum) is ops.sum
    with pytest.raises(ValueError, match=r"\[regularizers\] expected a known name such as"):
        regularizers.get("l3")
    with pytest.raises(ValueError, match=r"\[L2\] expected l2 >= 0, got -1"):
        regularizers.L2(-1)
    with pytest.raises(ValueError, match=r"\[L1L2\] expected l1 >= 0, got nan"):
        regularizers.L1L2(l1=float("nan"))
    with pytest.raises(ValueError, match="expected mode 'rows' or 'columns'"):
        regularizers.OrthogonalRegularizer(mode="both")
    with pytest.raises(ValueError, match="expected a matrix, got shape"):
        regularizers.OrthogonalRegularizer()(np.zeros(3))


# ---- layers and models -----------------------------------------------------------------------------------------------


def small_model(**options):
    model = Sequential([layers.Dense(3, dtype="float64", **options), layers.Dense(1, dtype="float64")])
    model.build((None, 4))
    return model


def test_losses_hold_the_penalties_of_trainable_weights():
    model = small_model(kernel_regularizer="l2", bias_regularizer=regularizers.L1(0.5))
    first = model.layers[0]
    first.bias.assign([1.0, -2.0, 0.0])
    kernel, bias = model.losses
    np.testing.assert_allclose(kernel, 0.01 * np.sum(first.kernel.numpy() ** 2), rtol=1e-12)
    assert bias == 1.5 and len(first.losses) == 2 and model.layers[1].losses == []
    first.trainable = False
    assert model.losses == []
    first.trainable = True
    assert len(model.losses) == 2


def test_training_minimises_loss_and_penalties(rng):
    """One step of gradient descent, with all gradients written out."""
    x, y = rng.standard_normal((8, 4)), rng.standard_normal((8, 1))
    model = Sequential([
        layers.Dense(1, kernel_regularizer=regularizers.L1L2(0.1, 0.2), bias_regularizer="l2", dtype="float64")
    ])  # fmt: skip
    model.build((None, 4))
    w, b = rng.standard_normal((4, 1)), np.array([0.7])
    model.set_weights([w, b])
    model.compile(optimizers.SGD(0.1), "mse")
    residual = x @ w + b - y
    penalty = 0.1 * np.sum(np.abs(w)) + 0.2 * np.sum(w**2) + 0.01 * 0.49
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), np.mean(residual**2) + penalty, rtol=1e-12)
    np.testing.assert_allclose(model.train_on_batch(x, y), np.mean(residual**2) + penalty, rtol=1e-12)
    dw = 2 / 8 * x.T @ residual + 0.1 * np.sign(w) + 0.4 * w
    db = 2 / 8 * residual.sum(axis=0) + 0.02 * b
    np.testing.assert_allclose(model.get_weights()[0], w - 0.1 * dw, rtol=1e-12)
    np.testing.assert_allclose(model.get_weights()[1], b - 0.1 * db, rtol=1e-12)


def test_an_l2_penalty_shrinks_weights_as_decay_does():
    """Without a gradient of the data, w - lr (2 l2 w) = (1 - 2 lr l2) w."""
    model = Sequential([layers.Dense(2, use_bias=False, kernel_regularizer=regularizers.L2(0.3), dtype="float64")])
    model.build((None, 3))
    before = model.get_weights()[0]
    model.compile(optimizers.SGD(0.1), "mse")
    model.train_on_batch(np.zeros((5, 3)), np.zeros((5, 2)))
    np.testing.assert_allclose(model.get_weights()[0], (1 - 2 * 0.1 * 0.3) * before, rtol=1e-12)


def test_a_penalty_alone_can_be_trained():
    model = small_model(kernel_regularizer="l2")
    model.compile(optimizers.SGD(0.5))
    before = np.abs(model.get_weights()[0]).sum()
    with pytest.warns(UserWarning, match="expected a gradient for every variable, got None for"):  # the others'
        model.train_on_batch(np.zeros((2, 4)), np.zeros((2, 1)))
    assert np.abs(model.get_weights()[0]).sum() == pytest.approx(0.99 * before, rel=1e-12)


def test_activity_is_penalised_by_call_and_forgotten_by_the_next(rng):
    model = small_model(activity_regularizer=regularizers.L1(0.1), activation="relu")
    first = model.layers[0]
    for rows in (5, 2):
        x = rng.standard_normal((rows, 4))
        model(x)
        hidden = np.maximum(x @ first.kernel.numpy() + first.bias.numpy(), 0)
        (penalty,) = model.losses
        np.testing.assert_allclose(penalty, 0.1 * np.sum(np.abs(hidden)) / rows, rtol=1e-12)
    y = rng.standard_normal((2, 1))
    model.compile(optimizers.SGD(0.1), "mse")
    np.testing.assert_allclose(
        model.evaluate(x, y, verbose=0), np.mean((model(x) - y) ** 2) + float(penalty), rtol=1e-12
    )
    with GradientTape() as tape:
        model(x)
        total = ops.add(model.losses[0], 0.0)
    (gradient,) = tape.gradient(total, [first.kernel])
    np.testing.assert_allclose(gradient, 0.1 * x.T @ (hidden > 0) / 2, rtol=1e-12)


def test_own_layers_add_losses(rng):
    class Spread(layers.Layer):
        def call(self, x):
            self.add_loss(2.0 * ops.mean(ops.square(x)))
            return x

    class Both(Model):
        def __init__(self):
            super().__init__()
            self.spread = Spread()
            self.dense = layers.Dense(1, kernel_regularizer=lambda w: ops.sum(ops.absolute(w)))

        def call(self, x):
            return self.dense(self.spread(x))

    model, x = Both(), rng.standard_normal((6, 3)).astype("float32")
    model(x)
    model(x)
    spread, kernel = model.losses
    np.testing.assert_allclose(spread, 2 * np.mean(x**2), rtol=1e-6)
    np.testing.assert_allclose(kernel, np.abs(model.dense.kernel.numpy()).sum(), rtol=1e-6)
    with pytest.raises(ValueError, match=r"expected add_loss\(\) of a Tensor or an array, got None"):
        model.add_loss(None)


def test_configurations_copies_and_pickles_keep_penalties_and_limits(tmp_path, rng):
    model = small_model(
        kernel_regularizer=regularizers.L1L2(0.1, 0.2), bias_regularizer="l2", activity_regularizer="l1",
        kernel_constraint=constraints.MaxNorm(1.5, axis=[0]), bias_constraint="non_neg",
    )  # fmt: skip
    model.compile(optimizers.SGD(0.1), "mse")
    x, y = rng.standard_normal((4, 4)), rng.standard_normal((4, 1))
    model.save(tmp_path / "model.safetensors")
    expected = model.evaluate(x, y, verbose=0)
    for twin in (
        fastnn.load_model(tmp_path / "model.safetensors"),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        assert twin.evaluate(x, y, verbose=0) == expected
        assert twin.layers[0].get_config() == model.layers[0].get_config()
        assert twin.layers[0].kernel.constraint.max_value == 1.5
    variable = fastnn.Variable(np.ones(3))
    variable.regularizer, variable.constraint = regularizers.L2(0.5), constraints.NonNeg()
    for twin in (copy.deepcopy(variable), pickle.loads(pickle.dumps(variable))):
        assert twin.regularizer.l2 == 0.5 and type(twin.constraint) is constraints.NonNeg


# ---- constraints -----------------------------------------------------------------------------------------------------


def scaled(w, lengths, axis=0):
    """w with these lengths along axis."""
    return w / np.linalg.norm(w, axis=axis, keepdims=True) * np.expand_dims(lengths, axis)


A = np.array([[3.0, 0.3, -1.0], [4.0, -0.4, 0.0]])  # columns of length 5, 0.5, 1


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (constraints.MaxNorm(), scaled(A, [2, 0.5, 1])),
        (constraints.MaxNorm(1.0, axis=1), scaled(A, [1, 1], axis=1)),
        (constraints.NonNeg(), np.maximum(A, 0)),
        (constraints.UnitNorm(), scaled(A, [1, 1, 1])),
        (constraints.UnitNorm(axis=[0, 1]), A / np.sqrt(np.sum(A**2))),
        (constraints.MinMaxNorm(0.75, 2.0), scaled(A, [2, 0.75, 1])),
        (constraints.MinMaxNorm(0.75, 2.0, rate=0.5), scaled(A, [3.5, 0.625, 1])),
    ],
)
def test_constraints(constraint, expected):
    np.testing.assert_allclose(constraint(A), expected, rtol=1e-6)
    assert constraint(A.astype("float32")).dtype == np.float32
    twin = constraints.deserialize(json.loads(json.dumps(constraints.serialize(constraint))))
    assert twin.get_config() == constraint.get_config()


def test_names_of_constraints():
    for name, cls in (("max_norm", "MaxNorm"), ("NonNeg", "NonNeg"), ("unit_norm", "UnitNorm"),
                      ("min_max_norm", "MinMaxNorm"), ("non_neg", "NonNeg")):  # fmt: skip
        assert type(constraints.get(name)) is getattr(constraints, cls)
    assert constraints.get(None) is None and constraints.get(np.abs) is np.abs
    with pytest.raises(ValueError, match=r"\[constraints\] expected a known name such as"):
        constraints.get("maximum_norm")


@pytest.mark.parametrize("optimizer", [optimizers.SGD(0.5), optimizers.Adam(0.5)])
def test_weights_stay_within_their_constraints_in_training(optimizer, rng):
    model = Sequential([
        layers.Dense(
            4, "tanh", kernel_constraint=constraints.MaxNorm(0.5), bias_constraint=lambda b: ops.clip(b, 0, 0.1)
        ),
        layers.Dense(1, kernel_constraint="non_neg"),
    ])  # fmt: skip
    x, y = rng.standard_normal((32, 3)), 5 * rng.standard_normal((32, 1))
    model.compile(optimizer, "mse")
    model.fit(x, y, epochs=3, batch_size=8, verbose=0)
    first, second = model.layers
    assert np.all(np.linalg.norm(first.kernel.numpy(), axis=0) < 0.5 + 1e-6)
    assert np.all((first.bias.numpy() >= 0) & (first.bias.numpy() <= 0.1))
    assert np.all(second.kernel.numpy() >= 0)


def test_a_constraint_of_the_wrong_shape_is_refused():
    layer = layers.Dense(2, kernel_constraint=lambda w: w[0])
    layer.build((None, 3))
    with pytest.raises(ValueError, match="expected"):
        layer.kernel.constrain()


# ---- recorded steps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_regularizer": "l2", "bias_regularizer": "l1"},
        {"kernel_regularizer": regularizers.OrthogonalRegularizer()},
        {"activity_regularizer": "l2"},
        {"kernel_constraint": constraints.MaxNorm(0.5), "bias_constraint": "non_neg"},
        {"kernel_constraint": constraints.MinMaxNorm(0.1, 0.5, rate=0.5), "bias_constraint": constraints.UnitNorm()},
    ],
    ids=lambda options: next(iter(options)),
)
def test_replays_penalise_and_limit_as_python_does(options, rng):
    x, y = rng.standard_normal((5, 8, 4)).astype("float32"), rng.standard_normal((5, 8, 1)).astype("float32")
    found = []
    for eager in (False, True):
        fastnn.utils.set_random_seed(0)
        model = Sequential([layers.Dense(3, **options), layers.Dense(1)])
        model.compile(optimizers.SGD(0.1), "mse", run_eagerly=eager)
        found.append([model.train_on_batch(a, b) for a, b in zip(x, y, strict=True)])
        found[-1] += [w.tolist() for w in model.get_weights()]
        recordings = model._steps_now()._training
        assert bool(recordings and recordings._steps) is not eager
    assert found[0] == found[1]


def test_penalties_and_limits_may_be_set_between_steps(rng):
    x, y = rng.standard_normal((8, 4)).astype("float32"), rng.standard_normal((8, 1)).astype("float32")
    found = []
    for eager in (False, True):
        fastnn.utils.set_random_seed(0)
        model = Sequential([layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=eager)
        figures = []
        for step in range(9):
            if step == 3:
                model.layers[0].kernel.regularizer = regularizers.L2(0.5)
            if step == 6:
                model.layers[0].kernel.constraint = constraints.MaxNorm(0.1)
            figures.append(model.train_on_batch(x, y))
        found.append((figures, model.get_weights()[0].tolist()))
        assert np.linalg.norm(model.get_weights()[0]) < 0.1 + 1e-6 and len(model.losses) == 1
    assert found[0] == found[1]


def test_penalties_and_limits_of_ones_own_keep_a_step_in_python(rng):
    x, y = rng.standard_normal((8, 4)), rng.standard_normal((8, 1))
    for options in ({"kernel_regularizer": lambda w: ops.sum(ops.square(w))}, {"bias_constraint": lambda b: b * 0}):
        model = Sequential([layers.Dense(1, **options)])
        model.compile("sgd", "mse")
        for _ in range(4):
            model.train_on_batch(x, y)
        assert model._steps_now()._training is None


def test_the_base_classes_leave_weights_as_they_are():
    w = np.arange(3.0)
    assert constraints.Constraint()(w) is w and regularizers.Regularizer()(w) == 0
