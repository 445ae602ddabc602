"""A deep-learning course about training: loops, weighted losses, penalties, dropout, early stopping."""

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, initializers, layers, losses, ops, optimizers, regularizers
from fastnn.models import Sequential


def constant(values):
    return initializers.Constant(np.asarray(values, float))


def line(**options):
    """y = w x + b from w = 0.5, b = -1, in float64."""
    options = {"kernel_initializer": constant([[0.5]]), "bias_initializer": constant([-1.0]), **options}
    return Sequential([layers.Input((1,)), layers.Dense(1, dtype="float64", **options)])


X = np.array([[-1.0], [0.0], [1.0], [2.0], [4.0]])
Y = np.array([[0.0], [1.0], [3.0], [2.0], [5.0]])

# ---- the training loop ---------------------------------------------------------------------------------------------


def test_fit_does_the_seven_steps_of_the_loop(rng):
    """Forward, loss, gradients, update, over batches and epochs, with a look at held-out samples after each epoch."""
    x, y = rng.standard_normal((40, 3)).astype("float32"), rng.standard_normal((40, 1)).astype("float32")

    def network():
        fastnn.utils.set_random_seed(1)
        return Sequential([layers.Input((3,)), layers.Dense(8, "tanh"), layers.Dense(1)])

    fitted = network()
    fitted.compile(optimizers.SGD(0.1), "mse")
    history = fitted.fit(x[:30], y[:30], 8, 3, shuffle=False, validation_data=(x[30:], y[30:]), verbose=0).history

    model, optimizer, loss = network(), optimizers.SGD(0.1), losses.MeanSquaredError()
    by_hand = {"loss": [], "val_loss": []}
    for _ in range(3):
        total = 0.0
        for start in range(0, 30, 8):
            batch_x, batch_y = x[start : min(start + 8, 30)], y[start : min(start + 8, 30)]
            with fastnn.GradientTape() as tape:
                error = loss(batch_y, model(batch_x, training=True))
            optimizer.apply(tape.gradient(error, model.trainable_variables), model.trainable_variables)
            total += float(error) * len(batch_x)
        by_hand["loss"].append(total / 30)
        by_hand["val_loss"].append(float(loss(y[30:], model(x[30:]))))
    for name, values in by_hand.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-6)
    for a, b in zip(fitted.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Watched(Sequential):
    def train_step(self, data):
        self.__dict__.setdefault("_rows", []).append(data[0][0, 0])
        return super().train_step(data)


def test_learning_row_by_row_takes_rows_in_an_order_that_the_seed_gives():
    orders = []
    for seed in (1, 1, 2):
        fastnn.utils.set_random_seed(seed)
        model = Watched(line().layers)
        model.compile(optimizers.SGD(0.05), "mse")
        model.fit(X, Y, batch_size=1, epochs=2, verbose=0)
        w, b = 0.5, -1.0
        for row in model._rows:
            error = w * row + b - Y[X[:, 0] == row].item()
            w, b = w - 0.05 * 2 * error * row, b - 0.05 * 2 * error
        np.testing.assert_allclose([w, b], [weight.item() for weight in model.get_weights()], rtol=1e-12)
        orders.append(model._rows)
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0][:5]) == sorted(orders[0][5:]) == X[:, 0].tolist()


def test_per_observation_and_batch_learning():
    """A step on all rows goes along the mean of the steps on single ones."""
    moves = []
    for rows in ([slice(i, i + 1) for i in range(5)], [slice(0, 5)]):
        single = []
        for part in rows:
            model = line()
            model.compile(optimizers.SGD(0.05), "mse")
            model.fit(X[part], Y[part], batch_size=len(X[part]), verbose=0)
            assert model.optimizer.iterations == 1
            single.append(np.concatenate(model.get_weights(), axis=None) - [0.5, -1.0])
        moves.append(np.mean(single, axis=0))
    np.testing.assert_allclose(moves[0], moves[1], rtol=1e-12)


def test_the_hooks_of_a_callback():
    heard = []
    hooks = ("on_epoch_begin", "on_epoch_end", "on_train_batch_end")
    called = callbacks.LambdaCallback(**{name: lambda number, logs, name=name: heard.append(name) for name in hooks})
    model = line()
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=3, epochs=2, verbose=0, callbacks=called)
    assert heard == ["on_epoch_begin", "on_train_batch_end", "on_train_batch_end", "on_epoch_end"] * 2


# ---- weighted losses and penalties ---------------------------------------------------------------------------------


