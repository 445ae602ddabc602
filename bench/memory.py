"""Peak memory of training steps: what a process needs beyond a library that is loaded and a batch that is there.

    python -m bench.memory --peers fastnn,torch,torch_nhwc --cases 'train/*'

Each figure is of a process of its own, and the median of --rounds of them: the highest resident memory from before
the network is built to after --steps steps, without pages of files, which are code and shared. It holds weights,
gradients, the optimizer's state, activations, and what the library keeps for the next step. Linux only.
"""

import argparse
import importlib
import multiprocessing
import statistics
from fnmatch import fnmatchcase
from multiprocessing.connection import Connection
from typing import Any

from bench import cases
from bench.peers import Unsupported


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="fastnn,torch,torch_nhwc")
    parser.add_argument("--cases", default="train/*")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    peers = given.peers.split(",")
    print("| case |", " | ".join(peers), "| fastnn / least |")
    print("|---|" + "--:|" * (len(peers) + 1))
    for case in cases.all_cases():
        if not case.name.startswith("train/") or not any(fnmatchcase(case.name, p) for p in given.cases.split(",")):
            continue
        found = {p: peak(p, case.name, given.threads, given.steps, given.rounds) for p in peers}
        others = [value for name, value in found.items() if name != "fastnn" and value is not None]
        own = found.get("fastnn")
        ratio = f"{own / min(others):.2f}" if own is not None and others else "-"
        cells = ["-" if found[p] is None else f"{found[p]:.1f} MB" for p in peers]
        print(f"| {case.name} |", " | ".join(cells), f"| {ratio} |", flush=True)


def peak(peer: str, case: str, threads: int, steps: int, rounds: int) -> float | None:
    """Megabytes, or None where the peer has no such case."""
    context = multiprocessing.get_context("spawn")
    found = []
    for _ in range(rounds):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=measure, args=(theirs, peer, case, threads, steps))
        process.start()
        theirs.close()
        try:
            value: float | None = ours.recv()
        except EOFError:
            raise SystemExit(f"peer {peer} failed on {case}") from None
        process.join()
        if value is None:
            return None
        found.append(value)
    return statistics.median(found)


def measure(pipe: "Connection[Any, Any]", name: str, case_name: str, threads: int, steps: int) -> None:
    """The child's side."""
    peer = importlib.import_module(f"bench.peers.{name}")
    peer.configure(threads)
    (case,) = (c for c in cases.all_cases() if c.name == case_name)
    inputs = case.make_inputs()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the highest resident memory begins anew
    before = memory()
    try:
        run = getattr(peer, case.kind)(case.settings, **inputs)
    except (AttributeError, Unsupported):
        pipe.send(None)
        return
    for _ in range(steps):
        run()
    after = memory()
    pipe.send((after["VmHWM"] - before["VmRSS"] - (after["RssFile"] - before["RssFile"])) / 1024)


def memory() -> dict[str, int]:
    """Kilobytes by the kernel's names."""
    with open("/proc/self/status") as file:
        rows = (line.split(":") for line in file)
        return {key: int(value.split()[0]) for key, value in rows if key in ("VmHWM", "VmRSS", "RssFile")}


if __name__ == "__main__":
    main()
