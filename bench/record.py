"""The file of results: what was measured, where, when, from which commit; and the ratios everyone reads from it.

    threads     of every peer without a number of its own
    machine     cpu, cores, flops and bandwidth measured for that number of threads
    runs        commit, dirty, date, command, isa, peers {spec: version, threads}; more than one after --update
    cases       {name: flops, bytes, unit, share, floor, run (an index into runs), peers {spec: entry}}

share is the part of the machine's peak that there was before and after the case's samples, and the floor is for it.
An entry is {median, samples, difference, agrees}, times in seconds, or {error}.
"""

import datetime
import json
import re
import shlex
import statistics
import subprocess
from pathlib import Path
from typing import Any

Record = dict[str, Any]
Result = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"


def provenance(arguments: list[str], module: str = "bench.run") -> dict[str, Any]:
    """The commit, whether files differ from it, the date and the command line."""
    changed = _git("status", "--porcelain", "--", ".", ":!bench/results")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(changed),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": without_folders(shlex.join(["python", "-m", module, *arguments])),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def without_folders(text: str) -> str:
    """The text with every absolute path cut down to its file's name."""
    return re.sub(r"(?<![\w.*])/(?:[^\s/'\"]+/)+([^\s/'\"]+)", r"\1", text)


def load(path: Path) -> Record:
    record: Record = json.loads(path.read_text())
    return record


def save(path: Path, record: Record) -> None:
    path.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")


def times(result: Result) -> dict[str, float]:
    """{spec: median seconds} of the peers that computed what the first one did."""
    return {spec: entry["median"] for spec, entry in result["peers"].items() if entry.get("agrees")}


def best(result: Result) -> tuple[str, float] | None:
    """(spec, seconds) of the fastest peer, or None."""
    return min(times(result).items(), key=lambda item: item[1], default=None)


def ratio(result: Result, ours: str = "fastnn", theirs: str | None = None) -> float | None:
    """Their time over ours, of the fastest other peer unless one is named; None if either is missing."""
    found = times(result)
    own = found.pop(ours, None)
    other = found.get(theirs) if theirs else min(found.values(), default=None)
    return other / own if own and other else None


def typical(result: Result) -> float:
    """The geometric mean of the peers' medians."""
    medians = [entry["median"] for entry in result["peers"].values() if "median" in entry]
    return statistics.geometric_mean(medians) if medians else float("inf")


def pretty(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"
