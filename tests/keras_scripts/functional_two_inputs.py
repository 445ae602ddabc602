"""Two inputs, two outputs, joint loss; features from the middle; a copy with weights of its own."""

import keras
import numpy as np
from keras import Input, Model, layers

keras.utils.set_random_seed(2)
rng = np.random.default_rng(0)
table = rng.normal(size=(400, 11)).astype("float32")
other = rng.normal(size=(400, 5)).astype("float32")
kinds = np.argmax(table[:, :4], axis=1)
values = other.sum(axis=1, keepdims=True)

first = Input(shape=(11,), name="table")
second = Input(shape=(5,), name="other")
hidden = layers.Dense(16, activation="relu", name="hidden")(first)
hidden = layers.Dense(16, activation="relu")(hidden)
side = layers.Dense(8, activation="relu")(second)
joined = layers.concatenate([hidden, side])
mixed = layers.Add()([layers.Dense(8)(joined), side])
kind = layers.Dense(4, activation="softmax", name="kind")(hidden)
value = layers.Dense(1, name="value")(keras.ops.tanh(mixed) * 2.0 + side)
model = Model(inputs=[first, second], outputs=[kind, value], name="two")

model.compile(
    optimizer="adam",
    loss={"kind": "sparse_categorical_crossentropy", "value": "mse"},
    loss_weights={"kind": 1.0, "value": 0.5},
    metrics={"kind": ["accuracy"], "value": ["mae"]},
)
history = model.fit(
    {"table": table, "other": other}, {"kind": kinds, "value": values}, epochs=30, batch_size=32, verbose=0
)
for name in ("loss", "kind_loss", "value_loss", "kind_accuracy", "value_mae"):
    assert name in history.history, sorted(history.history)
results = model.evaluate([table, other], [kinds, values], verbose=0, return_dict=True)
probabilities, predictions = model.predict([table, other], verbose=0)
assert probabilities.shape == (400, 4) and predictions.shape == (400, 1)

features = Model(model.inputs, model.get_layer("hidden").output)
assert features.predict([table, other], verbose=0).shape == (400, 16)
copy = keras.models.clone_model(model)
copy.set_weights(model.get_weights())
assert np.array_equal(copy.predict([table, other], verbose=0)[1], predictions)
assert results["kind_accuracy"] > 0.8 and results["loss"] < 0.5 * history.history["loss"][0], results
