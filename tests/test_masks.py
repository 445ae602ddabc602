"""Masks: where they come from, who hands them on, what losses and metrics make of them."""

import gc

import numpy as np
import pytest

from fastnn import Model, Sequential, layers, losses, masks, metrics, ops
from fastnn.autograd import GradientTape
from fastnn.layers import Dense, Dropout, Embedding, Flatten, Input, Masking
from fastnn.masks import mask_of, masked, set_mask

WORDS = np.array([[3, 1, 0, 0], [2, 0, 0, 0], [1, 2, 3, 3]])


@pytest.fixture(autouse=True)
def _no_masks_are_left_behind():
    yield
    gc.collect()
    assert not masks.table


def embedded(**options):
    return Embedding(4, 5, mask_zero=True, **options)(WORDS)


def test_a_mask_goes_with_its_array():
    x = np.zeros((2, 3), np.float32)
    set_mask(x, [[1, 0, 1], [1, 1, 1]])
    assert mask_of(x).dtype == bool and mask_of(x[:]) is None
    del x
    assert not masks.table


def test_a_mask_can_be_replaced_and_taken_away():
    x = np.zeros((2, 3), np.float32)
    set_mask(x, np.zeros((2, 3)))
    set_mask(x, np.ones((2, 3)))
    assert mask_of(x).all()
    set_mask(x, None)
    assert mask_of(x) is None


def test_embedding_masks_zeros_and_masking_masks_steps_of_one_value():
    np.testing.assert_array_equal(mask_of(y := embedded()), WORDS != 0)
    assert y.shape == (3, 4, 5)
    plain = Embedding(4, 5)(WORDS)
    assert mask_of(plain) is None
    x = np.array([[[7, 7], [7, 1], [0, 0]]], np.float32)
    y = Masking(7.0)(x)
    np.testing.assert_array_equal(mask_of(y), [[False, True, True]])
    np.testing.assert_array_equal(y, [[[0, 0], [7, 1], [0, 0]]])
    assert Masking.from_config(Masking(7.0).get_config()).mask_value == 7.0


def test_layers_of_single_steps_hand_masks_on_also_inside_a_tape():
    stack = [Dense(3), Dropout(0.5), layers.Activation("tanh"), layers.ReLU(), layers.Softmax(), layers.PReLU()]
    x = embedded()
    for layer in stack:
        x = layer(x)
        np.testing.assert_array_equal(mask_of(x), WORDS != 0)
    with GradientTape():
        y = Dense(3)(Embedding(4, 5, mask_zero=True)(WORDS))
        np.testing.assert_array_equal(mask_of(y), WORDS != 0)
        del y


def test_a_mask_outlives_a_cast():
    x = masked(np.zeros((2, 3, 4)), np.ones((2, 3)))
    y = Dense(2, dtype="float32")(x)
    assert y.dtype == np.float32 and mask_of(y).shape == (2, 3)


def test_a_layer_that_would_lose_a_mask_refuses_it():
    with pytest.raises(ValueError, match=r"\[here\] expected an input without a mask, which Flatten would lose"):
        Flatten(name="here")(embedded())
    layer = Flatten(drop_mask=True)
    assert mask_of(layer(embedded())) is None
    assert Flatten.from_config(layer.get_config()).drop_mask
    assert mask_of(Dense(2, drop_mask=True)(embedded())) is None


class MeanOfSteps(layers.Layer):
    """Takes a mask and hands none on."""

    def call(self, x, mask=None):
        weight = np.ones(x.shape[:2], x.dtype) if mask is None else mask.astype(x.dtype)
        return (x * weight[..., None]).sum(1) / weight.sum(1, keepdims=True)


class FirstSteps(layers.Layer):
    """Takes what comes and hands on a mask of its own."""

    def call(self, x):
        return x[:, :2]

    def compute_mask(self, inputs, previous_mask=None):
        return None if previous_mask is None else previous_mask[:, :2]


class Match(layers.Layer):
    """Two inputs, each with its mask."""

    def call(self, left, right, left_mask=None, right_mask=None):
        self.seen = left_mask, right_mask
        return left


def test_layers_that_do_not_know_masks_say_so():
    assert not layers.EinsumDense("ab,bc->ac", 3).supports_masking
    pooled = layers.GlobalAveragePooling1D()
    assert pooled.supports_masking and mask_of(pooled(embedded())) is None
    assert pooled.compute_mask(embedded(), np.ones((3, 4), bool)) is None