def test_class_weights_5_and_70_equal_repeated_samples(rng):
    x, y = rng.standard_normal((12, 3)), np.arange(12) % 4 == 0
    times = np.where(y, 70, 5)
    found = []
    repeated = np.repeat(x, times, 0), np.repeat(y, times)
    for options, data in (({"class_weight": {0: 5, 1: 70}}, (x, y)), ({}, repeated)):
        fastnn.utils.set_random_seed(0)
        model = Sequential([layers.Input((3,)), layers.Dense(1, "sigmoid", dtype="float64")])
        model.compile(optimizers.SGD(0.001), losses.BinaryCrossentropy(reduction="sum"))
        model.fit(*data, batch_size=1000, epochs=5, verbose=0, **options)
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize(
    ("penalty", "value", "slope"),
    [
        (regularizers.L1(0.1), lambda w: 0.1 * abs(w), lambda w: 0.1 * np.sign(w)),
        (regularizers.L2(0.1), lambda w: 0.1 * w**2, lambda w: 0.2 * w),
        (regularizers.L1L2(0.1, 0.2), lambda w: 0.1 * abs(w) + 0.2 * w**2, lambda w: 0.1 * np.sign(w) + 0.4 * w),
    ],
)
def test_the_loss_is_that_of_the_data_and_the_penalty_of_the_slopes_alone(penalty, value, slope):
    """The bias is left out unless it is asked for."""
    model = line(kernel_regularizer=penalty)
    model.compile(optimizers.SGD(0.05), "mse")
    error = 0.5 * X - 1 - Y
    loss = model.train_on_batch(X, Y)
    assert loss == pytest.approx(np.mean(error**2) + value(0.5), rel=1e-12)
    w, b = (weight.item() for weight in model.get_weights())
    assert w == pytest.approx(0.5 - 0.05 * (np.mean(2 * error * X) + slope(0.5)), rel=1e-12)
    assert b == pytest.approx(-1 - 0.05 * np.mean(2 * error), rel=1e-12)


def test_an_l2_penalty_is_weight_decay_of_twice_its_factor_for_sgd():
    found = []
    for penalty, decay in ((regularizers.L2(0.1), None), (None, 0.2)):
        model = line(kernel_regularizer=penalty, use_bias=False)
        model.compile(optimizers.SGD(0.05, weight_decay=decay), "mse")
        model.fit(X, Y, batch_size=5, epochs=10, verbose=0)
        found.append(model.get_weights()[0].item())
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_an_l1_penalty_brings_weights_that_do_not_matter_to_zero(rng):
    x = rng.standard_normal((200, 10))
    y = x[:, :1] * 2 - x[:, 1:2] + rng.normal(0, 0.1, (200, 1))
    model = Sequential([layers.Dense(1, kernel_regularizer=regularizers.L1(0.2), dtype="float64")])
    model.compile(optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 100, 0.5)), "mse")
    model.fit(x, y, batch_size=200, epochs=1500, verbose=0)
    w = model.get_weights()[0][:, 0]
    assert np.all(np.abs(w[2:]) < 1e-3) and w[0] > 1.8 and w[1] < -0.8


# ---- dropout -------------------------------------------------------------------------------------------------------


def test_of_100_units_dropped_at_rate_0_3_some_70_are_kept_and_scaled():
    layer = layers.Dropout(0.3, seed=0)
    x = np.ones((400, 100), "float32")
    y = layer(x, training=True)
    kept = np.count_nonzero(y, axis=1)
    assert abs(kept.mean() - 70) < 5 * 4.58 / 20 and abs(kept.std() - 4.58) < 1
    np.testing.assert_allclose(y[y != 0], 1 / 0.7, rtol=1e-4)
    assert layer(x) is x
    with fastnn.GradientTape() as tape:
        watched = tape.watch(x)
        y = layer(watched, training=True)
        total = ops.sum(y)
    np.testing.assert_array_equal(tape.gradient(total, watched), y.numpy())


# ---- early stopping, and why to regularise -------------------------------------------------------------------------


def few_and_noisy(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((230, 10)).astype("float32")
    y = (np.sin(x[:, :1]) + 0.5 * x[:, 1:2] + rng.normal(0, 0.5, (230, 1))).astype("float32")
    return (x[:30], y[:30]), (x[30:], y[30:])


def overfitted(penalty=None, rate=0.0, called=()):
    fastnn.utils.set_random_seed(4)
    hidden = [
        part for _ in range(2) for part in (layers.Dense(64, "relu", kernel_regularizer=penalty), layers.Dropout(rate))
    ]
    model = Sequential([layers.Input((10,)), *hidden, layers.Dense(1)])
    model.compile(optimizers.Adam(0.01), "mse")
    train, held_out = few_and_noisy()
    history = model.fit(*train, batch_size=10, epochs=150, validation_data=held_out, verbose=0, callbacks=called)
    gap = [model.evaluate(*held_out, verbose=0) - model.evaluate(*train, verbose=0)]
    return model, history, gap[0]


def test_the_gap_between_training_and_validation_shrinks_with_every_means():
    free = overfitted()[2]
    gaps = {
        "L1": overfitted(regularizers.L1(0.1))[2],
        "L2": overfitted(regularizers.L2(1.0))[2],
        "dropout": overfitted(rate=0.7)[2],
        "early stopping": overfitted(called=callbacks.EarlyStopping(patience=5, restore_best_weights=True))[2],
    }
    assert all(gap < 0.85 * free for gap in gaps.values()), (free, gaps)


def test_training_ends_patience_epochs_after_the_best_and_takes_its_weights_back():
    early = callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True)
    model, history, _ = overfitted(called=early)
    curve = history.history["val_loss"]
    assert len(curve) == early.best_epoch + 6 < 150 and np.argmin(curve) == early.best_epoch
    assert model.evaluate(*few_and_noisy()[1], verbose=0) == pytest.approx(min(curve), rel=1e-6)
