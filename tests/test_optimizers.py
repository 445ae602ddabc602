"""Optimizers: hand-computed steps, and what all of them share. tests/ops/test_update_rules.py has the formulas."""

import json
import pickle

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


ALL = [
    "SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "AdamW", "Adamax", "Nadam", "Lion", "Ftrl", "Lamb", "Adafactor",
]  # fmt: skip
OPTIONS = [
    {}, {"weight_decay": 0.1}, {"clipnorm": 0.5}, {"clipvalue": 0.1}, {"global_clipnorm": 0.5},
    {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}, {"gradient_accumulation_steps": 3},
    {"loss_scale_factor": 4.0}, {"clipnorm": 0.5, "gradient_accumulation_steps": 2, "loss_scale_factor": 4.0,
                                 "weight_decay": 0.1, "use_ema": True},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ALL)
def test_variables_and_plain_arrays_go_the_same_way(rng, name, options):
    values = [rng.standard_normal(s).astype("float32") for s in [(3, 4), (4,), (5,)]]
    variables, arrays = [Variable(v) for v in values], [v.copy() for v in values]
    a, b = (getattr(optimizers, name)(0.1, **options) for _ in range(2))
    for _ in range(7):
        grads = [rng.standard_normal(v.shape).astype("float32") for v in values]
        a.apply_gradients(zip(grads, variables, strict=True))
        b.apply(grads, arrays)
    # A norm is added up over a buffer in which variables are padded: in another order, so to the last bit or two.
    limit = 1e-6 if "clipnorm" in options or "global_clipnorm" in options else 0
    for variable, array, value in zip(variables, arrays, values, strict=True):
        np.testing.assert_allclose(variable.numpy(), array, rtol=limit, atol=limit)
        assert not np.array_equal(array, value)
    assert a.iterations == b.iterations == 7 // options.get("gradient_accumulation_steps", 1)


def test_a_variable_without_gradient_keeps_its_bytes(rng):
    kept, moved = (Variable(rng.standard_normal(20)) for _ in range(2))
    before = kept.numpy().tobytes()
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    optimizer.build([kept, moved])
    with pytest.warns(UserWarning, match=r"\[SGD\] expected a gradient for every variable, got None for variable;"):
        optimizer.apply([None, np.ones(20)], [kept, moved])
    for _ in range(2):  # it says so once
        optimizer.apply([None, np.ones(20)], [kept, moved])
    assert kept.numpy().tobytes() == before
    assert kept.version == 0
    assert moved.version == 3


