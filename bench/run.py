"""Times peers against each other and against the machine's limits.

    python -m bench.run --peers fastnn,torch,torch@1,numpy --cases 'gemm/*,train/*' --json out.json

A peer is the name of a module in bench/peers, optionally with its own number of threads (`torch@1`). Each peer
lives in its own process; one that is not installed is left out. For every case the peers are prepared, then take
turns (A B A B ...) for `--rounds` samples each; a peer's figure is the median. Samples during which other programs
used the machine, or before or after which it does not reach its peak, are repeated a few times. With `--passes` the
whole list is run that often and each case's fastest pass counts. Outputs are compared with the first peer's; one that
differs by more than `--tolerance` is marked, and its time enters no ratio.
"""

import argparse
import fnmatch
import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import cases, machine, record
from bench.cases import Case
from bench.worker import Digest, NotInstalled, Worker

FOREIGN_LOAD = 0.3  # a sample is repeated if other programs kept that many of the processors it needs busy


def main() -> None:
    options = parse_arguments()
    patterns = options.cases.split(",")
    chosen = [c for c in cases.all_cases() if any(fnmatch.fnmatch(c.name, p) for p in patterns)]
    if not chosen:
        sys.exit(f"no case matches {options.cases}")
    workers = start(options)
    limits = machine.measure(options.threads)
    print(limits)
    results = begin_record(options, limits, workers)
    watch = machine.Watch(options.threads, limits.flops, options.patience)
    for number in range(options.passes):
        for case in chosen:
            measure_into(results, case, workers, limits, watch, options, number)
    watch.close()
    for worker in workers:
        worker.close()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="fastnn,torch,numpy", help="comma-separated, each name or name@threads")
    parser.add_argument("--cases", default="*", help="comma-separated patterns, e.g. 'gemm/nn/*,train/*'")
    parser.add_argument("--json", type=Path, help="file for all results")
    parser.add_argument("--update", action="store_true", help="keep the JSON file's results for all other cases")
    parser.add_argument("--threads", type=int, default=1, help="of each peer, and for the machine's limits")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--sample", type=float, default=0.04, help="seconds one sample lasts at least")
    parser.add_argument("--patience", type=float, default=300, help="seconds spent in all on waiting for the peak")
    parser.add_argument("--limit", type=float, default=180, help="seconds after which a peer counts as hung")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="accepted difference, relative to the maximum")
    return parser.parse_args()


def start(options: argparse.Namespace) -> list[Worker]:
    """The peers that are installed, each in its own process."""
    workers = []
    for spec in options.peers.split(","):
        name = spec.partition("@")[0]
        if importlib.util.find_spec(f"bench.peers.{name}") is None:
            sys.exit(f"no module bench/peers/{name}.py")
        try:
            workers.append(Worker(spec, options.threads, options.limit))
        except NotInstalled as missing:
            print(f"peer {name}: not installed, left out (no module {missing})")
        else:
            print(f"peer {spec}: version {workers[-1].version}, {workers[-1].threads} threads")
    if not workers:
        sys.exit("no peer is installed")
    return workers


def begin_record(options: argparse.Namespace, limits: machine.Machine, workers: list[Worker]) -> record.Record:
    """A new record, or with --update the old one with this run added."""
    run = record.provenance(sys.argv[1:])
    run["isa"] = next((w.isa for w in workers if w.isa), None)
    run["peers"] = {w.spec: {"version": w.version, "threads": w.threads} for w in workers}
    where = {"cpu": machine.cpu_model(), "cores": os.cpu_count(), **vars(limits)}
    results: record.Record = {"threads": options.threads, "machine": where, "runs": [], "cases": {}}
    if options.update and options.json and options.json.exists():
        results = record.load(options.json)
        old = results["threads"], results["machine"]["cpu"]
        if old != (options.threads, where["cpu"]):
            sys.exit(f"{options.json.name} holds results of {old[0]} threads on {old[1]}")
    results["runs"].append(run)
    return results


def measure_into(
    results: record.Record,
    case: Case,
    workers: list[Worker],
    limits: machine.Machine,
    watch: machine.Watch,
    options: argparse.Namespace,
    number: int,
) -> None:
    """Times a case and keeps the result, unless an earlier pass of this run was faster."""
    this_run, old = len(results["runs"]) - 1, results["cases"].get(case.name)
    peers, share = measure_case(case, workers, watch, options)
    new = {
        "flops": case.flops,
        "bytes": case.bytes,
        "unit": case.unit,
        "share": share,
        "floor": limits.floor(case, share),
        "run": this_run,
        "peers": peers,
    }
    if old is None or old["run"] != this_run or record.typical(new) < record.typical(old):
        results["cases"][case.name] = new
    if number == options.passes - 1:
        print_row(case.name, results["cases"][case.name], workers)
    if options.json:
        record.save(options.json, results)


