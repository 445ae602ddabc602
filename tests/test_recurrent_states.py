"""Where sequences begin and end: stateful layers and steps one by one, against a layer that is handed its states."""

import numpy as np
import pytest

from fastnn import GradientTape, layers, ops
from fastnn.autograd import raw
from fastnn.random import set_random_seed
from fastnn.testing import covering, missing_pairs

CELLS = {"SimpleRNN": {}, "LSTM": {}, "GRU": {"reset_after": True}, "GRU of the course": {"reset_after": False}}


def own(x):
    return ops.softsign(x)


def made(kind, form, use_bias=True, activation="tanh", **settings):
    """By one kernel, step by step for an activation of one's own, or as cells in an RNN, one or two."""
    name = kind.split()[0]
    of_cell = {"use_bias": use_bias, "activation": own if form == "own activation" else activation, **CELLS[kind]}
    if form in ("kernel", "own activation"):
        return getattr(layers, name)(5, **of_cell, **settings)
    cells = [getattr(layers, f"{name}Cell")(units, **of_cell) for units in ((5,) if form == "cell" else (6, 5))]
    return layers.RNN(cells if form == "cells" else cells[0], **settings)


def pair(rng, case, first, second):
    """Two layers of the same weights, which are not those they begin with."""
    set_random_seed(1)
    settings = {name: case[name] for name in ("kind", "form", "use_bias", "activation")}
    one, other = made(**settings, **first), made(**settings, **second)
    for layer in (one, other):
        layer.build((3, 4, 2))
    one.set_weights([w + 0.3 * rng.standard_normal(w.shape) for w in one.get_weights()])
    other.set_weights(one.get_weights())
    return one, other


def random(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def leaves(states):
    return [leaf for part in states for leaf in leaves(part)] if isinstance(states, (list, tuple)) else [states]


def like(rng, states):
    return [like(rng, s) for s in states] if isinstance(states, (list, tuple)) else random(rng, *states.shape)


def assert_same(found, expected, **tolerance):
    for got, wanted in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(raw(got), raw(wanted), **{"rtol": 1e-6, "atol": 1e-7, **tolerance})


STATEFUL = {
    "kind": list(CELLS),
    "form": ["kernel", "own activation", "cell", "cells"],
    "use_bias": [True, False],
    "activation": ["tanh", "sigmoid"],
    "go_backwards": [False, True],
    "return_sequences": [False, True],
    "masked": [False, True],
    "given": [False, True],
}
STATEFUL_CASES = covering(**STATEFUL)
STEPS = {
    "kind": list(CELLS),
    "form": ["kernel", "own activation", "cell", "cells"],
    "use_bias": [True, False],
    "activation": ["tanh", "sigmoid"],
    "given": [False, True],
    "n": [3, 1],
}
STEP_CASES = covering(**STEPS)


def test_the_samples_hold_every_pair_of_values():
    assert not missing_pairs(STATEFUL, STATEFUL_CASES) and not missing_pairs(STEPS, STEP_CASES)


@pytest.mark.parametrize("case", STATEFUL_CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_a_stateful_layer_is_one_that_is_handed_its_last_states(rng, case):
    settings = {"return_state": True, **{name: case[name] for name in ("go_backwards", "return_sequences")}}
    stateful, plain = pair(rng, case, {**settings, "stateful": True}, settings)
    states = like(rng, plain.get_initial_state(3)) if case["given"] else None
    given = {"initial_state": states} if case["given"] else {}
    for batch in range(3):
        x, mask = random(rng, 3, 4, 2), rng.random((3, 4)) < 0.6 if case["masked"] else None
        y, *found = stateful(x, mask=mask, **(given if batch == 0 else {}))
        expected, *states = plain(x, mask=mask, initial_state=states)
        assert_same([y, found], [expected, states])
    stateful.reset_state()
    assert_same(stateful(x), plain(x))


@pytest.mark.parametrize("case", STEP_CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_steps_one_by_one_are_the_sequence_and_have_its_gradients(rng, case):
    steps, whole = pair(rng, case, {}, {"return_sequences": True, "return_state": True})
    x, dy = random(rng, case["n"], 4, 2), random(rng, case["n"], 4, 5)
    first = like(rng, whole.get_initial_state(case["n"])) if case["given"] else None

    def one_by_one(x):
        state, outputs = first, []
        for at in range(4):
            y, state = steps.step(np.ascontiguousarray(x[:, at]), state)
            outputs.append(y)
        return ops.stack(outputs, axis=1), state

    def at_once(x):
        y, *states = whole(x, initial_state=first)
        return y, states

    assert_same(one_by_one(x), at_once(x))
    found = []
    for run, layer in ((one_by_one, steps), (at_once, whole)):
        with GradientTape() as tape:
            y, states = run(x)
            loss = ops.sum(y * dy) + sum(ops.sum(state) for state in leaves(states))
        found.append([y, states, tape.gradient(loss, layer.trainable_variables)])
    assert_same(*found, rtol=2e-5, atol=1e-6)
