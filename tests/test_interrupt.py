"""Ctrl-C while a model is trained, by a real signal in a process of its own."""

import signal
import subprocess
import sys
import time
from textwrap import dedent

import pytest

PREAMBLE = """
    import os, signal, sys, threading, time
    import numpy as np
    import fastnn
    from fastnn import callbacks, layers

    x, y = np.ones((64, 4), "float32"), np.ones((64, 1), "float32")
    heard = []
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts deaf to it

    class Heard(callbacks.Callback):
        def on_train_end(self, logs=None):
            heard.append("end")

    def network(cls=fastnn.Sequential):
        fastnn.utils.set_random_seed(1)
        model = cls([layers.Input((4,)), layers.Dense(8, "tanh"), layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    sent = []  # processor time of this process when the signal went out: other programs do not count

    def send():
        sent.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    def later(seconds):
        threading.Timer(seconds, send).start()
"""


@pytest.fixture
def lines(run_python):
    def run(code):
        done = run_python(dedent(PREAMBLE) + dedent(code))
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def test_training_ends_after_the_running_step_and_the_model_can_be_used(lines):
    assert lines("""
        model = network()
        later(0.2)
        try:
            model.fit(x, y, batch_size=64, epochs=10**6, shuffle=False, verbose=0, callbacks=Heard())
        except KeyboardInterrupt:
            took = time.process_time() - sent[0]
        twin = network()  # no step is torn: as many whole ones give the same weights
        for _ in range(model.optimizer.iterations):
            twin.train_on_batch(x, y)
        same = all(np.array_equal(a, b) for a, b in zip(model.get_weights(), twin.get_weights()))
        print(took < 0.05, *heard, model.optimizer.iterations > 0, same, model.history.epoch != [])
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, model.fit(x, y, verbose=0).epoch)
    """) == ["True", "end", "True", "True", "True", "True", "[0]"]


def test_a_step_that_runs_is_ended_and_a_second_signal_ends_it_at_once(lines):
    assert lines("""
        class Slow(fastnn.Sequential):
            def train_step(self, data):
                for _ in range(signals):
                    send()
                heard.append("step")
                return super().train_step(data)

        for signals in (1, 2):
            heard.clear()
            model = network(Slow)
            try:
                model.fit(x, y, epochs=9, batch_size=64, verbose=0, callbacks=Heard())
            except KeyboardInterrupt:
                print(*heard, model.optimizer.iterations)
    """) == ["step", "end", "1", "end", "0"]


def test_between_steps_the_signal_is_heard_at_once(lines):
    assert lines("""
        def waiting():
            yield x, y
            time.sleep(30)
            yield x, y

        model = network()
        later(0.2)
        begin = time.monotonic()
        try:
            model.fit(waiting(), verbose=0, callbacks=Heard())
        except KeyboardInterrupt:
            print(time.monotonic() - begin < 1, *heard, model.optimizer.iterations)
    """) == ["True", "end", "1"]


def test_handlers_of_the_program_and_other_threads_are_left_alone(lines):
    assert lines("""
        seen = []
        signal.signal(signal.SIGINT, lambda *_: seen.append(1))
        model = network()
        later(0.05)
        stop = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", bool(seen)))
        model.fit(x, y, epochs=10**6, verbose=0, callbacks=stop)
        worker = threading.Thread(target=lambda: network().fit(x, y, verbose=0, callbacks=Heard()))
        worker.start()
        worker.join()
        print(*seen, *heard)
    """) == ["1", "end"]


def test_the_best_weights_are_restored(lines):
    assert lines("""
        model, kept = network(), []
        early = callbacks.EarlyStopping("loss", restore_best_weights=True, patience=10**6)
        note = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
        later(0.2)
        try:
            model.fit(x, y, epochs=10**6, verbose=0, callbacks=[early, note])
        except KeyboardInterrupt:
            best = kept[early.best_epoch]
            print(all(np.array_equal(a, b) for a, b in zip(model.get_weights(), best)))
    """) == ["True"]


def test_the_program_ends_as_python_programs_do_on_ctrl_c():
    code = dedent(PREAMBLE) + "print('begin', flush=True)\nnetwork().fit(x, y, epochs=10**6, verbose=0)\n"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while b"begin" not in process.stdout.readline():
            pass
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        _, error = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT and error.strip().endswith(b"KeyboardInterrupt")
    assert time.monotonic() - begin < 2
