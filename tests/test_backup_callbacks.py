"""Callbacks that put weights aside: training that goes on after an interruption, evaluation by moving averages."""

import numpy as np
import pytest

import fastnn
from fastnn import callbacks, layers, optimizers
from fastnn.models import Sequential


def data(rng):
    x = rng.standard_normal((40, 3)).astype("float32")
    return x, (x @ [[1.0], [-2.0], [0.5]]).astype("float32")


def regression(**options):
    fastnn.utils.set_random_seed(3)
    model = Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    model.compile(optimizers.Adam(0.05, **options), "mse")
    return model


def failing(epoch=None, batch=None):
    """Raises at the beginning of an epoch, or of a batch."""

    def fail(number, logs=None):
        if number == (epoch if batch is None else batch):
            raise RuntimeError("interrupted")

    name = "on_epoch_begin" if batch is None else "on_train_batch_begin"
    return callbacks.LambdaCallback(**{name: fail})


@pytest.mark.parametrize("save_freq", ["epoch", 5])
def test_training_goes_on_with_the_same_bits(rng, tmp_path, save_freq):
    x, y = data(rng)
    whole = regression()
    whole.fit(x, y, batch_size=8, epochs=6, shuffle=False, verbose=0)
    backup = callbacks.BackupAndRestore(tmp_path / "b", save_freq)
    model = regression()
    with pytest.raises(RuntimeError, match="interrupted"):
        model.fit(x, y, batch_size=8, epochs=6, shuffle=False, verbose=0, callbacks=[backup, failing(epoch=3)])
    assert (tmp_path / "b").exists()
    model = regression()  # another process
    try:
        raise OSError
    except OSError:  # where an error is handled, an end is no failure
        history = model.fit(x, y, batch_size=8, epochs=6, shuffle=False, verbose=0, callbacks=[backup])
    first = 3 if save_freq == "epoch" else 2  # the last of 5 batches comes before the end of its epoch
    assert history.epoch == list(range(first, 6)) and not (tmp_path / "b").exists()
    if save_freq == "epoch":
        for a, b in zip(model.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_rate_that_was_changed_is_restored_and_the_folder_may_stay(rng, tmp_path):
    x, y = data(rng)
    model = regression()
    model.optimizer.learning_rate = 0.25
    model.fit(x, y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "b", delete_checkpoint=False)])
    again = regression()
    history = again.fit(x, y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "b")])
    assert history.epoch == [] and again.optimizer.learning_rate == 0.25
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("double", [False, True])
def test_a_broken_file_leads_to_the_one_before(rng, tmp_path, double):
    x, y = data(rng)
    backup = callbacks.BackupAndRestore(tmp_path / "b", double_checkpoint=double)
    with pytest.raises(RuntimeError):
        regression().fit(x, y, epochs=4, verbose=0, callbacks=[backup, failing(epoch=2)])
    (tmp_path / "b" / "latest.weights.safetensors").write_bytes(b"0")
    if double:
        assert regression().fit(x, y, epochs=4, verbose=0, callbacks=[backup]).epoch == [1, 2, 3]
    else:
        with pytest.raises(ValueError, match="expected a whole safetensors file"):
            regression().fit(x, y, epochs=4, verbose=0, callbacks=[backup])


def test_what_a_backup_cannot_do_is_refused(tmp_path):
    for wrong in ("batch", 0, 0.5, True):
        with pytest.raises(ValueError, match="expected save_freq 'epoch' or an integer >= 1, got"):
            callbacks.BackupAndRestore(tmp_path, wrong)
    for nothing in ("", None):
        with pytest.raises(ValueError, match=r"\[BackupAndRestore\] expected backup_dir, got"):
            callbacks.BackupAndRestore(nothing)


@pytest.mark.parametrize("on_epoch", [False, True])
def test_evaluation_sees_the_moving_averages_and_training_does_not(rng, tmp_path, on_epoch):
    x, y = data(rng)
    plain, swapped = (regression(use_ema=True, ema_momentum=0.9) for _ in range(2))
    seen = []
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(swapped.get_weights()))
    plain.fit(x, y, epochs=3, shuffle=False, verbose=0)
    swap = callbacks.SwapEMAWeights(swap_on_epoch=on_epoch)
    history = swapped.fit(
        x, y, epochs=3, shuffle=False, verbose=0, validation_data=(x, y), callbacks=[swap, keep]
    ).history
    for a, b in zip(plain.get_weights(), swapped.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # both end with the averages
    np.testing.assert_allclose(history["val_loss"][-1], swapped.evaluate(x, y, verbose=0), rtol=1e-6)
    last = all(np.array_equal(a, b) for a, b in zip(seen[-1], swapped.get_weights(), strict=True))
    assert last is on_epoch


def test_averages_come_and_go_around_a_prediction(rng):
    x, y = data(rng)
    model = regression(use_ema=True, ema_momentum=0.9)
    for _ in range(5):
        model.train_on_batch(x, y)
    weights, plain = model.get_weights(), model.predict(x, verbose=0)
    found = model.predict(x, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    assert not np.array_equal(found, plain)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    with pytest.raises(ValueError, match="expected an optimizer with use_ema=True, got one without"):
        regression().predict(x, verbose=0, callbacks=[callbacks.SwapEMAWeights()])


def test_data_whose_length_fails_are_read_to_their_end(rng):
    class Endless:
        def __iter__(self):
            return iter([data(rng)] * 3)

        def __len__(self):
            raise TypeError("no length")

    model = regression()
    model.fit(Endless(), epochs=2, verbose=0)
    assert model.optimizer.iterations == 6