def test_two_optimizers_share_packed_variables(rng):
    a, b = (Variable(rng.standard_normal(3)) for _ in range(2))
    both, one = optimizers.SGD(0.1), optimizers.SGD(1.0)
    both.build([a, b])
    view = a.value
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
        (lambda: optimizers.SGD().apply([None], [np.ones(2)]), r"at least one array, got None for all"),
        (lambda: optimizers.SGD(clipnorm=-1.0), r"\[SGD\] expected clipnorm in \[0, inf\), got -1.0"),
        (
            lambda: optimizers.SGD(clipnorm=1.0, clipvalue=2.0),
            r"expected one of clipnorm, clipvalue and global_clipnorm at most, got 1.0, 2.0 and None",
        ),
        (lambda: optimizers.Adam(ema_momentum=1.1), r"\[Adam\] expected ema_momentum in \[0, 1\], got 1.1"),
        (
            lambda: optimizers.Adam(ema_overwrite_frequency=0),
            r"ema_overwrite_frequency to be None or an integer >= 1, got 0",
        ),
        (
            lambda: optimizers.Adam(gradient_accumulation_steps=1),
            r"gradient_accumulation_steps to be None or an integer >= 2, got 1",
        ),
        (lambda: optimizers.Adam(loss_scale_factor=0.0), r"expected loss_scale_factor > 0, got 0.0"),
        (lambda: optimizers.Adam(weight_decay=-0.1), r"expected weight_decay in \[0, inf\), got -0.1"),
        (lambda: optimizers.AdamW(weight_decay=None), r"\[AdamW\] expected weight_decay as a number, got None"),
        (lambda: optimizers.AdamW(beta_2=1.0), r"\[AdamW\] expected beta_2 in"),
        (lambda: optimizers.Lion(beta_1=0.0), r"\[Lion\] expected beta_1 in \(0, 1\], got 0.0"),
        (lambda: optimizers.SGD(dampening=0.5), r"\[SGD\] expected dampening with momentum > 0 only, got 0.5"),
        (
            lambda: optimizers.Adam(epsilon_placement="below"),
            r"\[Adam\] expected epsilon_placement 'hat' or 'outside' or 'inside', got 'below'",
        ),
        (lambda: optimizers.RMSprop(epsilon_placement="hat"), r"expected epsilon_placement 'inside' or 'outside'"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- weight decay -------------------------------------------------------------------------------------------------


def named(*names):
    return [Variable(np.full(20, 2.0), name=name) for name in names]


def zeros(variables):
    return [np.zeros(v.shape) for v in variables]


@pytest.mark.parametrize("name", [name for name in ALL if name != "Ftrl"])  # whose weights are what its sums say
def test_weights_decay_by_rate_and_decay_alone_where_the_gradient_is_zero(name):
    (w,) = named("kernel")
    optimizer = getattr(optimizers, name)(0.1, weight_decay=0.5)
    for _ in range(3):
        optimizer.apply(zeros([w]), [w])
    np.testing.assert_allclose(w, 2.0 * 0.95**3, rtol=1e-15)


def test_excluded_weights_do_not_decay():
    a, b, c, d = named("kernel", "bias", "gamma", "kernel")
    optimizer = optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[d], var_names=["bias", "^gam"])
    optimizer.apply(zeros([a, b, c, d]), [a, b, c, d])
    assert [float(v.numpy()[0]) for v in (a, b, c, d)] == [1.9, 2.0, 2.0, 2.0]
    with pytest.raises(ValueError, match=r"exclude_from_weight_decay\(\) before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


def test_without_decay_by_default_but_for_adamw():
    assert {name: getattr(optimizers, name)().weight_decay for name in ALL} == {
        name: 0.004 if name == "AdamW" else None for name in ALL
    }


# ---- clipping -----------------------------------------------------------------------------------------------------

GRADS = [np.full(4, 3.0), np.array([[0.3, 0.4]]), np.zeros(2)]  # norms 6, 0.5 and 0


def clipped(dtypes=("float64",) * 3, **options):
    """The gradients as a step of gradient descent with rate 1 sees them."""
    variables = [Variable(np.zeros(g.shape), dtype=dtype) for g, dtype in zip(GRADS, dtypes, strict=True)]
    optimizers.SGD(1.0, **options).apply([g.astype(d) for g, d in zip(GRADS, dtypes, strict=True)], variables)
    return [-v.numpy() for v in variables]


def test_clipnorm_limits_the_norm_of_each_gradient():
    for found, expected in zip(clipped(clipnorm=2.0), [GRADS[0] / 3, GRADS[1], GRADS[2]], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize("dtypes", [("float64",) * 3, ("float32", "float64", "float32")])
def test_global_clipnorm_limits_the_norm_of_all_together(dtypes):
    found = clipped(dtypes, global_clipnorm=2.0)
    assert np.sqrt(sum(np.sum(g**2) for g in found)) == pytest.approx(2.0, rel=1e-6)
    for g, expected in zip(found, GRADS, strict=True):
        np.testing.assert_allclose(g, expected * 2 / np.sqrt(36.25), rtol=1e-6)


def test_clipvalue_limits_each_element():
    for found, expected in zip(clipped(clipvalue=0.35), GRADS, strict=True):
        np.testing.assert_array_equal(found, np.clip(expected, -0.35, 0.35))


def test_gradients_below_the_limits_are_left_alone():
    for options in ({"clipnorm": 7.0}, {"global_clipnorm": 7.0}, {"clipvalue": 7.0}, {"clipnorm": 0.0}):
        for found, expected in zip(clipped(**options), GRADS, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_clipping_leaves_the_gradients_themselves_alone(rng):
    w = Variable(np.ones(5))
    optimizer = optimizers.SGD(0.1, clipnorm=0.1)
    for _ in range(2):
        with fastnn.GradientTape() as tape:
            loss = fastnn.ops.sum(w * 3.0)
        (gradient,) = tape.gradient(loss, [w])
        optimizer.apply([gradient], [w])
        np.testing.assert_array_equal(gradient, np.full(5, 3.0))


# ---- moving averages of weights -----------------------------------------------------------------------------------


def test_averages_of_weights_begin_with_the_first_step_and_move():
    (w,) = named("kernel")
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.75)
    average = None
    for step in range(4):
        optimizer.apply([np.full(20, float(step))], [w])
        average = w.numpy().copy() if average is None else 0.75 * average + 0.25 * w.numpy()
    np.testing.assert_allclose(w, 2.0 - 6)
    np.testing.assert_allclose(optimizer.state()["average/0"], average)
    version = w.version
    optimizer.finalize_variable_values([w])
    np.testing.assert_allclose(w, average)
    assert w.version == version + 1


def test_averages_take_the_weights_place_at_their_frequency():
    w, expected, average = np.full(3, 2.0), np.full(3, 2.0), None
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    for step in range(1, 6):
        optimizer.apply([np.ones(3)], [w])
        expected = expected - 1
        average = expected if average is None else 0.5 * average + 0.5 * expected
        expected = average if step % 2 == 0 else expected
        np.testing.assert_allclose(w, expected)


def test_averages_of_one_optimizer_leave_the_weights_of_another_alone():
    a, b = named("a", "b")
    optimizers.SGD().build([a, b])
    one = optimizers.SGD(1.0, use_ema=True)
    one.apply([np.ones(20)], [b])
    a.assign(np.full(20, 7.0))
    one.finalize_variable_values()
    assert (a.numpy() == 7).all() and (b.numpy() == 1).all()


def test_finalize_without_averages_changes_nothing():
    (w,) = named("kernel")
    optimizer = optimizers.SGD(1.0)
    optimizer.apply([np.ones(20)], [w])
    optimizer.finalize_variable_values([w])
    assert (w.numpy() == 1).all() and w.version == 1


def test_fit_ends_with_the_averages_and_before_its_callbacks_end(rng):
    seen = []

    class Last(fastnn.callbacks.Callback):
        def on_train_end(self, logs=None):
            seen.append(self.model.get_weights()[0].copy())

    model = fastnn.Sequential([fastnn.layers.Dense(1, use_bias=False)])
    model.compile(optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9), "mse")
    x = rng.standard_normal((64, 3)).astype("float32")
    model.fit(x, x.sum(axis=1), epochs=2, verbose=0, callbacks=[Last()])
    np.testing.assert_array_equal(seen[0], model.optimizer.state()["average/0"])
    np.testing.assert_array_equal(model.get_weights()[0], seen[0])


# ---- gradient accumulation and loss scale -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_accumulated_steps_are_those_of_mean_gradients(rng, name):
    w, twin = np.ones(9), np.ones(9)
    one = getattr(optimizers, name)(0.1, gradient_accumulation_steps=3, clipvalue=0.4)
    other = getattr(optimizers, name)(0.1, clipvalue=0.4)
    for _ in range(4):
        grads = rng.standard_normal((3, 9))
        for g in grads[:2]:
            before = w.copy()
            one.apply([g], [w])
            np.testing.assert_array_equal(w, before)
        one.apply([grads[2]], [w])
        other.apply([grads.mean(axis=0)], [twin])
        np.testing.assert_allclose(w, twin, rtol=1e-12)
    assert one.iterations == 4


def test_accumulators_are_emptied_also_of_a_variable_that_had_no_gradient_at_the_end():
    a, b = named("a", "b")
    optimizer = optimizers.SGD(1.0, gradient_accumulation_steps=2)
    optimizer.build([a, b])
    ones = np.ones(20)
    optimizer.apply([ones, ones], [a, b])
    with pytest.warns(UserWarning, match="got None for b;"):
        optimizer.apply([ones, None], [a, b])
    assert (a.numpy() == 1).all() and (b.numpy() == 2).all() and (a.version, b.version) == (1, 0)
    optimizer.apply([ones, ones], [a, b])
    optimizer.apply([ones, ones], [a, b])
    assert (a.numpy() == 0).all() and (b.numpy() == 1).all()


def test_a_schedule_counts_steps_also_those_that_only_accumulate():
    asked = []
    optimizer = optimizers.SGD(lambda step: asked.append(step) or 1.0, gradient_accumulation_steps=3)
    (w,) = named("kernel")
    done = [optimizer.apply_gradients([(np.ones(20), w)]) for _ in range(7)]
    assert done == [1, 2, 3, 4, 5, 6, 7] and optimizer.iterations == 2
    assert asked == [2, 5] and (w.numpy() == 0).all()
    assert optimizer.learning_rate == 1.0 and asked[-1] == 7


def test_no_gradients_are_no_step():
    optimizer = optimizers.SGD()
    optimizer.apply([], [])
    assert optimizer.iterations == 0


def test_a_scaled_loss_gives_the_same_step(rng):
    x = rng.standard_normal((16, 3)).astype("float32")
    weights = []
    for factor in (None, 1024.0):
        fastnn.random.set_random_seed(3)
        model = fastnn.Sequential([fastnn.layers.Dense(2)])
        model.compile(optimizers.SGD(0.1, loss_scale_factor=factor), "mse")
        history = model.fit(x, x[:, :2], batch_size=4, shuffle=False, verbose=0).history
        weights.append((history["loss"], *model.get_weights()))
    for plain, scaled in zip(*weights, strict=True):
        np.testing.assert_array_equal(plain, scaled)  # a power of two
    assert optimizers.SGD(loss_scale_factor=3.0).scale_loss(2.0) == 6.0
    assert optimizers.SGD().scale_loss(2.0) == 2.0


# ---- learning rates, names, state ---------------------------------------------------------------------------------


def test_learning_rates_are_numbers_schedules_or_functions_with_or_without_step():
    schedule = optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    for rate, expected in [(0.5, 1.5), (schedule, 0.875), (lambda: 0.5, 1.5), (lambda step: 0.5 * 0.5**step, 0.875)]:
        w = np.zeros(1)
        optimizer = optimizers.SGD(rate)
        for _ in range(3):
            optimizer.apply([np.ones(1)], [w])
        assert w[0] == -expected
    assert optimizer.learning_rate == 0.0625 and isinstance(optimizer.learning_rate, float)


def test_numbers_are_set_and_read_like_keras_variables():
    optimizer, w = optimizers.SGD(0.5), np.zeros(1)
    optimizer.learning_rate.assign(0.25)
    assert optimizer.learning_rate == 0.25 and optimizer.learning_rate.numpy() == optimizer.learning_rate.value == 0.25
    optimizer.apply([np.ones(1)], [w])
    assert w == -0.25 and optimizer.iterations == optimizer.iterations.numpy() == optimizer.iterations.value == 1
    optimizer.iterations.assign(7)
    assert optimizer.iterations == 7
    with pytest.raises(ValueError, match="expected iterations >= 0, got -1"):
        optimizer.iterations.assign(-1)
    copies = pickle.loads(pickle.dumps((optimizer.learning_rate, optimizer.iterations)))
    assert copies == (0.25, 7) and [type(number) for number in copies] == [float, int]
    with pytest.raises(TypeError, match="expected no number as learning_rate of an optimizer made with a Cosine"):
        optimizers.SGD(optimizers.schedules.CosineDecay(0.5, 10)).learning_rate.assign(0.1)


def test_the_state_is_there_as_variables_that_share_its_memory(rng):
    values, grads = rng.standard_normal((2, 2, 3, 4))
    a, b = (optimizers.Adam(0.125) for _ in range(2))
    first, second = ([Variable(v) for v in values] for _ in range(2))
    assert [v.name for v in a.variables] == ["iteration", "learning_rate"]
    a.apply(grads, first)
    with pytest.raises(ValueError, match=r"expected build\(\) before set_weights\(\)"):
        b.set_weights(a.variables)
    b.build(second)
    b.set_weights(a.variables)
    for own, other in zip(a.variables, b.variables, strict=True):
        np.testing.assert_array_equal(own.numpy(), other.numpy())
    assert [v.shape for v in b.variables] == [(), ()] + [(3, 4)] * 4 and b.iterations == 1
    kept, mine = b.variables[2], a.variables[2]
    for variable, value in zip(second, first, strict=True):
        variable.assign(value)
    for optimizer, variables in ((a, first), (b, second)):
        optimizer.apply(grads, variables)
    np.testing.assert_array_equal(kept.numpy(), mine.numpy())
    np.testing.assert_array_equal(second[0].numpy(), first[0].numpy())
    b.variables[1].assign(0.5)
    assert b.learning_rate == 0.5
    with pytest.raises(ValueError, match="expected 6 weights, got 2"):
        b.set_weights(a.variables[:2])
    a.learning_rate = optimizers.schedules.CosineDecay(0.5, 10)
    assert [v.name for v in a.variables][:2] == ["iteration", "variable_m"]


def test_a_learning_rate_can_be_set_unless_a_schedule_sets_it():
    optimizer = optimizers.SGD(0.5)
    optimizer.learning_rate = 0.25
    assert optimizer.learning_rate == 0.25
    optimizer.learning_rate = optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    with pytest.raises(TypeError, match="expected no number as learning_rate of an optimizer made with a Exponential"):
        optimizer.learning_rate = 0.1


@pytest.mark.parametrize("name", ALL)
def test_names_and_configurations_make_the_same_optimizer(name):
    cls = getattr(optimizers, name)
    assert type(optimizers.get(name)) is type(optimizers.get(name.lower())) is cls
    made = cls(optimizers.schedules.CosineDecay(0.5, 10), clipnorm=2.0, use_ema=True, ema_overwrite_frequency=3,
               gradient_accumulation_steps=2, loss_scale_factor=8.0, weight_decay=0.25, name="mine")  # fmt: skip
    config = json.loads(json.dumps(optimizers.serialize(made)))
    for twin in (optimizers.deserialize(config), optimizers.get(config), cls.from_config(config["config"])):
        assert type(twin) is cls and twin.get_config() == made.get_config()
        assert twin.learning_rate == 0.5 and twin.name == "mine"


def test_custom_schedules_come_from_custom_objects():
    class Halving(optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.5**step

        def get_config(self):
            return {}

    config = optimizers.serialize(optimizers.Adam(Halving()))
    with pytest.raises(ValueError, match=r"\[schedules\] expected a known name .*, got 'Halving'"):
        optimizers.deserialize(config)
    assert optimizers.deserialize(config, {"Halving": Halving}).learning_rate == 1.0


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ALL)
def test_a_restored_state_goes_on_with_the_same_bits(rng, name, options):
    values = [rng.standard_normal(s) for s in [(3, 4), (5,)]]
    grads = [[rng.standard_normal(v.shape) for v in values] for _ in range(9)]
    variables = [Variable(v) for v in values]
    one, other = (getattr(optimizers, name)(0.1, **options) for _ in range(2))
    one.exclude_from_weight_decay(var_list=[variables[1]])
    for g in grads[:4]:
        one.apply(g, variables)
    twins = [Variable(v.numpy()) for v in variables]
    other.build(twins)
    other.set_state(one.state())
    for g in grads[4:]:
        one.apply(g, variables)
        other.apply(g, twins)
    for variable, twin in zip(variables, twins, strict=True):
        assert variable.numpy().tobytes() == twin.numpy().tobytes()


def test_optimizers_without_a_name_are_numbered():
    first, second = optimizers.AdamW(), optimizers.AdamW()
    assert first.name.startswith("adam_w") and second.name.startswith("adam_w_") and first.name != second.name
    assert optimizers.SGD(name="own").name == "own"


def test_momentum_is_at_most_one():
    assert optimizers.SGD(0.1, momentum=1.0).momentum == 1
    with pytest.raises(ValueError, match=r"\[SGD\] expected momentum in \[0, 1\], got 1.5"):
        optimizers.SGD(0.1, momentum=1.5)


def test_no_variables_are_no_step():
    optimizer = optimizers.Nadam()
    optimizer.build([])
    optimizer.apply([], [])
    assert optimizer.iterations == 0