def test_own_layers_take_masks_and_make_them():
    x = embedded()
    np.testing.assert_allclose(MeanOfSteps()(x)[1], x[1, 0], rtol=1e-6)
    np.testing.assert_allclose(MeanOfSteps()(x, mask=np.ones((3, 4), bool))[1], x[1].mean(0), rtol=1e-6)
    assert mask_of(MeanOfSteps()(x)) is None
    np.testing.assert_array_equal(mask_of(FirstSteps()(x)), WORDS[:, :2] != 0)
    assert mask_of(FirstSteps()(np.zeros((2, 3, 4)))) is None
    match = Match()
    match(np.zeros((3, 4)), x)
    assert match.seen[0] is None and match.seen[1] is mask_of(x)
    match(x, right=np.zeros((3, 4)), right_mask=np.ones((3, 4), bool))
    assert match.seen[0] is mask_of(x) and match.seen[1].all()


def test_sequential_passes_masks_from_layer_to_layer():
    model = Sequential([Embedding(4, 5, mask_zero=True), Dense(3), MeanOfSteps()])
    x = model.layers[1](model.layers[0](WORDS))
    np.testing.assert_allclose(model(WORDS)[0], x[0, :2].mean(0), rtol=1e-5)
    inner = Sequential([Embedding(4, 5, mask_zero=True)])
    np.testing.assert_array_equal(mask_of(Sequential([inner, Dense(3)])(WORDS)), WORDS != 0)
    tail = Sequential([Input((4, 5)), Dense(3)])
    given = np.ones((3, 4, 5), np.float32)
    assert mask_of(tail(given)) is None
    assert mask_of(tail(masked(given, WORDS != 0))) is not None
    assert mask_of(tail(given, mask=WORDS != 0)) is not None and mask_of(given) is None
    with pytest.raises(ValueError, match="expected an input without a mask"):
        Sequential([Embedding(4, 5, mask_zero=True), Dense(3), Flatten()])(WORDS)


@pytest.mark.parametrize("weights", [None, np.array([1.0, 2.0, 3.0]), np.arange(12.0).reshape(3, 4)])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("loss", [losses.SparseCategoricalCrossentropy, losses.MeanSquaredError])
def test_losses_count_steps_of_the_mask_alone(rng, loss, reduction, weights):
    y_pred = rng.uniform(0.1, 1.0, (3, 4, 5))
    y_true = rng.integers(0, 5, (3, 4)) if loss is losses.SparseCategoricalCrossentropy else rng.uniform(size=(3, 4, 5))
    each = loss(reduction="none")(y_true, y_pred)
    kept = WORDS != 0
    w = np.ones((3, 4)) if weights is None else np.broadcast_to(weights.reshape(3, -1), (3, 4))
    total = np.sum(each * w * kept)
    divisor = {"sum_over_batch_size": kept.sum(), "sum": 1, "mean_with_sample_weight": np.sum(w * kept)}[reduction]
    got = loss(reduction=reduction)(y_true, masked(y_pred, kept), weights)
    np.testing.assert_allclose(got, total / divisor, rtol=1e-6)


def test_metrics_count_steps_of_the_mask_alone(rng):
    scores, labels, kept = rng.uniform(size=(3, 4, 5)), rng.integers(0, 5, (3, 4)), WORDS != 0
    right = np.argmax(scores, -1) == labels
    right[0, 0] = scores[0, 0, labels[0, 0]] == scores[0, 0].max()
    expected = right[kept].mean()
    assert metrics.SparseCategoricalAccuracy()(labels, masked(scores, kept)) == pytest.approx(expected)
    assert metrics.CategoricalAccuracy()(np.eye(5)[labels], masked(scores, kept)) == pytest.approx(expected)
    assert metrics.MeanSquaredError()(np.zeros((3, 4, 5)), masked(scores, kept)) == pytest.approx(
        np.mean(scores[kept] ** 2)
    )


