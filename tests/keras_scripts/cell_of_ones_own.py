"""A recurrent cell of one's own in RNN, alone, stacked with others and in both directions; saved and loaded."""

import os
import tempfile

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="cells")
class Leaky(layers.Layer):
    """h' = (1 - leak) h + leak tanh(x w + h u)."""

    def __init__(self, units, leak=0.5, **kwargs):
        super().__init__(**kwargs)
        self.units, self.leak = units, leak
        self.state_size = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        self.u = self.add_weight(shape=(self.units, self.units), initializer="orthogonal", name="u")

    def call(self, inputs, states):
        h = states[0]
        new = ops.tanh(ops.matmul(inputs, self.w) + ops.matmul(h, self.u))
        h = (1.0 - self.leak) * h + self.leak * new
        return h, [h]

    def get_config(self):
        return {**super().get_config(), "units": self.units, "leak": self.leak}


keras.utils.set_random_seed(4)
rng = np.random.default_rng(0)
x = rng.normal(size=(256, 8, 2)).astype("float32")
y = x.sum(axis=(1, 2), keepdims=True)[:, 0]

layer = layers.RNN(Leaky(5), return_sequences=True, return_state=True)
steps, last = layer(x[:3])
np.testing.assert_array_equal(np.asarray(steps)[:, -1], np.asarray(last))
w, u = (np.asarray(weight) for weight in layer.get_weights())
h = np.zeros((3, 5), "float32")
for t in range(8):
    h = 0.5 * h + 0.5 * np.tanh(x[:3, t] @ w + h @ u)
np.testing.assert_allclose(np.asarray(last), h, rtol=1e-4, atol=1e-5)

model = keras.Sequential(
    [
        keras.Input((8, 2)),
        layers.Bidirectional(layers.RNN([Leaky(8, 0.9), layers.GRUCell(8)], return_sequences=True)),
        layers.RNN(Leaky(8, 0.3)),
        layers.Dense(1),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
before = model.evaluate(x, y, verbose=0)
model.fit(x, y, epochs=12, batch_size=32, verbose=0)
after = model.evaluate(x, y, verbose=0)
assert after < 0.2 * before, (before, after)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "leaky.keras")
    model.save(path)
    again = keras.models.load_model(path)
np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
