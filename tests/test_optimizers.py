"""Optimizers against hand-computed steps and against plain NumPy over many."""

import numpy as np
import pytest

import fastnn
from fastnn import optimizers
from fastnn.autograd import Variable

G = np.array([0.5, -2.0, 0.0])
W = np.array([1.0, 2.0, 3.0])


def steps(optimizer, count, dtype="float64"):
    w = W.astype(dtype)
    for _ in range(count):
        optimizer.apply([G.astype(dtype)], [w])
    return w


def test_sgd_by_hand():
    np.testing.assert_allclose(steps(optimizers.SGD(0.1), 3), W - 3 * 0.1 * G, rtol=1e-15)


def test_momentum_by_hand():
    # v: -0.1 g, -0.19 g, -0.271 g
    np.testing.assert_allclose(steps(optimizers.SGD(0.1, momentum=0.9), 3), W - (0.1 + 0.19 + 0.271) * G, rtol=1e-15)


def test_nesterov_by_hand():
    # each step adds momentum v - 0.1 g: -0.19 g, -0.271 g, -0.3439 g
    w = steps(optimizers.SGD(0.1, momentum=0.9, nesterov=True), 3)
    np.testing.assert_allclose(w, W - (0.19 + 0.271 + 0.3439) * G, rtol=1e-15)


def test_rmsprop_by_hand():
    # s after three steps of one gradient: 0.1 g^2, 0.19 g^2, 0.271 g^2
    w = steps(optimizers.RMSprop(0.01, epsilon=0.0), 3)[:2]
    expected = W[:2] - 0.01 * np.sign(G[:2]) * (0.1**-0.5 + 0.19**-0.5 + 0.271**-0.5)
    np.testing.assert_allclose(w, expected, rtol=1e-14)


def test_adam_by_hand():
    # with one gradient throughout, the corrected averages are g and g^2: every step is learning_rate sign(g)
    np.testing.assert_allclose(
        steps(optimizers.Adam(0.01, epsilon=0.0), 3)[:2], W[:2] - 0.03 * np.sign(G[:2]), rtol=1e-12
    )


def reference_rmsprop(w, grads, rate, rho=0.9, momentum=0.0, eps=1e-7, centered=False):
    s = mean = v = np.zeros_like(w)
    for g in grads:
        s = rho * s + (1 - rho) * g * g
        mean = rho * mean + (1 - rho) * g
        update = rate * g / np.sqrt(s - (mean * mean if centered else 0) + eps)
        v = momentum * v + update
        w = w - (v if momentum else update)
    return w


def reference_adam(w, grads, rate, b1=0.9, b2=0.999, eps=1e-7, amsgrad=False):
    m = v = top = np.zeros_like(w)
    for t, g in enumerate(grads, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        top = np.maximum(top, v)
        w = w - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(top if amsgrad else v) + eps)
    return w


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1,), (7,), (33,), (5, 11), (20000,)])
@pytest.mark.parametrize(
    ("make", "reference"),
    [
        (lambda: optimizers.RMSprop(0.01), lambda w, g: reference_rmsprop(w, g, 0.01)),
        (
            lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
            lambda w, g: reference_rmsprop(w, g, 0.01, momentum=0.5, centered=True),
        ),
        (lambda: optimizers.Adam(0.01), lambda w, g: reference_adam(w, g, 0.01)),
        (lambda: optimizers.Adam(0.01, amsgrad=True), lambda w, g: reference_adam(w, g, 0.01, amsgrad=True)),
    ],
    ids=["rmsprop", "rmsprop centered with momentum", "adam", "amsgrad"],
)
def test_fifty_steps_match_numpy(rng, make, reference, shape, dtype):
    w = rng.standard_normal(shape).astype(dtype)
    grads = rng.standard_normal((50, *shape)).astype(dtype)
    expected = reference(w.astype(np.float64), grads.astype(np.float64))
    optimizer = make()
    for g in grads:
        optimizer.apply([g], [w])
    limit = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(w, expected, rtol=limit, atol=limit)


def test_variables_and_plain_arrays_go_the_same_way(rng):
    values = [rng.standard_normal(s).astype("float32") for s in [(3, 4), (4,), (5,)]]
    variables, arrays = [Variable(v) for v in values], [v.copy() for v in values]
    a, b = optimizers.Adam(0.1), optimizers.Adam(0.1)
    for _ in range(4):
        grads = [rng.standard_normal(v.shape).astype("float32") for v in values]
        a.apply_gradients(zip(grads, variables, strict=True))
        b.apply(grads, arrays)
    for variable, array in zip(variables, arrays, strict=True):
        np.testing.assert_array_equal(variable.numpy(), array)
    assert a.iterations == b.iterations == 4


def test_a_variable_without_gradient_keeps_its_bytes(rng):
    kept, moved = (Variable(rng.standard_normal(20)) for _ in range(2))
    before = kept.numpy().tobytes()
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    optimizer.build([kept, moved])
    for _ in range(3):
        optimizer.apply([None, np.ones(20)], [kept, moved])
    assert kept.numpy().tobytes() == before
    assert kept.version == 0
    assert moved.version == 3


def test_two_optimizers_share_packed_variables(rng):
    a, b = (Variable(rng.standard_normal(3)) for _ in range(2))
    both, one = optimizers.SGD(0.1), optimizers.SGD(1.0)
    both.build([a, b])
    view = a.numpy()
    one.build([b])
    both.apply([np.ones(3), np.ones(3)], [a, b])
    start = b.numpy().copy()
    one.apply([np.ones(3)], [b])
    np.testing.assert_allclose(b.numpy(), start - 1.0)
    np.testing.assert_array_equal(view, a.numpy())  # packed once: still the same memory


def test_a_schedule_is_asked_for_every_step():
    asked = []
    optimizer = optimizers.SGD(lambda step: asked.append(step) or 1.0 / (step + 1))
    w = np.zeros(1)
    for _ in range(3):
        optimizer.apply([np.ones(1)], [w])
    np.testing.assert_allclose(w, -(1 + 1 / 2 + 1 / 3))
    assert asked == [0, 1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizers.SGD(-1.0), r"\[SGD\] expected learning_rate >= 0, got -1.0"),
        (lambda: optimizers.Adam(beta_1=1.0), r"\[Adam\] expected beta_1 in \[0, 1\), got 1.0"),
        (lambda: optimizers.get("adamm"), r"\[optimizers\] expected a known name such as .*'adam'.*, got 'adamm'"),
        (lambda: optimizers.SGD().apply([np.ones(2)], []), r"\[SGD\] expected 0 gradients, got 1"),
        (
            lambda: optimizers.SGD().apply([np.ones(2)], [np.ones(3)]),
            r"expected a gradient of shape \(3,\), got \(2,\)",
        ),
        (lambda: optimizers.SGD().apply([np.ones(2)], [np.ones(2, int)]), r"dense writable floating arrays"),
        (lambda: optimizers.SGD().apply([None], [Variable(np.ones(2))]), r"at least one variable, got None for all"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_same_bits_at_any_thread_count(rng):
    w, g = rng.standard_normal((2, 300_001)).astype("float32")
    results = set()
    for n in (1, 2, 3, 8):
        with fastnn.threads(n):
            p, optimizer = w.copy(), optimizers.Adam()
            for _ in range(3):
                optimizer.apply([g], [p])
            results.add(p.tobytes())
    assert len(results) == 1
