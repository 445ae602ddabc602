"""Update rules against the formulas of their papers in NumPy, over many steps, with what all rules share."""

import numpy as np
import pytest

import fastnn
from fastnn import _core, optimizers

STEPS = 50

# ---- references: generators of what is taken off the weights, given a gradient and the rate, in float64 -------------


def sgd(rate, momentum=0.0, nesterov=False, dampening=0.0):
    v = 0.0
    g = yield
    while True:
        v = momentum * v + (1 - dampening) * g
        g = yield rate * ((momentum * v + (1 - dampening) * g) if nesterov else v)


def root(s, epsilon, placement):
    return np.sqrt(s + epsilon) if placement == "inside" else np.sqrt(s) + epsilon


def rmsprop(rate, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, epsilon_placement="inside"):
    s = mean = v = 0.0
    g = yield
    while True:
        s = rho * s + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g
        v = momentum * v + rate * g / root(s - mean**2 if centered else s, epsilon, epsilon_placement)
        g = yield v


def adagrad(rate, initial_accumulator_value=0.1, epsilon=1e-7, epsilon_placement="inside"):
    s = initial_accumulator_value
    g = yield
    while True:
        s = s + g**2
        g = yield rate * g / root(s, epsilon, epsilon_placement)


def adadelta(rate, rho=0.95, epsilon=1e-7):
    s = d = 0.0
    g = yield
    while True:
        s = rho * s + (1 - rho) * g**2
        u = np.sqrt((d + epsilon) / (s + epsilon)) * g
        d = rho * d + (1 - rho) * u**2
        g = yield rate * u


def adam(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, bias_correction=True, epsilon_placement="hat"):
    m = v = top = 0.0
    t = 0
    g = yield
    while True:
        t += 1
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        top = np.maximum(top, v)
        c1, c2 = (1 - beta_1**t, 1 - beta_2**t) if bias_correction else (1.0, 1.0)
        s = top if amsgrad else v
        if epsilon_placement == "hat":
            g = yield rate * np.sqrt(c2) / c1 * m / (np.sqrt(s) + epsilon)
        else:
            g = yield rate * (m / c1) / root(s / c2, epsilon, epsilon_placement)


def adamax(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m = u = 0.0
    t = 0
    g = yield
    while True:
        t += 1
        m = beta_1 * m + (1 - beta_1) * g
        u = np.maximum(beta_2 * u, np.abs(g))
        g = yield rate / (1 - beta_1**t) * m / (u + epsilon)


def nadam(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m = v = 0.0
    t = 0
    g = yield
    while True:
        t += 1
        b = beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, t + 2))
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        ahead = b[t] * m / (1 - np.prod(b)) + (1 - b[t - 1]) * g / (1 - np.prod(b[:t]))
        g = yield rate * ahead / (np.sqrt(v / (1 - beta_2**t)) + epsilon)


def lion(rate, beta_1=0.9, beta_2=0.99):
    m = 0.0
    g = yield
    while True:
        step = rate * np.sign(beta_1 * m + (1 - beta_1) * g)
        m = beta_2 * m + (1 - beta_2) * g
        g = yield step


def train(reference, w, gradients, rate, decay=0.0):
    """The weights after steps of a reference, with decoupled weight decay."""
    reference = reference(rate) if callable(reference) else reference
    next(reference)
    w = w.astype(np.float64)
    for g in gradients:
        w = w * (1 - rate * decay) - reference.send(g.astype(np.float64))
    return w


