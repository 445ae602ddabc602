"""Measures what the machine can do at most: fused multiply-adds per second, and bytes per second by footprint; and
whether it can at this moment."""

import itertools
import json
import math
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.cases import Case

FOLDER = Path(__file__).parent / "cpp"
COMPILE = ["g++", "-std=c++20", "-O3", "-march=native", "-ffp-contract=fast", "-fopenmp"]
WHOLE = 0.9  # of the peak: less, and somebody else has a part of the processors


@dataclass(frozen=True)
class Machine:
    """The limits for a number of threads: operations per second, and bandwidth as (footprint in bytes, bytes/s)."""

    flops: float
    bandwidth: list[tuple[float, float]]

    def bandwidth_at(self, footprint: float) -> float:
        """Bandwidth for a footprint, interpolated between the measured ones on a logarithmic scale."""
        if footprint <= self.bandwidth[0][0]:
            return self.bandwidth[0][1]
        for (low, low_rate), (high, high_rate) in itertools.pairwise(self.bandwidth):
            if footprint <= high:
                part = math.log(footprint / low) / math.log(high / low)
                return low_rate + part * (high_rate - low_rate)
        return self.bandwidth[-1][1]

    def floor(self, case: Case, share: float = 1.0) -> float:
        """Seconds below which no fp32 implementation with the same operation count can go, at a share of the peak."""
        return max(case.flops / (share * self.flops), case.bytes / self.bandwidth_at(case.bytes))

    def __str__(self) -> str:
        lines = [f"peak {self.flops / 1e9:.0f} GFLOP/s fp32"]
        lines += [f"  {size / 1024:9.0f} KB: {rate / 1e9:6.1f} GB/s" for size, rate in self.bandwidth]
        return "\n".join(lines)


def measure(threads: int, attempts: int = 3) -> Machine:
    """The best of several measurements: other programs can only make them worse."""
    with tempfile.TemporaryDirectory() as folder:
        program = compiled("probe", folder)
        found = []
        for _ in range(attempts):
            done = subprocess.run([program, str(threads)], check=True, capture_output=True)
            found.append(json.loads(done.stdout))
    sizes = [size for size, _ in found[0]["bandwidth"]]
    rates = [max(one["bandwidth"][i][1] for one in found) for i in range(len(sizes))]
    return Machine(max(one["flops"] for one in found), list(zip(sizes, rates, strict=True)))


def compiled(name: str, folder: str) -> str:
    """The program of that name, linked with the measurement of the peak, in the folder."""
    program = str(Path(folder, name))
    subprocess.run([*COMPILE, str(FOLDER / "peak.cpp"), str(FOLDER / f"{name}.cpp"), "-o", program], check=True)
    return program


class Watch:
    """Whether threads get the processors' peak at this moment. The host of a virtual machine may give its processors
    to others, or two of them one core, for seconds, which no figure of the system shows."""

    def __init__(self, threads: int, peak: float, patience: float) -> None:
        """patience: seconds to be spent at most, in all, on waiting for the peak to come back."""
        self.peak, self.patience = peak, patience
        self._folder = tempfile.TemporaryDirectory()
        self._program = subprocess.Popen(
            [compiled("watch", self._folder.name), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_WAIT_POLICY": "passive"},  # threads that look out would take time from peers
        )

    def share(self) -> float:
        """What part of the peak there is."""
        assert self._program.stdin and self._program.stdout
        self._program.stdin.write(b"\n")
        self._program.stdin.flush()
        return float(self._program.stdout.readline()) / self.peak

    def wait(self, step: float = 0.1) -> float:
        """The share, as soon as it is whole or patience is at an end."""
        share = self.share()
        while share < WHOLE and self.patience > 0:
            time.sleep(step)
            self.patience -= step
            share = self.share()
        return share

    def close(self) -> None:
        self._program.kill()
        self._program.communicate()
        self._folder.cleanup()


def cpu_model() -> str:
    """The processor's name as the system gives it, with family and model, since virtual machines shorten the name."""
    facts = {"model name": "unknown", "cpu family": "?", "model": "?"}
    for line in reversed(Path("/proc/cpuinfo").read_text().splitlines()):
        key, _, value = line.partition(":")
        facts[key.strip()] = value.strip()
    return f"{facts['model name']} (family {facts['cpu family']} model {facts['model']})"
