"""Penalties, limits, initial values, dropout, sample and class weights."""

import keras
import numpy as np
from keras import constraints, initializers, layers, regularizers

keras.utils.set_random_seed(7)
rng = np.random.default_rng(0)
x = rng.normal(size=(300, 10)).astype("float32")
y = (x[:, 0] + 0.1 * rng.normal(size=300) > 0).astype("int32")

model = keras.Sequential(
    [
        layers.Input(shape=(10,)),
        layers.Dense(
            32,
            activation="relu",
            kernel_regularizer=regularizers.L2(1e-3),
            kernel_initializer=initializers.HeNormal(seed=1),
            kernel_constraint=constraints.MaxNorm(2.0),
        ),
        layers.Dropout(0.3, seed=2),
        layers.Dense(1, kernel_regularizer="l1", bias_initializer="zeros"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 100, 0.9), clipnorm=1.0),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy(threshold=0.0), keras.metrics.AUC(from_logits=True)],
)
assert len(model.losses) == 2
penalty = sum(float(value) for value in model.losses)
first, last = model.layers[0].kernel, model.layers[2].kernel
by_hand = 1e-3 * float(np.sum(np.square(model.get_weights()[0]))) + 0.01 * float(np.sum(np.abs(model.get_weights()[2])))
assert np.isclose(penalty, by_hand, rtol=1e-4), (penalty, by_hand)
model.fit(x, y, epochs=15, batch_size=30, class_weight={0: 1.0, 1: 2.0}, verbose=0)
model.fit(x, y, epochs=5, batch_size=30, sample_weight=np.where(y > 0, 2.0, 1.0), verbose=0)
norms = np.linalg.norm(model.get_weights()[0], axis=0)
assert norms.max() <= 2.0 + 1e-4
results = model.evaluate(x, y, verbose=0, return_dict=True)
assert results["binary_accuracy"] > 0.85, results
frozen = model.get_weights()[0].copy()
model.layers[0].trainable = False
model.compile(optimizer="sgd", loss=keras.losses.BinaryCrossentropy(from_logits=True))
model.fit(x, y, epochs=1, verbose=0)
assert np.array_equal(frozen, model.get_weights()[0]) and len(model.trainable_variables) == 2
