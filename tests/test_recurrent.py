import itertools
import re

import numpy as np
import pytest

from fastnn import GradientTape, layers, ops, vjp
from fastnn.autograd import raw
from fastnn.masks import mask_of
from fastnn.models import Sequential, load_model
from fastnn.random import set_random_seed
from fastnn.testing import covering

KINDS = {
    "SimpleRNN": (layers.SimpleRNN, layers.SimpleRNNCell),
    "GRU": (layers.GRU, layers.GRUCell),
    "LSTM": (layers.LSTM, layers.LSTMCell),
}


@pytest.fixture(params=KINDS)
def kind(request):
    set_random_seed(1)
    return KINDS[request.param]


def random(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def outputs_of(layer, x, **options):
    found = layer(x, **options)
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"return_sequences": True, "return_state": True},
        {"return_sequences": True, "go_backwards": True, "use_bias": False},
        {"return_state": True, "activation": "relu"},
        {"return_sequences": True, "zero_output_for_mask": True},
        {"zero_output_for_mask": True},
    ],
)
@pytest.mark.parametrize("masked", [False, True])
def test_one_kernel_is_the_cell_step_by_step(rng, kind, settings, masked):
    layer, cell = kind
    x, mask = random(rng, 3, 6, 4), np.tril(np.ones((3, 6), bool), 3)
    of_cell = {name: value for name, value in settings.items() if name in ("use_bias", "activation")}
    whole = layer(5, **settings)
    stepwise = layers.RNN(cell(5, **of_cell), **{k: v for k, v in settings.items() if k not in of_cell})
    outputs_of(whole, x), outputs_of(stepwise, x)
    stepwise.set_weights(whole.get_weights())
    options = {"mask": mask} if masked else {}
    results = []
    for one in (whole, stepwise):
        with GradientTape() as tape:
            xt = tape.watch(x)
            outputs = outputs_of(one, xt, **options)
            loss = sum(ops.sum(ops.square(y)) for y in outputs)
        results.append([*outputs, *tape.gradient(loss, [xt, *one.trainable_variables])])
    for got, expected in zip(*results, strict=True):
        np.testing.assert_allclose(raw(got), raw(expected), rtol=2e-5, atol=1e-6)


def test_shapes_are_known_before_the_call(rng, kind):
    for settings in ({}, {"return_sequences": True}, {"return_sequences": True, "return_state": True}):
        layer = kind[0](5, **settings)
        shapes = [y.shape for y in outputs_of(layer, random(rng, 3, 6, 4))]
        told = layer.compute_output_shape((3, 6, 4))
        assert shapes == list(told if settings.get("return_state") else [told])


def test_sequences_of_no_steps_end_where_they_begin(rng, kind):
    layer = kind[0](5, return_sequences=True, return_state=True)
    first = [random(rng, 3, 5) for _ in layer.state_size]
    y, *states = layer(np.zeros((3, 0, 4), np.float32), initial_state=first)
    assert y.shape == (3, 0, 5)
    for state, begin in zip(states, first, strict=True):
        np.testing.assert_array_equal(state, begin)


def test_initial_states_are_where_a_sequence_goes_on(rng, kind):
    layer, x = kind[0](5, return_sequences=True, return_state=True), random(rng, 3, 6, 4)
    y, *states = layer(x)
    first, *between = layer(x[:, :2])
    second, *last = layer(x[:, 2:], initial_state=between)
    np.testing.assert_allclose(np.concatenate([first, second], 1), y, rtol=1e-6)
    for state, expected in zip(last, states, strict=True):
        np.testing.assert_allclose(state, expected, rtol=1e-6)
    with pytest.raises(ValueError, match=r"expected initial_state of \d arrays, got 3"):
        layer(x, initial_state=[first] * 3)


def test_steps_one_by_one_are_the_sequence(rng, kind):
    layer, x = kind[0](5, return_sequences=True), random(rng, 2, 4, 3)
    state, outputs = None, []
    for at in range(4):
        y, state = layer.step(x[:, at], state)
        outputs.append(y)
    np.testing.assert_allclose(np.stack(outputs, 1), layer(x), rtol=1e-6)


