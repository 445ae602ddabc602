"""Recurrent nets as the course writes them: a^<t> hidden state, x^<t> input, one matrix for [a, x], gates Gamma."""

import numpy as np
import pytest

from fastnn import layers, ops, vjp
from fastnn.models import Sequential
from fastnn.random import set_random_seed


@pytest.fixture(autouse=True)
def seed():
    set_random_seed(0)


def sigma(z):
    return 1 / (1 + np.exp(-z))


def weights(rng, i, u, gates):
    """w for x, r for a, b; and what the course multiplies [a, x] with, gate by gate."""
    w, r, b = rng.standard_normal((i, gates * u)), rng.standard_normal((u, gates * u)), rng.standard_normal(gates * u)
    joined = np.concatenate([r, w])
    return w, r, b, [(joined[:, k : k + u], b[k : k + u]) for k in range(0, gates * u, u)]


def test_a_simple_cell_and_its_output(rng):
    """12.01: a^<t> = g(W_a [a^<t-1>, x^<t>] + b_a), y^<t> = g(W_ya a^<t> + b_y)."""
    w, r, b, [(w_a, b_a)] = weights(rng, 3, 4, 1)
    w_ya, b_y, x = rng.standard_normal((4, 2)), rng.standard_normal(2), rng.standard_normal((1, 5, 3))
    a, y = np.zeros((1, 4)), []
    for t in range(5):
        a = np.tanh(np.concatenate([a, x[:, t]], 1) @ w_a + b_a)
        y.append(sigma(a @ w_ya + b_y))
    states, last = ops.simple_rnn(x, w, r, b)
    np.testing.assert_allclose(ops.dense(states, w_ya, b_y, activation="sigmoid"), np.stack(y, 1), rtol=1e-10)
    np.testing.assert_allclose(last, a, rtol=1e-10)


def test_back_through_time_adds_up_all_steps(rng):
    """12.02: the gradient of W is the sum over the steps of what each would have given as a matrix of its own."""
    w, r, b, _ = weights(rng, 2, 3, 1)
    x, step = rng.standard_normal((1, 4, 2)), 1e-6

    def last(matrices):
        a = np.zeros((1, 3))
        for t in range(4):
            a = np.tanh(x[:, t] @ w + a @ matrices[t] + b)
        return a.sum()

    total = np.zeros_like(r)
    for t in range(4):
        for at in np.ndindex(*r.shape):
            moved = np.zeros_like(r)
            moved[at] = step
            up, down = ([r + sign * moved if k == t else r for k in range(4)] for sign in (1, -1))
            total[at] += (last(up) - last(down)) / (2 * step)
    (_, h), pullback = vjp(lambda r: ops.simple_rnn(x, w, r, b), r)
    np.testing.assert_allclose(pullback((np.zeros((1, 4, 3)), np.ones_like(h)))[0], total, rtol=1e-6, atol=1e-8)


def test_the_kinds_of_recurrent_nets(rng):
    """12.03: one to one, one to many, many to one, many to many of equal and of other lengths."""
    kinds = {
        ((3,), (1,)): [layers.Dense(1)],
        ((3,), (7, 1)): [layers.RepeatVector(7), layers.GRU(4, return_sequences=True), layers.Dense(1)],
        ((9, 3), (1,)): [layers.GRU(4), layers.Dense(1)],
        ((9, 3), (9, 1)): [layers.GRU(4, return_sequences=True), layers.Dense(1)],
        ((9, 3), (5, 1)): [
            *(layers.GRU(4), layers.RepeatVector(5), layers.GRU(4, return_sequences=True)),
            layers.Dense(1),
        ],
    }
    for (given, wanted), parts in kinds.items():
        assert Sequential(parts)(rng.standard_normal((2, *given)).astype(np.float32)).shape == (2, *wanted)


