"""Layers of one's own: weights made in build, a training argument, a configuration."""

import os
import tempfile

import keras
import numpy as np
from keras import layers, ops


class Linear(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


class Halved(layers.Layer):
    def call(self, inputs, training=None):
        if training:
            return inputs * 0.5
        return inputs


class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = Linear(16)
        self.second = Linear(1)

    def call(self, inputs):
        return self.second(ops.relu(self.first(inputs)))


keras.utils.set_random_seed(3)
rng = np.random.default_rng(0)
x = rng.normal(size=(256, 4)).astype("float32")
y = np.abs(x).sum(axis=1, keepdims=True)

block = Block()
assert len(block.weights) == 0
block(x[:2])
assert len(block.trainable_weights) == 4

model = keras.Sequential([keras.Input((4,)), Linear(32), layers.Activation("relu"), Linear(1)])
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.02, momentum=0.9), loss="mse")
before = model.evaluate(x, y, verbose=0)
model.fit(x, y, epochs=40, batch_size=32, verbose=0)
after = model.evaluate(x, y, verbose=0)
assert after < 0.1 * before, (before, after)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "own.keras")
    model.save(path)
    again = keras.models.load_model(path, custom_objects={"Linear": Linear})
assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
assert float(ops.sum(Halved()(x, training=True))) != float(ops.sum(Halved()(x)))
