"""Data from a generator and from a PyDataset."""

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(8)
weights = np.array([[1.0], [-1.0], [2.0]], dtype="float32")


def batches(seed):
    rng = np.random.default_rng(seed)
    while True:
        x = rng.normal(size=(16, 3)).astype("float32")
        yield x, x @ weights


class Table(keras.utils.PyDataset):
    def __init__(self, samples, batch_size, **kwargs):
        super().__init__(**kwargs)
        rng = np.random.default_rng(9)
        self.x = rng.normal(size=(samples, 3)).astype("float32")
        self.y = self.x @ weights
        self.batch_size = batch_size

    def __len__(self):
        return -(-len(self.x) // self.batch_size)

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.x[rows], self.y[rows]


model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse")
history = model.fit(batches(1), steps_per_epoch=20, epochs=5, validation_data=batches(2), validation_steps=3, verbose=0)
assert len(history.history["val_loss"]) == 5
table = Table(100, 16)
model.fit(table, epochs=5, verbose=0)
loss = model.evaluate(table, verbose=0)
assert model.predict(table, verbose=0).shape == (100, 1)
assert loss < 0.01, loss
