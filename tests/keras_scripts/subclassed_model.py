"""A model of one's own with its train_step, and one made of a graph with a train_step of its own."""

import keras
import numpy as np
from keras import layers


class Net(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.hidden = layers.Dense(units, activation="tanh")
        self.dropout = layers.Dropout(0.1)
        self.head = layers.Dense(1)

    def call(self, inputs, training=None):
        x = self.hidden(inputs)
        x = self.dropout(x, training=training)
        return self.head(x)


class Doubled(keras.Model):
    """Sees every batch with targets of twice the size."""

    batches = 0

    def train_step(self, data):
        x, y = data
        Doubled.batches += 1
        return super().train_step((x, y * 2))


keras.utils.set_random_seed(4)
rng = np.random.default_rng(0)
x = rng.normal(size=(256, 3)).astype("float32")
y = x @ np.array([[1.0], [-2.0], [0.5]], dtype="float32")

model = Net(16)
model.compile(optimizer="adam", loss="mse", metrics=["mae"])
history = model.fit(x, y, epochs=30, batch_size=32, verbose=0, validation_data=(x[:50], y[:50]))
assert history.history["val_loss"][-1] < 0.5 * history.history["val_loss"][0]
assert len(model.layers) == 3 and model.count_params() == 81

inputs = keras.Input(shape=(3,))
doubled = Doubled(inputs, layers.Dense(1)(inputs))
doubled.compile(optimizer=keras.optimizers.Adam(0.3), loss="mse")
doubled.fit(x, y, epochs=60, batch_size=64, verbose=0)
assert Doubled.batches == 240
error = float(np.abs(doubled.predict(x, verbose=0) - 2 * y).max())
assert error < 0.2, error