def trained(eagerly):
    from fastnn import utils

    utils.set_random_seed(3)
    model = Sequential([Embedding(4, 8, mask_zero=True), Dense(6, activation="tanh"), Dropout(0.2), Dense(4)])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], run_eagerly=eagerly)
    x = np.tile(WORDS, (8, 1))
    figures = [model.train_on_batch(x, np.roll(x, -1, axis=1), return_dict=True) for _ in range(5)]
    figures.append(model.test_on_batch(x, x, return_dict=True))
    figures.append(model.test_on_batch(x, x, return_dict=True))
    return model, figures


def test_recorded_steps_with_masks_are_those_of_python():
    (_, plain), (model, recorded) = trained(True), trained(False)
    assert recorded == plain
    steps = model._steps_now()
    assert steps._training._steps and steps._testing._steps  # there was something to replay


def test_accuracy_of_training_is_that_of_the_steps_that_count():
    model, _ = trained(False)
    model.reset_metrics()
    figures = model.test_on_batch(WORDS, WORDS, return_dict=True)
    right = np.argmax(model.predict(WORDS), -1) == WORDS
    assert figures["accuracy"] == pytest.approx(right[WORDS != 0].mean())


# ---- Embedding ----


def test_embedding_takes_vectors_and_adds_their_gradients():
    layer = Embedding(4, 2, weights=np.arange(8.0).reshape(4, 2))
    np.testing.assert_array_equal(layer(np.array([[3, 1]], np.int32)), [[[6, 7], [2, 3]]])
    np.testing.assert_array_equal(layer(np.array([[3.7, 1.0]])), [[[6, 7], [2, 3]]])
    with GradientTape() as tape:
        y = ops.sum(layer(np.array([1, 1, 3])) * np.array([[1, 2], [10, 20], [5, 6]], np.float32))
    np.testing.assert_array_equal(tape.gradient(y, layer.embeddings), [[0, 0], [11, 22], [0, 0], [5, 6]])
    assert layer.compute_output_shape((None, 7)) == (None, 7, 2)


def test_embedding_refuses_what_it_has_no_vector_for():
    for index in (4, -1, -5):
        message = rf"\[words\] \[take\] expected indices in \[0, 4\), got {index} at position 2"
        with pytest.raises(ValueError, match=message):
            Embedding(4, 2, name="words")(np.array([[0, 3], [index, 1]]))
    with pytest.raises(ValueError, match=r"\[Embedding\] expected input_dim to be a positive integer, got 0"):
        Embedding(0, 2)
    with pytest.raises(ValueError, match=r"\[Embedding\] expected no embeddings_constraint with lora_rank"):
        Embedding(4, 2, embeddings_constraint="non_neg", lora_rank=1)


def test_embedding_with_lora_trains_the_two_factors_alone():
    layer = Embedding(4, 3, lora_rank=2, lora_alpha=4.0)
    layer.build()
    assert [v.name for v in layer.trainable_variables] == ["lora_embeddings_a", "lora_embeddings_b"]
    table = layer.get_weights()[0]
    np.testing.assert_array_equal(layer(np.arange(4)), table)
    a, b = layer.lora_embeddings_a.numpy(), np.ones((2, 3), np.float32)
    layer.lora_embeddings_b.assign(b)
    np.testing.assert_allclose(layer(np.arange(4)), table + 2 * a @ b, rtol=1e-6)
    again = Embedding.from_config(layer.get_config())
    assert (again.lora_rank, again.lora_alpha, again.mask_zero) == (2, 4.0, False)


def test_embedding_round_trips_with_its_weights(tmp_path):
    from fastnn.models import load_model

    model = Sequential([Input((4,), dtype="float32"), Embedding(4, 3, mask_zero=True), Flatten(drop_mask=True)])
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(load_model(tmp_path / "m.safetensors")(WORDS), model(WORDS))