RULES = [
    ("SGD", sgd, [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"momentum": 0.9, "dampening": 0.9},
                  {"momentum": 0.5, "dampening": 0.3, "nesterov": True}]),
    ("RMSprop", rmsprop, [{}, {"momentum": 0.5}, {"centered": True}, {"centered": True, "momentum": 0.5, "rho": 0.8},
                          {"epsilon_placement": "outside", "epsilon": 1e-3},
                          {"epsilon": 1e-3, "centered": True, "epsilon_placement": "outside"}]),
    ("Adagrad", adagrad, [{}, {"initial_accumulator_value": 0.0, "epsilon": 1e-3},
                          {"epsilon_placement": "outside", "epsilon": 1e-3}]),
    ("Adadelta", adadelta, [{}, {"rho": 0.9, "epsilon": 1e-3}]),
    ("Adam", adam, [{}, {"amsgrad": True}, {"bias_correction": False}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2},
                    {"epsilon_placement": "outside", "epsilon": 1e-2}, {"epsilon_placement": "inside", "epsilon": 1e-2},
                    {"epsilon_placement": "inside", "epsilon": 1e-2, "amsgrad": True},
                    {"epsilon_placement": "inside", "epsilon": 1e-2, "bias_correction": False}]),
    ("AdamW", adam, [{"weight_decay": 0.0}, {"weight_decay": 0.0, "amsgrad": True}]),
    ("Adamax", adamax, [{}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2}]),
    ("Nadam", nadam, [{}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2}]),
    ("Lion", lion, [{}, {"beta_1": 0.5, "beta_2": 0.9}]),
]  # fmt: skip
CASES = [
    pytest.param(name, rule, settings, id=f"{name} {settings or ''}")
    for name, rule, all_settings in RULES
    for settings in all_settings
]


def settings_of(rule, settings):
    return {key: value for key, value in settings.items() if key != "weight_decay"}


def problem(rng, shape, dtype):
    w = rng.standard_normal(shape).astype(dtype)
    return w, rng.standard_normal((STEPS, *shape)).astype(dtype)


def limit(dtype):
    """Steps of size 0.01 or less add up to about 0.5, whose rounding in float32 is 3e-8 a step."""
    return {"rtol": 1e-6, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 33])
@pytest.mark.parametrize(("name", "rule", "settings"), CASES)
def test_fifty_steps_are_those_of_the_formula(rng, name, rule, settings, length, dtype):
    w, gradients = problem(rng, (length,), dtype)
    expected = train(rule(0.01, **settings_of(rule, settings)), w, gradients, 0.01)
    optimizer = getattr(optimizers, name)(0.01, **settings)
    for g in gradients:
        optimizer.apply([g], [w])
    np.testing.assert_allclose(w, expected, **limit(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "rule", "settings"), CASES)
def test_decay_clipping_and_scaling_come_before_the_formula(rng, name, rule, settings, dtype):
    w, gradients = problem(rng, (3, 11), dtype)
    inputs = np.clip(gradients.astype(np.float64) / 4, -0.3, 0.3)
    expected = train(rule(0.01, **settings_of(rule, settings)), w, inputs, 0.01, decay=0.2)
    settings = {**settings, "weight_decay": 0.2}
    optimizer = getattr(optimizers, name)(0.01, clipvalue=0.3, loss_scale_factor=4.0, **settings)
    before = gradients.copy()
    for g in gradients:
        optimizer.apply([g], [w])
    np.testing.assert_allclose(w, expected, **limit(dtype))
    np.testing.assert_array_equal(gradients, before)


@pytest.mark.parametrize(("name", "rule", "settings"), CASES)
def test_lengths_above_the_grain(rng, name, rule, settings):
    w, gradients = problem(rng, (70_001,), "float32")
    expected = train(rule(0.01, **settings_of(rule, settings)), w, gradients[:4], 0.01)
    optimizer = getattr(optimizers, name)(0.01, **settings)
    for g in gradients[:4]:
        optimizer.apply([g], [w])
    np.testing.assert_allclose(w, expected, **limit("float32"))