def test_a_stateful_layer_goes_on_until_it_is_reset(rng, kind):
    layer, x = kind[0](5, return_sequences=True, stateful=True), random(rng, 3, 6, 4)
    whole = layer(x)
    layer.reset_state()
    parts = [layer(x[:, :2]), layer(x[:, 2:])]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-6)
    with pytest.raises(ValueError, match="expected a batch of 3, as the states of a stateful layer have, got 2"):
        layer(x[:2])


def test_masks_are_honoured_and_handed_on(rng):
    embedded = layers.Embedding(10, 4, mask_zero=True)
    tokens = np.array([[3, 4, 0, 0], [5, 6, 7, 8]])
    inner, outer = layers.LSTM(5, return_sequences=True), layers.LSTM(5)
    y = inner(embedded(tokens))
    np.testing.assert_array_equal(mask_of(y), tokens != 0)
    z = outer(y)
    assert mask_of(z) is None
    np.testing.assert_allclose(z[0], outer(inner(embedded(tokens[:1, :2])))[0], rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.RNN(layers.LSTMCell(3), return_sequences=True),
        lambda: layers.RNN([layers.GRUCell(4), layers.SimpleRNNCell(3)], return_sequences=True),
        lambda: layers.LSTM(3, return_sequences=True),
        lambda: layers.GRU(3, activation="swish", return_sequences=True),
        lambda: layers.SimpleRNN(3, return_sequences=True),
    ],
)
@pytest.mark.parametrize("dtype", [np.int32, bool])
def test_integers_are_numbers_and_rows_of_booleans_a_mask(rng, make, dtype):
    set_random_seed(1)
    layer = make()
    x, rows = rng.integers(-2, 3, (2, 4, 3)).astype(dtype), [[True, True, False, True], [True, False, False, False]]
    stacked = len(getattr(layer.cell, "cells", ())) > 0
    states = [np.ones((2, units), int) for units in ((4, 3) if stacked else [3] * len(layer.get_initial_state(2)))]
    expected = layer(x.astype(np.float32), initial_state=[s.astype(np.float32) for s in states], mask=np.array(rows))
    for mask in (rows, np.array(rows)[..., None], [np.array(rows), None]):
        np.testing.assert_array_equal(layer(x, initial_state=states, mask=mask), expected)


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 2), (4,), (0,)])
def test_masks_that_do_not_fit_are_refused(kind, shape):
    layer, cell = kind
    for one in (layer(3), layers.RNN(cell(3))):
        message = rf"expected a mask of shape \(2, 4\), got {re.escape(str(shape))}"
        with pytest.raises(ValueError, match=message):
            one(np.zeros((2, 4, 3), np.float32), mask=np.ones(shape, bool))


def test_initial_states_are_arrays(kind):
    with pytest.raises(TypeError, match="expected initial_state of arrays, got lists of numbers"):
        kind[0](1)(np.zeros((1, 2, 3), np.float32), initial_state=[[[1.0]]] * (2 if kind[0] is layers.LSTM else 1))


@pytest.mark.parametrize("sequences", [False, True])
def test_before_the_first_step_that_counts_the_output_is_the_initial_state(rng, kind, sequences):
    """By kernels, step by step and through stacked cells alike."""
    layer, cell = kind
    x, h, c = random(rng, 3, 5, 4), random(rng, 3, 6), random(rng, 3, 6)
    mask = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 0, 1], [0, 0, 0, 0, 0]], bool)
    state = [h, c] if layer is layers.LSTM else [h]
    whole = layer(6, return_sequences=sequences)
    stepwise, stacked = (layers.RNN(made, return_sequences=sequences) for made in (cell(6), [cell(6)]))
    y = whole(x, initial_state=state, mask=mask)
    np.testing.assert_array_equal(y[2], np.broadcast_to(h[2], y[2].shape))
    if sequences:
        np.testing.assert_array_equal(y[1, :2], np.broadcast_to(h[1], (2, 6)))
    for other, given in ((stepwise, state), (stacked, [state])):
        other.build(x.shape)
        other.set_weights(whole.get_weights())
        np.testing.assert_allclose(other(x, initial_state=given, mask=mask), y, rtol=1e-5, atol=1e-6)


