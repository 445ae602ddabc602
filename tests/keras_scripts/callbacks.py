"""Callbacks: the built-in ones and one's own."""

import os
import tempfile

import keras
import numpy as np
from keras import callbacks, layers

keras.utils.set_random_seed(5)
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 6)).astype("float32")
y = (x[:, :1] * x[:, 1:2] > 0).astype("float32")


class Noted(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append((epoch, sorted(logs)))

    def on_train_batch_end(self, batch, logs=None):
        self.last_batch = batch

    def on_train_end(self, logs=None):
        self.calls.append("end")


model = keras.Sequential(
    [keras.Input((6,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid")],
)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
noted = Noted()
rates = []
with tempfile.TemporaryDirectory() as folder:
    best = os.path.join(folder, "best.keras")
    weights = os.path.join(folder, "last.weights.h5")
    table = os.path.join(folder, "log.csv")
    history = model.fit(
        x,
        y,
        epochs=12,
        batch_size=20,
        validation_split=0.25,
        verbose=0,
        callbacks=[
            noted,
            callbacks.EarlyStopping(monitor="val_loss", patience=20, restore_best_weights=True),
            callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
            callbacks.ModelCheckpoint(weights, save_weights_only=True),
            callbacks.LearningRateScheduler(lambda epoch, lr: 0.01 if epoch < 6 else lr * 0.9),
            callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=50),
            callbacks.CSVLogger(table),
            callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: rates.append(float(model.optimizer.learning_rate))
            ),
            callbacks.TerminateOnNaN(),
        ],
    )
    again = keras.models.load_model(best)
    with open(table) as file:
        rows = file.read().splitlines()
    model.load_weights(weights)
assert noted.calls[0] == "begin" and noted.calls[-1] == "end" and len(noted.calls) == 14
assert {"accuracy", "loss", "val_accuracy", "val_loss"} <= set(noted.calls[1][1]) and noted.last_batch == 7
assert len(rows) == 13 and rows[0].startswith("epoch,")
assert np.isclose(rates[5], 0.01) and np.isclose(rates[7], 0.01 * 0.9**2)
val_loss = again.evaluate(x[150:], y[150:], verbose=0)[0]
assert np.isclose(val_loss, min(history.history["val_loss"]), atol=1e-4), (val_loss, history.history["val_loss"])
