"""Rules that look at the weights, or at whole variables: Ftrl, Lamb and Adafactor, against their formulas in NumPy."""

import numpy as np
import pytest

import fastnn
from fastnn import Variable, _core, layers, optimizers

SHAPES = [(5, 3), (4,), (2, 3, 17), (), (33,)]
STEPS = 12


def ftrl(rate, power=-0.5, start=0.1, l1=0.0, l2=0.0, shrinkage=0.0, beta=0.0):
    def rule(w, state, g, t):
        s, z = state or (np.full(w.shape, start), np.zeros(w.shape))
        n = s + g**2
        z = z + g + 2 * shrinkage * w - (n**-power - s**-power) / rate * w
        ridge = 2 * (l2 + beta / (2 * rate))
        return -np.sign(z) * np.maximum(np.abs(z) - l1, 0) / (n**-power / rate + ridge), (n, z)

    return rule


def lamb(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    def rule(w, state, g, t):
        m, v = state or (np.zeros(w.shape), np.zeros(w.shape))
        m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * g**2
        u = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        lengths = [np.sqrt(np.sum(x**2)) for x in (w, u)]
        ratio = lengths[0] / lengths[1] if all(lengths) else 1.0
        return w - rate * ratio * u, (m, v)

    return rule


def adafactor(rate, decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, threshold=1.0):
    def rms(x):
        return np.sqrt(np.mean(x**2))

    def rule(w, state, g, t):
        b, square = 1 - t**decay, g**2 + epsilon_1
        if w.ndim < 2:
            (v,) = state or (0.0,)
            v = b * v + (1 - b) * square
            state = (v,)
        else:
            r, c = state or (0.0, 0.0)
            r, c = b * r + (1 - b) * square.mean(-1), b * c + (1 - b) * square.mean(-2)
            v = np.einsum("...i,...j,...->...ij", r, c, 1 / r.mean(-1))
            state = (r, c)
        u = g / np.sqrt(v)
        return w - max(epsilon_2, rms(w)) * min(rate, t**-0.5) * u / max(1, rms(u) / threshold), state

    return rule


RULES = [
    ("Ftrl", ftrl, {}, {}),
    ("Ftrl", ftrl, {"learning_rate_power": -0.3, "initial_accumulator_value": 0.0}, {"power": -0.3, "start": 0.0}),
    ("Ftrl", ftrl, {"learning_rate_power": 0.0}, {"power": 0.0}),
    (
        "Ftrl",
        ftrl,
        {
            "l1_regularization_strength": 0.3,
            "l2_regularization_strength": 0.2,
            "l2_shrinkage_regularization_strength": 0.1,
            "beta": 0.5,
        },
        {"l1": 0.3, "l2": 0.2, "shrinkage": 0.1, "beta": 0.5},
    ),
    ("Lamb", lamb, {}, {}),
    ("Lamb", lamb, {"beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.1}, {"beta_1": 0.5, "beta_2": 0.7, "epsilon": 0.1}),
    ("Adafactor", adafactor, {}, {}),
    (
        "Adafactor",
        adafactor,
        {"beta_2_decay": -0.6, "epsilon_1": 1e-3, "epsilon_2": 2.0, "clip_threshold": 0.5, "relative_step": False},
        {"decay": -0.6, "epsilon_1": 1e-3, "epsilon_2": 2.0, "threshold": 0.5},
    ),
]
NAMES = ["Ftrl", "Lamb", "Adafactor"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "common", [{}, {"weight_decay": 0.2, "clipvalue": 0.3, "loss_scale_factor": 4.0}], ids=["plain", "common"]
)
@pytest.mark.parametrize(("name", "rule", "settings", "given"), RULES, ids=lambda x: getattr(x, "__name__", str(x)))
def test_steps_are_those_of_the_formula(rng, name, rule, settings, given, common, dtype):
    values = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    gradients = [[rng.standard_normal(shape).astype(dtype) for shape in SHAPES] for _ in range(STEPS)]
    variables, optimizer = [Variable(v) for v in values], getattr(optimizers, name)(0.05, **settings, **common)
    apply_rule, states = rule(0.05, **given), [None] * len(SHAPES)
    expected = [v.astype(np.float64) for v in values]
    for t, grads in enumerate(gradients, 1):
        optimizer.apply(grads, variables)
        for i, g in enumerate(grads):
            g = np.asarray(g, np.float64)
            if common:
                g, expected[i] = np.clip(g / 4, -0.3, 0.3), expected[i] * (1 - 0.05 * 0.2)
            expected[i], states[i] = apply_rule(expected[i], states[i], g, t)
    limit = {"rtol": 1e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-12}
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, **limit)


def test_a_variable_of_zeros_gets_the_plain_step_from_lamb():
    w = np.zeros(3)
    optimizers.Lamb(0.25, epsilon=0.0).apply([np.array([2.0, -1.0, 4.0])], [w])
    np.testing.assert_allclose(w, [-0.25, 0.25, -0.25], rtol=1e-14)


def test_ftrl_leaves_weights_at_zero_whose_sums_stay_below_l1():
    w = np.zeros(2)
    optimizer = optimizers.Ftrl(0.5, l1_regularization_strength=1.0)
    for _ in range(3):
        optimizer.apply([np.array([0.25, 2.0])], [w])
    assert w[0] == 0 and w[1] < 0


@pytest.mark.parametrize("name", NAMES)
def test_same_bits_at_any_thread_count(rng, name):
    w, g = rng.standard_normal((2, 401, 501)).astype("float32")
    results = set()
    for n in (1, 2, 3, 8):
        with fastnn.threads(n):
            p, optimizer = w.copy(), getattr(optimizers, name)(weight_decay=0.1, global_clipnorm=1.0)
            for _ in range(2):
                optimizer.apply([g], [p])
            results.add(p.tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("name", NAMES)
def test_recorded_steps_freezing_and_restored_states(rng, name):
    x, y = rng.standard_normal((24, 6)).astype("float32"), rng.integers(0, 3, 24)
    found = []
    for eager in (True, False):
        fastnn.utils.set_random_seed(1)
        model = fastnn.Sequential(
            [layers.Input((6,)), layers.Dense(8, "relu"), layers.LayerNormalization(), layers.Dense(3)]
        )
        loss = fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(getattr(optimizers, name)(0.05, weight_decay=0.01), loss, run_eagerly=eager)
        for _ in range(4):
            model.train_on_batch(x, y)
        model.layers[0].trainable = False
        frozen = model.layers[0].get_weights()
        for _ in range(3):
            model.train_on_batch(x, y)
        for before, now in zip(frozen, model.layers[0].get_weights(), strict=True):
            np.testing.assert_array_equal(before, now)
        assert eager or model._steps_now()._training._steps
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_empty_arrays_stay_empty(name):
    w, full = np.zeros((0, 3), "float32"), np.ones((2, 2), "float32")
    getattr(optimizers, name)(0.1).apply([w.copy(), full.copy()], [w, full])
    assert w.shape == (0, 3) and np.isfinite(full).all()
    variables = [Variable(w), Variable(np.ones((2, 2), "float32"))]
    getattr(optimizers, name)(0.1).apply([w.copy(), np.ones((2, 2), "float32")], variables)
    np.testing.assert_allclose(variables[1].numpy(), full, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.Ftrl(learning_rate_power=0.5), r"\[Ftrl\] expected learning_rate_power <= 0, got 0\.5"),
        (lambda: optimizers.Ftrl(beta=1.0, l1_regularization_strength=-1), "expected l1_regularization_strength in"),
        (lambda: optimizers.Lamb(beta_1=1.0), r"\[Lamb\] expected beta_1 in \[0, 1\), got 1"),
        (lambda: optimizers.Adafactor(clip_threshold=0), r"\[Adafactor\] expected clip_threshold > 0, got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_kernel_refuses_a_power_above_zero():
    ones = [np.ones(4) for _ in range(4)]
    with pytest.raises(ValueError, match=r"\[ftrl\] expected power <= 0, got 1"):
        _core.ftrl(*ones, np.array([[0, 4, 1]]), None, np.ones(1), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
