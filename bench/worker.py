"""One peer in a process of its own, so that thread pools, OpenMP runtimes and crashes stay apart.

Only the peer being asked runs: the others' processes are stopped, since idle thread pools that still spin
would take time from it. Linux only: prctl, /proc/stat.
"""

import atexit
import ctypes
import gc
import importlib
import multiprocessing
import os
import signal
import time
import traceback
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

import numpy as np

from bench import cases
from bench.cases import Case
from bench.peers import Array, Outputs, Run, Unsupported

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PR_SET_PDEATHSIG = 1
SAMPLED = 4096  # output elements compared between peers

Digest = list[tuple[tuple[int, ...], Array]]


class NotInstalled(Exception):
    """A module the peer imports is absent; its name is the argument."""


class Worker:
    """The parent's side. `spec` is `name` or `name@threads`."""

    def __init__(self, spec: str, threads: int, limit: float) -> None:
        self.spec, self.limit = spec, limit
        name, _, own_threads = spec.partition("@")
        self.name, self.threads = name, int(own_threads or threads)
        self._start()

    def _start(self) -> None:
        saved = {v: os.environ.get(v) for v in THREAD_VARIABLES}
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(self.threads)))
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self.name, self.threads), daemon=True)
        self.process.start()
        atexit.register(self.process.kill)  # a stopped process would keep this one from ending
        other.close()
        for variable, value in saved.items():
            if value is None:
                del os.environ[variable]
            else:
                os.environ[variable] = value
        try:
            status, about = self._receive()
        except RuntimeError as error:
            raise SystemExit(f"peer {self.name} {error} while starting") from None
        if status == "missing":
            self.close()
            raise NotInstalled(about)
        self.version, self.isa = about

    def _receive(self) -> tuple[str, Any]:
        """The next message from the child, which is stopped afterwards."""
        try:
            if self.pipe.poll(self.limit):
                message: tuple[str, Any] = self.pipe.recv()
                self._signal(signal.SIGSTOP)
                return message
            raise RuntimeError("timed out")
        except (EOFError, ConnectionResetError):
            raise RuntimeError("crashed") from None

    def _signal(self, number: signal.Signals) -> None:
        if self.process.pid is not None:
            os.kill(self.process.pid, number)

    def ask(self, *message: Any) -> Any:
        """The answer, or raises RuntimeError with the peer's message; after a crash the peer is started again."""
        self._signal(signal.SIGCONT)
        self.pipe.send(message)
        try:
            status, value = self._receive()
        except RuntimeError:
            self.close()
            self._start()
            raise
        if status == "error":
            raise RuntimeError(value)
        return value

    def close(self) -> None:
        self.process.kill()
        self.process.join()


def busy_seconds() -> float:
    """Processor seconds used by everything on the machine so far."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft_irq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")


def serve(pipe: "Connection[Any, Any]", name: str, threads: int) -> None:
    """The child's side: answers requests until the pipe closes."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a stopped process would outlive its parent
    try:
        peer = importlib.import_module(f"bench.peers.{name}")
    except ModuleNotFoundError as error:
        pipe.send(("missing", error.name))
        return
    peer.configure(threads)
    session = Session(peer)
    pipe.send(("ready", (peer.version(), peer.isa() if hasattr(peer, "isa") else None)))
    gc.disable()
    while True:
        try:
            request, *arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("ok", getattr(session, request)(*arguments)))
        except Unsupported as reason:
            pipe.send(("error", f"unsupported: {reason}"))
        except Exception:
            pipe.send(("error", traceback.format_exc()))


def build(peer: ModuleType, case: Case) -> Run:
    """The peer's `run` for a case, prepared on fresh inputs."""
    function = getattr(peer, case.kind, None)
    if function is None:
        raise Unsupported("not implemented")
    run: Run = function(case.settings, **case.make_inputs())
    return run


def digest(peer: ModuleType, outputs: Outputs) -> Digest:
    """Shape and up to SAMPLED elements of every output, as float64."""
    found = []
    for value in outputs:
        array = np.asarray(peer.to_numpy(value))
        picked = np.linspace(0, array.size - 1, min(SAMPLED, array.size)).astype(np.int64)
        found.append((array.shape, array.reshape(-1)[picked].astype(np.float64)))
    return found


class Session:
    """Prepares one case at a time and times it."""

    def __init__(self, peer: ModuleType) -> None:
        self.peer, self.known = peer, {case.name: case for case in cases.all_cases()}
        self.run: Run | None = None
        self.count = 1

    def prepare(self, case_name: str, sample_seconds: float) -> Digest:
        """Builds the case, warms it up, and picks how many calls make one sample. Returns the outputs' digest."""
        self.run = None
        gc.collect()
        self.run = build(self.peer, self.known[case_name])
        found = digest(self.peer, self.run())
        begin = time.perf_counter()
        calls = 0
        while calls < 3 or time.perf_counter() - begin < sample_seconds:
            self.run()
            calls += 1
            if calls >= 3 and time.perf_counter() - begin > 2.0:
                break
        begin = time.perf_counter()
        for _ in range(3):
            self.run()
        once = (time.perf_counter() - begin) / 3
        self.count = max(1, round(sample_seconds / once))
        return found

    def sample(self) -> tuple[float, float]:
        """Seconds per call over one sample, and how many processors others kept busy meanwhile."""
        run, count = self.run, self.count
        if run is None:
            raise RuntimeError("sample before prepare")
        run()
        busy, own, begin = busy_seconds(), time.process_time(), time.perf_counter()
        for _ in range(count):
            run()
        elapsed = time.perf_counter() - begin
        others = (busy_seconds() - busy) - (time.process_time() - own)
        return elapsed / count, others / elapsed