def test_dropout_is_one_draw_for_a_whole_sequence(rng, kind):
    """With one input to every step and no way back from the state, all steps are dropped alike."""
    layer = kind[0](8, return_sequences=True, dropout=0.5, recurrent_dropout=0.5, seed=3)
    x = np.broadcast_to(random(rng, 4, 1, 6), (4, 5, 6))
    still, y, again = layer(x), layer(x, training=True), layer(x, training=True)
    assert not np.array_equal(y, still)
    assert not np.array_equal(y, again)
    cell = layer.cell
    cell.recurrent_kernel.assign(np.zeros(cell.recurrent_kernel.shape))
    first, pullback = vjp(lambda x: layer(x, training=True), np.ascontiguousarray(x))
    (dx,) = pullback(np.ones_like(first))
    kept = dx != 0
    np.testing.assert_array_equal(kept, np.broadcast_to(kept[:, :1], kept.shape))
    assert 0 < kept[:, 0].mean() < 1


DROPPED = covering(
    dropout=[0.4, 0.0],
    recurrent_dropout=[0.5, 0.0],
    masked=[False, True],
    go_backwards=[True, False],
    return_sequences=[True, False],
)


@pytest.mark.parametrize("case", DROPPED, ids=lambda case: "-".join(map(str, case.values())))
def test_kernels_drop_what_cells_drop_step_by_step(rng, kind, case):
    """Forward, backward and once more, for the next sequences are dropped in other places."""
    layer, cell = kind
    x, mask = random(rng, 3, 6, 4), rng.random((3, 6)) < 0.7 if case["masked"] else None
    rates = {"dropout": case["dropout"], "recurrent_dropout": case["recurrent_dropout"], "seed": 7}
    settings = {name: case[name] for name in ("go_backwards", "return_sequences")}
    whole, stepwise = layer(5, **rates, **settings), layers.RNN(cell(5, **rates), **settings)
    for one in (whole, stepwise):
        one.build(x.shape)
    stepwise.set_weights(whole.get_weights())
    seen = [raw(whole(x, mask=mask))]
    for _ in range(2):
        results = []
        for one in (whole, stepwise):
            with GradientTape() as tape:
                xt = tape.watch(x)
                y = one(xt, mask=mask, training=True)
                loss = ops.sum(ops.square(y))
            results.append([raw(y), *tape.gradient(loss, [xt, *one.trainable_variables])])
        for got, expected in zip(*results, strict=True):
            np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)
        seen.append(results[0][0])
    dropping = bool(case["dropout"] or case["recurrent_dropout"])
    assert all(np.array_equal(a, b) != dropping for a, b in itertools.combinations(seen, 2))


def test_a_cell_of_ones_own_runs_step_by_step(rng):
    class Sum:
        state_size = 4

        def call(self, x, states):
            total = states[0] + x
            return total * 2.0, [total]

    x = random(rng, 3, 5, 4)
    y, state = layers.RNN(Sum(), return_sequences=True, return_state=True)(x)
    np.testing.assert_allclose(y, 2 * x.cumsum(1), rtol=1e-5)
    np.testing.assert_allclose(state, x.sum(1), rtol=1e-5)


