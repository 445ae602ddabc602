"""Sequences in, sequences out: an encoder hands its states to a decoder, which is then cut out and run step by step."""

import keras
import numpy as np
from keras import layers

SYMBOLS, LENGTH, UNITS = 6, 4, 48
START = SYMBOLS

keras.utils.set_random_seed(5)
rng = np.random.default_rng(0)
sources = rng.integers(0, SYMBOLS, (1024, LENGTH))
targets = sources[:, ::-1]
given = np.concatenate([np.full((len(sources), 1), START), targets[:, :-1]], axis=1)


def rows(symbols):
    return np.eye(SYMBOLS + 1, dtype="float32")[symbols]


encoder_inputs = keras.Input((None, SYMBOLS + 1), name="source")
_, state_h, state_c = layers.LSTM(UNITS, return_state=True, name="encoder")(encoder_inputs)
decoder_inputs = keras.Input((None, SYMBOLS + 1), name="given")
decoder = layers.LSTM(UNITS, return_sequences=True, return_state=True, name="decoder")
outputs, _, _ = decoder(decoder_inputs, initial_state=[state_h, state_c])
outputs = layers.Dense(SYMBOLS + 1, activation="softmax", name="symbols")(outputs)

model = keras.Model([encoder_inputs, decoder_inputs], outputs)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="categorical_crossentropy", metrics=["accuracy"])
history = model.fit({"source": rows(sources), "given": rows(given)}, rows(targets), batch_size=64, epochs=20, verbose=0)
assert history.history["accuracy"][-1] > 0.9, history.history["accuracy"]

encoder = keras.Model(model.input[0], model.get_layer("encoder").output[1:])
states = [keras.Input((UNITS,)), keras.Input((UNITS,))]
one, next_h, next_c = model.get_layer("decoder")(model.input[1], initial_state=states)
step = keras.Model([model.input[1], *states], [model.get_layer("symbols")(one), next_h, next_c])

held = encoder.predict(rows(sources[:64]), verbose=0)
symbols, decoded = np.full((64, 1), START), []
for _ in range(LENGTH):
    found, *held = step.predict([rows(symbols), *held], verbose=0)
    symbols = found.argmax(-1)
    decoded.append(symbols[:, 0])
right = (np.stack(decoded, axis=1) == targets[:64]).mean()
assert right > 0.85, right