@pytest.mark.parametrize(
    ("merge", "both", "expected"),
    [
        (None, False, [[1.27461, 1.41725], [1.38981, 1.52850], [1.46162, 1.56485]]),
        ("Add", True, [[1.32431, 1.42328], [1.43045, 1.54531], [1.51615, 1.54116]]),
        ("Concatenate", True, [[1.22917, 1.37212], [1.34717, 1.46904], [1.37258, 1.46604]]),
        ("Average", True, [[1.32912, 1.43415], [1.43096, 1.53598], [1.49733, 1.54996]]),
        ("Multiply", True, [[1.21085, 1.30181], [1.35394, 1.50224], [1.44720, 1.54405]]),
        ("Multiply", False, [[1.50760, 1.50777], [1.48599, 1.52230], [1.39700, 1.35831]]),
        ("Maximum", True, [[1.29681, 1.47329], [1.48937, 1.58828], [1.48225, 1.59678]]),
        ("Maximum", False, [[1.52032, 1.50038], [1.53487, 1.55084], [1.60078, 1.73691]]),
        ("Minimum", True, [[1.23215, 1.36253], [1.36182, 1.47060], [1.44215, 1.54140]]),
        ("Minimum", False, [[1.50336, 1.49597], [1.49342, 1.51043], [1.37764, 1.32027]]),
    ],
)
def test_masks_reach_the_recurrent_layer_of_a_functional_model(merge, both, expected):
    """Numbers that Keras computes from the same weights. both: whether both inputs have masks, or the first alone."""
    x = [np.array([[3, 1, 0, 0], [2, 4, 1, 0], [1, 2, 3, 4]]), np.array([[1, 0, 0, 0], [2, 2, 2, 0], [4, 4, 0, 0]])]
    inputs = [layers.Input((4,), dtype="int32") for _ in x[: 1 if merge is None else 2]]
    embedded = [layers.Embedding(5, 3, mask_zero=i == 0 or both)(each) for i, each in enumerate(inputs)]
    merged = embedded[0] if merge is None else getattr(layers, merge)()(embedded)
    model = Model(inputs, layers.Dense(2)(layers.LSTM(4)(merged)))
    model.set_weights([np.sin(1.0 + np.arange(w.size)).reshape(w.shape) for w in model.get_weights()])
    np.testing.assert_allclose(model.predict(x[: len(inputs)], verbose=0), expected, atol=2e-5)


def test_a_mask_is_kept_where_an_initial_state_comes_with_the_sequence(rng):
    """Keras 3 forgets it there, as it does the mask of what has gone through MultiHeadAttention."""
    inputs, state = Input((None,), dtype="int32"), Input((3,))
    model = Model([inputs, state], layers.GRU(3)(Embedding(4, 5, mask_zero=True)(inputs), initial_state=state))
    first = rng.standard_normal((3, 3)).astype(np.float32)
    y = model.predict([WORDS, first], verbose=0)
    np.testing.assert_allclose(y[:1], model.predict([WORDS[:1, :2], first[:1]], verbose=0), rtol=1e-6)

    x = Embedding(4, 6, mask_zero=True)(inputs)
    added = layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)])
    block = Model(inputs, added)
    np.testing.assert_array_equal(mask_of(block(WORDS)), WORDS != 0)


class TemporalSoftmax(layers.Layer):
    """Softmax over the steps that count; there is none without a mask."""

    supports_masking = True

    def call(self, x, mask=None):
        assert mask is not None
        weights = ops.multiply(ops.exp(x), ops.expand_dims(ops.cast(mask, "float32"), -1))
        return ops.divide(weights, ops.sum(weights, axis=1, keepdims=True))


def test_a_layer_of_ones_own_meets_the_mask_when_the_graph_is_made():
    inputs = Input((None,), dtype="int32")
    x = layers.Dense(1)(layers.Embedding(10, 4, mask_zero=True)(inputs))
    assert x.mask_axes == 2
    model = Model(inputs, TemporalSoftmax()(x))
    tokens = np.array([[1, 2, 0], [3, 0, 0]])
    y = model(tokens)
    np.testing.assert_array_equal(y[..., 0] == 0, tokens == 0)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        (lambda: layers.LSTM(3, return_sequences=True), 2),
        (lambda: layers.LSTM(3), 0),
        (lambda: layers.Dropout(0.5), 2),
        (lambda: layers.Bidirectional(layers.GRU(2, return_sequences=True)), 2),
        (lambda: layers.Dense(2, drop_mask=True), 0),
    ],
)
def test_symbolic_outputs_know_whether_a_mask_comes_with_them(layer, axes):
    inputs = Input((4,), dtype="int32")
    masked = layers.Embedding(5, 3, mask_zero=True)(inputs)
    assert (masked.mask_axes, layers.Embedding(5, 3)(inputs).mask_axes) == (2, 0)
    assert layer()(masked).mask_axes == axes
    assert layers.Concatenate()([masked, masked]).mask_axes == 2