def test_stacked_cells_are_layers_one_upon_the_other(rng, kind):
    layer, cell = kind
    x = random(rng, 3, 5, 4)
    stack = layers.RNN([cell(6), cell(5)], return_sequences=True)
    y = stack(x)
    first, second = layer(6, return_sequences=True), layer(5, return_sequences=True)
    second(first(x))
    weights = stack.get_weights()
    first.set_weights(weights[: len(weights) // 2])
    second.set_weights(weights[len(weights) // 2 :])
    np.testing.assert_allclose(y, second(first(x)), rtol=1e-5, atol=1e-6)


def test_configurations_round_trip(rng, kind):
    layer, cell = kind
    x = random(rng, 2, 3, 4)
    settings = {"dropout": 0.1, "recurrent_dropout": 0.2, "kernel_regularizer": "l2", "activation": "relu", "seed": 4}
    for one in (
        layer(5, return_state=True, go_backwards=True, **settings),
        layers.RNN(cell(5, **settings), return_sequences=True),
        layers.RNN([cell(5), cell(3)]),
    ):
        outputs = outputs_of(one, x)
        twin = layers.deserialize(layers.serialize(one))
        assert twin.get_config() == one.get_config()
        outputs_of(twin, x)
        twin.set_weights(one.get_weights())
        np.testing.assert_array_equal(outputs_of(twin, x)[0], outputs[0])


@pytest.mark.parametrize("stateful", [False, True])
def test_recorded_steps_are_the_eager_ones(rng, kind, stateful):
    x, y = random(rng, 24, 5, 3), random(rng, 24, 1)
    results = []
    for eager in (True, False):
        set_random_seed(2)
        model = Sequential(
            [
                kind[0](6, return_sequences=True, dropout=0.2, recurrent_dropout=0.2),
                kind[0](4, stateful=stateful),
                layers.Dense(1),
            ]
        )
        model.compile("adam", "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        if not eager:
            assert model._steps_now()._training._steps
        model.layers[1].reset_state()
        results.append([*model.get_weights(), model.predict(x, batch_size=8, verbose=0)])
    for recorded, eager in zip(*results, strict=True):
        np.testing.assert_array_equal(recorded, eager)


def test_models_are_saved_and_loaded(rng, kind, tmp_path):
    model = Sequential([kind[0](6, return_sequences=True), layers.RNN([kind[1](4), kind[1](3)]), layers.Dense(1)])
    x = random(rng, 5, 4, 3)
    y = model(x)
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(load_model(tmp_path / "model.safetensors")(x), y)


# ---- Bidirectional, TimeDistributed ------------------------------------------------------------------------------

MERGES = {
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "sum": lambda a, b: a + b,
    "ave": lambda a, b: (a + b) / 2,
    "mul": lambda a, b: a * b,
}


@pytest.mark.parametrize("merge", [*MERGES, None])
@pytest.mark.parametrize("sequences", [False, True])
def test_both_directions_are_two_layers(rng, kind, merge, sequences):
    x = random(rng, 3, 5, 4)
    both = layers.Bidirectional(kind[0](6, return_sequences=sequences, return_state=True), merge_mode=merge)
    found = both(x)
    assert [y.shape for y in found] == list(both.compute_output_shape(x.shape))
    first, *states = both.forward_layer(x)
    second, *others = both.backward_layer(np.ascontiguousarray(x))
    if sequences:
        second = second[:, ::-1]
    expected = (first, second) if merge is None else (MERGES[merge](first, second),)
    for got, wanted in zip(found, (*expected, *states, *others), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
    begin = [random(rng, 3, 6) for _ in (*states, *others)]
    last = both.backward_layer(x, initial_state=begin[len(states) :])[-1]
    np.testing.assert_allclose(both(x, initial_state=begin)[-1], last)


def test_both_directions_begin_where_they_ended_until_both_are_reset(rng, kind):
    both, x = layers.Bidirectional(kind[0](6, return_sequences=True, stateful=True)), random(rng, 3, 5, 4)
    first, then = both(x), both(x)
    for half in (slice(0, 6), slice(6, 12)):
        assert (first[..., half] != then[..., half]).any()
    both.reset_state()
    np.testing.assert_array_equal(both(x), first)


def test_both_directions_drop_while_training_alone(rng, kind):
    both, x = layers.Bidirectional(kind[0](6, dropout=0.5, seed=3)), random(rng, 3, 5, 4)
    still, y = both(x), both(x, training=True)
    for half in (slice(0, 6), slice(6, 12)):
        assert (y[:, half] != still[:, half]).any()
    np.testing.assert_array_equal(both(x), still)


def test_both_directions_skip_padding_and_end_it_with_zeros(rng, kind):
    x, mask = random(rng, 2, 5, 4), np.array([[True] * 5, [True] * 3 + [False] * 2])
    both = layers.Bidirectional(kind[0](6, return_sequences=True))
    y = both(x, mask=mask)
    np.testing.assert_allclose(y[1:, :3], both(x[1:, :3]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(y[1, 3:], 0)
    np.testing.assert_array_equal(mask_of(y), mask)


def test_layers_that_are_no_pair_are_refused():
    with pytest.raises(ValueError, match="expected layers with different go_backwards, got False for both"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3))
    with pytest.raises(ValueError, match="expected layers with one return_sequences, got False and True"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.GRU(3, go_backwards=True, return_sequences=True))
    with pytest.raises(ValueError, match=r"expected merge_mode one of .*, got 'max'"):
        layers.Bidirectional(layers.LSTM(3), merge_mode="max")
    with pytest.raises(ValueError, match=r"expected layer to be recurrent, .*, got Dense without go_backwards"):
        layers.Bidirectional(layers.Dense(3))
    with pytest.raises(ValueError, match=r"\[here\] expected sequences \(n, t, ...\), got \(None, 4\)"):
        layers.LSTM(3, name="here")(np.zeros((2, 4)))


def test_a_layer_at_every_step_is_the_layer_of_every_step(rng):
    x = random(rng, 3, 5, 4)
    dense = layers.Dense(2, activation="tanh")
    spread = layers.TimeDistributed(dense)
    np.testing.assert_allclose(spread(x), np.stack([dense(x[:, t]) for t in range(5)], 1), rtol=1e-6)
    assert spread.compute_output_shape((None, 5, 4)) == (None, 5, 2)
    inner = layers.TimeDistributed(layers.LSTM(3))
    images = random(rng, 2, 3, 5, 4)
    np.testing.assert_allclose(inner(images)[:, 1], inner.layer(images[:, 1]), rtol=1e-6)
    with pytest.raises(ValueError, match=r"expected an input with at least 3 axes \(n, t, ...\), got \(None, 4\)"):
        layers.TimeDistributed(layers.Dense(2))(x[:, 0])


class MaskedSum(layers.Layer):
    """The sum of a vector, 0 where a mask says so."""

    def call(self, x, mask=None):
        y = ops.sum(x, axis=-1, keepdims=True)
        return y if mask is None else ops.where(ops.expand_dims(mask, -1), y, 0.0)


def test_a_layer_at_every_step_gets_the_mask_of_its_step(rng):
    x, mask = random(rng, 2, 3, 4), np.array([[True, False, True], [False, True, True]])
    np.testing.assert_allclose(layers.TimeDistributed(MaskedSum())(x, mask=mask)[..., 0], x.sum(-1) * mask, rtol=1e-5)
    inner, images = layers.TimeDistributed(layers.LSTM(3)), random(rng, 2, 3, 5, 4)
    steps = rng.random((2, 3, 5)) < 0.7
    np.testing.assert_allclose(inner(images, mask=steps)[:, 1], inner.layer(images[:, 1], mask=steps[:, 1]), rtol=1e-6)
    np.testing.assert_array_equal(inner(images, mask=mask), inner(images))  # says nothing about the steps inside
    spread = layers.TimeDistributed(layers.Dense(2))
    for given in (mask, steps):
        np.testing.assert_array_equal(spread(x, mask=given), spread(x))  # Dense takes none
    for shape in ((2, 4), (3, 3), (2,)):
        with pytest.raises(ValueError, match=r"expected a mask of shape \(2, 3, ...\), got"):
            spread(x, mask=np.ones(shape, bool))


def test_wrappers_round_trip_and_are_recorded(rng, kind, tmp_path):
    x, y = random(rng, 24, 5, 3), random(rng, 24, 5, 1)
    results = []
    for eager in (True, False):
        set_random_seed(2)
        model = Sequential(
            [
                layers.Bidirectional(kind[0](4, return_sequences=True)),
                layers.Bidirectional(layers.RNN(kind[1](3), return_sequences=True), merge_mode="sum"),
                layers.TimeDistributed(layers.Dense(1)),
            ]
        )
        model.compile("adam", "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        assert eager or model._steps_now()._training._steps
        results.append(model.get_weights())
    for recorded, eager in zip(*results, strict=True):
        np.testing.assert_array_equal(recorded, eager)
    model.save(tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


# ---- ConvLSTM ----------------------------------------------------------------------------------------------------

CONV_LSTMS = {1: layers.ConvLSTM1D, 2: layers.ConvLSTM2D, 3: layers.ConvLSTM3D}


@pytest.mark.parametrize("rank", CONV_LSTMS)
def test_a_window_of_one_makes_an_lstm_of_every_place(rng, rank):
    set_random_seed(1)
    places = (2, 3, 2)[:rank]
    x, mask = random(rng, 2, 4, *places, 3), np.array([[True] * 4, [True, True, False, False]])
    moved = CONV_LSTMS[rank](5, 1, return_sequences=True, return_state=True)
    outputs = moved(x, mask=mask)
    assert [y.shape for y in outputs] == list(moved.compute_output_shape(x.shape))
    plain = layers.LSTM(5, return_sequences=True, return_state=True)
    for place in np.ndindex(*places):
        at = x[(slice(None), slice(None), *place)]
        plain(at)
        plain.set_weights([w.reshape(w.shape[-2:]) if w.ndim > 1 else w for w in moved.get_weights()])
        expected = plain(at, mask=mask)
        for got, wanted in zip(outputs, expected, strict=True):
            leading = 2 if got.ndim == rank + 3 else 1
            np.testing.assert_allclose(got[(*[slice(None)] * leading, *place)], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"strides": (2, 1), "padding": "same"}, {"dilation_rate": (1, 2)}, {"strides": 2}, {"padding": "same"}]
)
def test_conv_lstm_is_its_equations(rng, settings):
    """Shi et al., 2015, equation 3 without peepholes, with the convolutions of ops."""
    set_random_seed(1)
    x = random(rng, 2, 3, 6, 5, 2)
    layer = layers.ConvLSTM2D(4, (3, 2), return_sequences=True, **settings)
    y = layer(x)
    kernel, recurrent, bias = layer.get_weights()
    h = c = np.zeros((2, *y.shape[2:]), np.float32)
    for t in range(3):
        z = ops.conv2d(x[:, t], kernel, bias, **settings) + ops.conv2d(h, recurrent, padding="same")
        i, f, g, o = np.split(z, 4, -1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * np.tanh(g)
        h = ops.sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(y[:, t], h, rtol=1e-5, atol=1e-6)


def test_conv_lstm_of_one_place_drops_what_an_lstm_drops(rng):
    rates, x = {"dropout": 0.4, "recurrent_dropout": 0.5, "seed": 7}, random(rng, 3, 4, 1, 2)
    moved, plain = layers.ConvLSTM1D(5, 1, **rates), layers.LSTM(5, **rates)
    moved.build(x.shape)
    plain.build((3, 4, 2))
    plain.set_weights([w.reshape(w.shape[-2:]) if w.ndim > 1 else w for w in moved.get_weights()])
    for _ in range(2):
        expected = plain(np.ascontiguousarray(x[:, :, 0]), training=True)
        np.testing.assert_allclose(moved(x, training=True)[:, 0], expected, rtol=1e-5, atol=1e-6)


def test_forget_gates_begin_open():
    for unit_forget_bias in (True, False):
        layer = layers.LSTM(2, unit_forget_bias=unit_forget_bias)
        layer.build((1, 1, 3))
        np.testing.assert_array_equal(layer.get_weights()[2], np.repeat([0, int(unit_forget_bias), 0, 0], 2))


def leaky(x):
    return ops.leaky_relu(x, negative_slope=0.3)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda kind: kind[0](4, return_sequences=True), id="kernel"),
        pytest.param(lambda kind: kind[0](4, leaky, return_sequences=True), id="own activation"),
        pytest.param(lambda kind: layers.RNN([kind[1](3), kind[1](4)], return_sequences=True), id="cells"),
    ],
)
def test_nan_in_padding_reaches_nothing(rng, kind, make):
    x, mask = random(rng, 3, 5, 2), np.arange(5) < np.array([[5], [2], [0]])
    layer = make(kind)
    layer.build(x.shape)
    found = []
    for padding in (0.0, np.nan):
        given = np.where(mask[..., None], x, np.float32(padding))
        with GradientTape() as tape:
            given = tape.watch(given)
            y = layer(given, mask=mask)
        found.append([raw(y), *tape.gradient(y, [given, *layer.trainable_variables])])
    for zeros, nans in zip(*found, strict=True):
        assert np.isfinite(nans).all()
        np.testing.assert_array_equal(nans, zeros)


def test_nan_in_padding_of_pictures_reaches_nothing(rng):
    x, mask = random(rng, 2, 3, 4, 4, 1), np.array([[True, True, False], [False, True, True]])
    layer = layers.ConvLSTM2D(2, 3)
    with GradientTape() as tape:
        y = layer(np.where(mask[..., None, None, None], x, np.float32(np.nan)), mask=mask)
    for found in (raw(y), *tape.gradient(y, layer.trainable_variables)):
        assert np.isfinite(found).all()


def test_cells_under_a_mask_are_recorded(rng):
    x, y = rng.integers(0, 5, (12, 6)), random(rng, 12, 1)
    results = []
    for eager in (True, False):
        set_random_seed(3)
        cells = [layers.LSTMCell(4), layers.GRUCell(3)]
        model = Sequential([layers.Embedding(5, 2, mask_zero=True), layers.RNN(cells), layers.Dense(1)])
        model.compile("adam", "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        assert eager or model._steps_now()._training._steps
        results.append(model.get_weights())
    for recorded, eager in zip(*results, strict=True):
        np.testing.assert_array_equal(recorded, eager)


def test_conv_lstm_trains_recorded_and_is_saved(rng, tmp_path):
    x, y = random(rng, 8, 3, 5, 5, 1), random(rng, 8, 1)
    results = []
    for eager in (True, False):
        set_random_seed(2)
        moved = layers.ConvLSTM2D(3, 3, dropout=0.2, recurrent_dropout=0.2)
        model = Sequential([moved, layers.Flatten(), layers.Dense(1)])
        model.compile("adam", "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        assert eager or model._steps_now()._training._steps
        results.append(model.get_weights())
    for recorded, eager in zip(*results, strict=True):
        np.testing.assert_array_equal(recorded, eager)
    model.save(tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(ValueError, match="expected steps with 4 axes, all but the first of known lengths"):
        layers.ConvLSTM2D(3, 3).build((None, 3, None, 5, 1))


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_activations_without_a_kernel_are_taken_step_by_step(rng, name):
    """A function of one's own that is tanh gives what tanh gives, forward and backward."""

    def own(x):
        return ops.tanh(x)

    x = random(rng, 3, 4, 5)
    settings = [{"reset_after": after} for after in (False, True)] if name == "GRU" else [{}]
    for extra in settings:
        results = []
        for activation in ("tanh", own):
            set_random_seed(3)
            layer = getattr(layers, name)(6, activation=activation, return_sequences=True, **extra)
            layer(x)
            layer.set_weights([w + 0.1 for w in layer.get_weights()])
            y, pullback = vjp(layer, x)
            results.append([y, *pullback(np.ones_like(y), variables=layer.trainable_variables)[1]])
        for got, expected in zip(*results, strict=True):
            np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-5)