def test_nine_words_in_a_batch_of_longer_ones(rng):
    """12.04: T_x = T_y = 9, padded to 12: the padding changes nothing."""
    words = rng.standard_normal((1, 9, 3)).astype(np.float32)
    padded = np.concatenate([words, rng.standard_normal((1, 3, 3)).astype(np.float32)], 1)
    tagger = layers.LSTM(4, return_sequences=True, return_state=True)
    y, *states = tagger(words)
    y_padded, *states_padded = tagger(padded, mask=np.arange(12)[None] < 9)
    np.testing.assert_array_equal(y_padded[:, :9], y)
    for state, expected in zip(states_padded, states, strict=True):
        np.testing.assert_array_equal(state, expected)


def test_gru_of_the_course(rng):
    """12.05: c~ = tanh(W_c [Gamma_r * c, x] + b_c), c^<t> = Gamma_u * c~ + (1 - Gamma_u) * c^<t-1>; Gamma_u = 1 - z."""
    w, r, b, [(w_z, b_z), (w_r, b_r), (w_c, b_c)] = weights(rng, 3, 4, 3)
    x, c = rng.standard_normal((2, 6, 3)), np.zeros((2, 4))
    for t in range(6):
        joined = np.concatenate([c, x[:, t]], 1)
        gamma_u, gamma_r = 1 - sigma(joined @ w_z + b_z), sigma(joined @ w_r + b_r)
        candidate = np.tanh(np.concatenate([gamma_r * c, x[:, t]], 1) @ w_c + b_c)
        c = gamma_u * candidate + (1 - gamma_u) * c
    np.testing.assert_allclose(ops.gru(x, w, r, b)[1], c, rtol=1e-10)


def test_lstm_of_the_course(rng):
    """12.06: c^<t> = Gamma_u * c~ + Gamma_f * c^<t-1>, a^<t> = Gamma_o * tanh(c^<t>)."""
    w, r, b, [(w_u, b_u), (w_f, b_f), (w_c, b_c), (w_o, b_o)] = weights(rng, 3, 4, 4)
    x, a, c = rng.standard_normal((2, 6, 3)), np.zeros((2, 4)), np.zeros((2, 4))
    for t in range(6):
        joined = np.concatenate([a, x[:, t]], 1)
        candidate = np.tanh(joined @ w_c + b_c)
        c = sigma(joined @ w_u + b_u) * candidate + sigma(joined @ w_f + b_f) * c
        a = sigma(joined @ w_o + b_o) * np.tanh(c)
    _, h, cell = ops.lstm(x, w, r, b)
    np.testing.assert_allclose(h, a, rtol=1e-10)
    np.testing.assert_allclose(cell, c, rtol=1e-10)


def test_both_directions_see_the_whole_sentence(rng):
    """12.07: what step t says depends on every word, before and behind it."""
    x = rng.standard_normal((1, 6, 3)).astype(np.float32)
    y, pullback = vjp(layers.Bidirectional(layers.LSTM(4, return_sequences=True)), x)
    for t in range(6):
        dy = np.zeros_like(y)
        dy[:, t] = 1
        assert (np.abs(pullback(dy)[0]).sum(2) > 0).all()


def test_far_words_are_lost_in_a_simple_net_and_kept_by_gates(rng):
    """12.08, the cat and the cats: 60 steps back the gradient is gone in a simple net whose weights are small, and is
    there in an LSTM whose forget gate is open, in a GRU whose update gate keeps."""
    x, w, r = np.zeros((1, 60, 1)), rng.standard_normal((1, 4)), 0.1 * rng.standard_normal((4, 4))
    start = 0.5 * np.ones((1, 4))

    def reach(op, begin):
        _, pullback = vjp(op, begin)
        return np.linalg.norm(pullback(np.ones_like(begin))[0])

    simple = reach(lambda a: ops.simple_rnn(x, w, r, None, a)[1], start)
    keep = np.concatenate([np.zeros(4), np.full(4, 10.0), np.zeros(8)])
    lstm = reach(lambda c: ops.lstm(x, np.tile(w, 4), np.tile(r, 4), keep, 0 * start, c)[2], start)
    gru = reach(lambda a: ops.gru(x, np.tile(w, 3), np.tile(r, 3), np.repeat([10.0, 0, 0], 4), a)[1], start)
    assert simple < 1e-30
    assert lstm > 0.1
    assert gru > 0.1