def measure_case(
    case: Case, workers: list[Worker], watch: machine.Watch, options: argparse.Namespace
) -> tuple[dict[str, dict[str, Any]], float]:
    """{spec: {median, samples, difference, agrees} or {error}}, and the share of the peak that was there meanwhile."""
    measured: dict[str, dict[str, Any]] = {}
    shares: list[float] = []
    digests: dict[str, Digest] = {}
    for worker in workers:
        try:
            digests[worker.spec] = worker.ask("prepare", case.name, options.sample)
            measured[worker.spec] = {"samples": []}
        except RuntimeError as error:
            measured[worker.spec] = {"error": last_line(error)}
    for _ in range(options.rounds):
        for worker in workers:
            if "error" not in measured[worker.spec]:
                try:
                    seconds, share = quiet_sample(worker, watch)
                    measured[worker.spec]["samples"].append(seconds)
                    shares.append(share)
                except RuntimeError as error:
                    measured[worker.spec] = {"error": last_line(error)}
    first = next(iter(digests), None)
    for spec, entry in measured.items():
        if "error" in entry:
            if not entry["error"].startswith("unsupported"):
                print(f"! {case.name}: {spec}: {entry['error']}")
        elif first is not None:
            entry["median"] = statistics.median(entry["samples"])
            entry.update(compare(case, digests[spec], digests[first], options.tolerance))
            if not entry["agrees"]:
                print(f"! {case.name}: {spec} differs from {first} by {entry['difference']}, not compared")
    return measured, statistics.median(shares or [1.0])


def last_line(error: RuntimeError) -> str:
    return record.without_folders(str(error).strip().splitlines()[-1])


def quiet_sample(worker: Worker, watch: machine.Watch, attempts: int = 5) -> tuple[float, float]:
    """A sample taken while nothing else ran and the processors gave their peak, or the one that came nearest to it;
    and the mean share of the peak just before and after."""
    accepted = (os.cpu_count() or 1) - worker.threads + FOREIGN_LOAD
    found: list[tuple[bool, float, float, float]] = []
    for attempt in range(attempts):
        before = watch.wait()
        seconds, others = worker.ask("sample")
        after = watch.share()
        alone, least, mean = others < accepted, min(before, after), (before + after) / 2
        if alone and least >= machine.WHOLE:
            return seconds, mean
        found.append((alone, least, seconds, mean))
        time.sleep(0.02 * attempt)
    return max(found)[2:]


def compare(case: Case, found: Digest, reference: Digest, tolerance: float) -> dict[str, Any]:
    """How far outputs are from the reference; the values of a random mask cannot be compared, only their shape."""
    worst = difference(found, reference)
    agrees = worst < float("inf") if case.kind == "dropout_fwd" else worst <= tolerance
    return {"difference": worst if np.isfinite(worst) else None, "agrees": agrees}


def difference(found: Digest, reference: Digest) -> float:
    """The largest difference between two peers' outputs, relative to the largest reference value."""
    if [shape for shape, _ in found] != [shape for shape, _ in reference]:
        return float("inf")
    worst = 0.0
    for (_, values), (_, expected) in zip(found, reference, strict=True):
        if expected.size:
            scale = max(np.abs(expected).max(), 1e-30)
            worst = np.maximum(worst, np.abs(values - expected).max() / scale)  # keeps nan
    return float(worst)


def print_row(name: str, result: record.Result, workers: list[Worker]) -> None:
    times = " ".join(f"{w.spec} {record.pretty(result['peers'].get(w.spec, {}).get('median')):>9}" for w in workers)
    fastest = record.best(result)
    summary = "no peer"
    if fastest:
        amount, seconds = result["flops" if result["unit"] == "GFLOP/s" else "bytes"], fastest[1]
        summary = (
            f"best {amount / seconds / 1e9:7.1f} {result['unit']:7} = {result['floor'] / seconds:4.0%} of the "
            f"limit, {seconds / result['floor']:6.1f}x the floor"
        )
    print(f"{name:40} {times} | {summary}", flush=True)


if __name__ == "__main__":
    main()
