"""A classifier as a stack of layers: fit, evaluate, predict, save, load."""

import os
import tempfile

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
centres = rng.normal(size=(3, 8)) * 2
labels = rng.integers(0, 3, 600)
data = (centres[labels] + rng.normal(size=(600, 8))).astype("float32")

model = keras.Sequential(
    [
        keras.Input(shape=(8,)),
        layers.Dense(32, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(3, activation="softmax", name="scores"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.01),
    loss=keras.losses.SparseCategoricalCrossentropy(),
    metrics=["accuracy"],
)
model.summary()
history = model.fit(data, labels, batch_size=32, epochs=8, validation_split=0.2, verbose=0)
assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
loss, accuracy = model.evaluate(data, labels, verbose=0)
probabilities = model.predict(data[:5], verbose=0)
assert probabilities.shape == (5, 3) and np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.keras")
    model.save(path)
    again = keras.models.load_model(path)
assert np.array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))
assert model.get_layer("scores").count_params() == 99
assert accuracy > 0.9, accuracy
