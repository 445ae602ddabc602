"""Sequences of several lengths: a mask made from zeros, used and handed on by layers of one's own."""

import keras
import numpy as np
from keras import layers, ops


class WeightedMean(layers.Layer):
    """The mean of the steps that count."""

    def call(self, inputs, mask=None):
        weights = ops.expand_dims(ops.cast(mask, "float32"), -1)
        return ops.sum(inputs * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1.0)


class Shifted(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return inputs + 1.0


class Halves(layers.Layer):
    def call(self, inputs):
        return ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs, mask=None):
        return [None, None] if mask is None else ops.split(mask, 2, axis=1)


keras.utils.set_random_seed(2)
tokens = keras.utils.pad_sequences([[3, 1], [2], [5, 4, 1, 2]], maxlen=4, padding="post")

inputs = keras.Input((None,), dtype="int32")
embedded = layers.Embedding(6, 3, mask_zero=True, name="table")(inputs)
mean = keras.Model(inputs, WeightedMean()(Shifted()(embedded)))
table = np.asarray(mean.get_layer("table").get_weights()[0])
for row, found in zip(tokens, np.asarray(mean.predict(tokens, verbose=0)), strict=True):
    np.testing.assert_allclose(found, table[row[row > 0]].mean(axis=0) + 1, rtol=1e-5)

inputs = keras.Input((4,), dtype="int32")
first, second = Halves()(layers.Embedding(6, 3, mask_zero=True)(inputs))
ends = keras.Model(inputs, [layers.GRU(2)(first), layers.GRU(2)(second)])
_, last = ends.predict(tokens, verbose=0)
assert not np.any(np.asarray(last)[:2])  # no step of these counts
assert np.all(np.asarray(last)[2])
