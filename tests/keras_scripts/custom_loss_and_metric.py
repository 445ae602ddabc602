"""Losses and metrics of one's own, as functions and as classes."""

import keras
import numpy as np
from keras import layers, losses, metrics, ops


def huberish(y_true, y_pred):
    error = ops.abs(y_pred - y_true)
    return ops.mean(ops.where(error < 1.0, 0.5 * ops.square(error), error - 0.5), axis=-1)


class Weighted(losses.Loss):
    def __init__(self, factor=2.0, name="weighted"):
        super().__init__(name=name)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * ops.mean(ops.square(y_pred - y_true), axis=-1)


class Largest(metrics.Metric):
    """The largest absolute error so far."""

    def __init__(self, name="largest", **kwargs):
        super().__init__(name=name, **kwargs)
        self.value = self.add_variable(shape=(), initializer="zeros", name="value")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign(ops.maximum(self.value, ops.max(ops.abs(y_pred - y_true))))

    def result(self):
        return self.value


def mean_error(y_true, y_pred):
    return ops.mean(ops.abs(y_pred - y_true), axis=-1)


keras.utils.set_random_seed(6)
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)

for loss in (huberish, Weighted(3.0), losses.MeanSquaredError()):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss=loss, metrics=[mean_error, Largest()])
    history = model.fit(x, y, epochs=20, batch_size=20, verbose=0)
    assert sorted(history.history) == ["largest", "loss", "mean_error"], sorted(history.history)
    assert history.history["loss"][-1] < 0.05 * history.history["loss"][0]
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    error = np.abs(model.predict(x, verbose=0) - y)
    assert np.isclose(results["largest"], error.max(), rtol=1e-3, atol=1e-6)
    assert np.isclose(results["mean_error"], error.mean(), rtol=1e-3, atol=1e-6)

own = metrics.Mean()
own.update_state([1.0, 2.0, 6.0])
assert float(own.result()) == 3.0