@pytest.mark.parametrize("name", [name for name, _, _ in RULES])
def test_same_bits_at_any_thread_count(rng, name):
    w, g = rng.standard_normal((2, 300_001)).astype("float32")
    results = set()
    for n in (1, 2, 3, 8):
        with fastnn.threads(n):
            p, optimizer = w.copy(), getattr(optimizers, name)(weight_decay=0.1, global_clipnorm=1.0)
            for _ in range(3):
                optimizer.apply([g], [p])
            results.add(p.tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("name", [name for name, _, _ in RULES])
def test_a_nan_in_a_gradient_is_seen_in_its_weight_alone(name):
    for options in ({}, {"clipvalue": 1.0}):
        w = np.ones(19, "float32")
        g = np.ones(19, "float32")
        g[4] = np.nan
        getattr(optimizers, name)(0.01, **options).apply([g], [w])
        assert np.isnan(w[4]) and np.isfinite(np.delete(w, 4)).all()


@pytest.mark.parametrize("name", [name for name, _, _ in RULES])
def test_empty_arrays_stay_empty(name):
    w = np.zeros((0, 3), "float32")
    getattr(optimizers, name)().apply([w.copy()], [w])
    assert w.shape == (0, 3)


def test_lion_moves_every_weight_by_its_rate_and_none_without_gradient():
    w = np.zeros(3)
    optimizers.Lion(0.25).apply([np.array([1e-9, -3.0, 0.0])], [w])
    np.testing.assert_array_equal(w, [-0.25, 0.25, 0.0])


def test_nadam_takes_up_again_at_any_step():
    """The product of its momenta is a function of the step: an array of an earlier or a later step is made right."""
    w, g, m, v = np.random.default_rng(0).uniform(0.5, 1, (4, 9))
    runs, rate = np.array([[0, 9, 1]]), np.array([0.1])
    results = []
    for product in ([0.0, 1.0], [3.0, 0.9**3 * np.prod(1 - 0.5 * 0.96 ** np.arange(1, 4))], [9.0, 0.1]):
        state = [np.array(a) for a in (w, m, v)]
        _core.nadam(state[0], g, state[1], state[2], np.array(product), runs, None, rate, np.array([5]), 0.0, 0.0,
                    0.9, 0.999, 1e-7)  # fmt: skip
        results.append(state[0])
    np.testing.assert_allclose(results[1:], [results[0]] * 2, rtol=1e-14)
    assert not np.array_equal(results[0], w)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"runs": np.array([[0, 5]])}, r"\[sgd\] expected runs of shape \(r, 3\)"),
        ({"runs": np.array([[0, 5, 1]])}, r"\[sgd\] expected runs inside the buffer"),
        ({"runs": np.array([[-1, 2, 1]])}, r"\[sgd\] expected runs inside the buffer"),
        ({"g": np.ones(3)}, r"\[sgd\] expected g of shape \(4,\), got \(3,\)"),
        ({"scales": np.ones(2)}, r"\[sgd\] expected scales of 1 elements, got \(2,\)"),
        ({"learning_rate": np.ones(2)}, r"\[sgd\] expected learning_rate of 1 elements, got \(2,\)"),
        ({"velocity": np.ones(3)}, r"\[sgd\] expected velocity of 4 elements, got 3"),
        ({"p": np.ones(8)[::2]}, r"\[sgd\] expected a dense, writable array"),
    ],
)
def test_kernels_refuse_what_does_not_fit(changed, message):
    fitting = {"p": np.ones(4), "g": np.ones(4), "velocity": None, "runs": np.array([[0, 4, 1]]), "scales": None,
               "learning_rate": np.ones(1), "clip_value": 0.0, "weight_decay": 0.0, "momentum": 0.0,
               "dampening": 0.0, "nesterov": False}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        _core.sgd(**{**fitting, **changed})


def test_kernels_refuse_other_types_and_steps():
    ones, runs = np.ones(4), np.array([[0, 4, 1]])
    with pytest.raises(TypeError, match=r"\[lion\] expected m of float64, got float32"):
        _core.lion(ones.copy(), ones, ones.astype("float32"), runs, None, np.ones(1), 0.0, 0.0, 0.9, 0.99)
    with pytest.raises(ValueError, match=r"\[adamax\] expected step >= 1, got 0"):
        _core.adamax(*(ones.copy() for _ in range(4)), runs, None, np.ones(1), np.zeros(1, np.int64), 0.0, 0.0, 0.9,
                     0.99, 0.0)  # fmt: skip
    with pytest.raises(ValueError, match="expected epsilon_placement 'hat', 'outside' or 'inside', got 'under'"):
        _core.adagrad(ones.copy(), ones, ones.copy(), runs, None, np.ones(1), 0.0, 0.0, 1e-7, "under")
