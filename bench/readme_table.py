"""Writes the benchmark sections of README.md and docs/performance.md from the files in bench/results.

    python -m bench.readme_table            replaces what stands between the markers
    python -m bench.readme_table --check    fails if that would change anything

README: one table per file, so one per machine and number of threads; one line per family of cases. A ratio is another
library's time over fastnn's: above 1 fastnn is faster. Every case of the file that fastnn can do enters, lost ones
included; cases it cannot do, and cases whose outputs differ, are counted in words below the table.

docs/performance.md: every case and every peer, what a busy program beside it does to a step, and what attention takes
of memory.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from bench import record, report
from bench.record import Record, Result, ratio

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
WHOLE_GROUPS = ("dropout", "infer", "loss", "optim", "train")  # one line each; others one per group/part
README, PERFORMANCE = record.ROOT / "README.md", record.ROOT / "docs" / "performance.md"
LOAD = record.RESULTS / "load" / "foreign-load.json"
ATTENTION = record.RESULTS / "load" / "attention-memory.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if README.md is out of date")
    options = parser.parse_args()
    files = sorted(record.RESULTS.glob("*.json"))
    for page, inside in ((README, section(files)), (PERFORMANCE, details(files))):
        old = page.read_text()
        new = replaced(page.name, old, inside)
        if options.check and new != old:
            sys.exit(f"{page.name} is out of date: run python -m bench.readme_table")
        if new != old:
            page.write_text(new)


def details(files: list[Path]) -> str:
    """Every case of every file, the effect of a busy program, and the memory of attention."""
    lines = []
    for file in files:
        results = record.load(file)
        groups: report.Groups = {}
        for name, result in results["cases"].items():
            if record.best(result):
                groups.setdefault(family(name), {})[name] = result
        lines += ["", f"## {heading(results)}", *report.tables(groups)]
    return "\n".join([*lines, "", *load(), "", *attention_memory()]).strip()


def load() -> list[str]:
    """The table of bench.foreign_load, if it has been run."""
    if not LOAD.exists():
        return []
    cases = json.loads(LOAD.read_text())["cases"]
    rows = [f"| {name} | {c['median']} | {c['mean']} | {c['p99']} |" for name, c in cases.items()]
    head = "## A busy program on one of two processors"
    return [head, "", "| us | median | mean | 99th percentile |", "|---|--:|--:|--:|", *rows]


def attention_memory() -> list[str]:
    """The table of bench.attention_memory, if it has been run."""
    if not ATTENTION.exists():
        return []
    cases = json.loads(ATTENTION.read_text())["cases"]
    rows = [f"| {keys} | {' | '.join(f'{n / 1e6:.2f}' for n in sizes.values())} |" for keys, sizes in cases.items()]
    head = "## Memory of attention: 8 heads of 64, as many queries as keys"
    return [head, "", "| keys | forward, MB | with gradients, MB | scores alone, MB |", "|--:|--:|--:|--:|", *rows]


def replaced(name: str, text: str, inside: str) -> str:
    """The text of the page `name` with what stands between the markers replaced."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{name} lacks the markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{inside}\n{END}{after}"


def section(files: list[Path]) -> str:
    if not files:
        return "No results are recorded yet."
    return "\n\n".join(table(record.load(file), file.name) for file in files)


def table(results: Record, file_name: str) -> str:
    """One file as Markdown: heading, table, what is missing from it, and where the figures come from."""
    families: dict[str, dict[str, Result]] = {}
    for name, result in results["cases"].items():
        families.setdefault(family(name), {})[name] = result
    lines = [
        heading(results),
        "",
        "| cases | rows | best peer / fastnn | torch / fastnn | rows lost | worst row |",
        "|---|--:|--:|--:|--:|---|",
    ]
    lines += [line for name, members in families.items() if (line := row(name, members))]
    return "\n".join([*lines, "", *missing(results["cases"]), *origin(results, file_name)])


def family(name: str) -> str:
    parts = name.split("/")
    return parts[0] if parts[0] in WHOLE_GROUPS else "/".join(parts[:2])


def heading(results: Record) -> str:
    threads, where = results["threads"], results["machine"]
    return (
        f"**{threads} thread{'s' * (threads > 1)}**, {where['cpu']}, {where['cores']} cores, peak "
        f"{where['flops'] / 1e9:.0f} GFLOP/s"
    )


def row(name: str, members: dict[str, Result]) -> str | None:
    """The line of one family, or None if fastnn has no row in it."""
    best = {case: value for case, result in members.items() if (value := ratio(result)) is not None}
    torch = [value for result in members.values() if (value := ratio(result, theirs="torch")) is not None]
    if not best:
        return None
    worst = min(best, key=lambda case: best[case])
    cells = [
        name,
        str(len(best)),
        f"{statistics.geometric_mean(best.values()):.2f}",
        f"{statistics.geometric_mean(torch):.2f}" if torch else "-",
        str(sum(value < 1 for value in best.values())),
        f"{worst} {best[worst]:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def missing(cases: dict[str, Result]) -> list[str]:
    """Sentences about the cases that are in no line of the table."""
    left_out = {name: result for name, result in cases.items() if ratio(result) is None}
    differing = [
        name
        for name, result in cases.items()
        if any(entry.get("agrees") is False for entry in result["peers"].values())
    ]
    sentences = []
    if left_out:
        sentences.append(f"{len(left_out)} of {len(cases)} cases are in no line: fastnn or all other peers lack them.")
    if differing:
        sentences.append(f"Not in the ratios, since outputs differ from the first peer's: {', '.join(differing)}.")
    return [" ".join(sentences), ""] if sentences else []


def origin(results: Record, file_name: str) -> list[str]:
    """File, commits, dates, versions and command lines."""
    lines = [f"Geometric means, from [{file_name}](bench/results/{file_name}):", ""]
    used = sorted({result["run"] for result in results["cases"].values()})
    for run in (results["runs"][index] for index in used):
        versions = ", ".join(f"{spec} {peer['version']}" for spec, peer in run["peers"].items())
        changed = " with local changes" if run["dirty"] else ""
        lines.append(
            f"* commit {run['commit'][:10]}{changed}, {run['date']}, kernels {run['isa']}, {versions}: "
            f"`{run['command']}`"
        )
    return lines


if __name__ == "__main__":
    main()
