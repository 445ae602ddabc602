"""Turns a results file of bench.run into Markdown tables.

    python -m bench.report out.json [--summary]

For every case: the floor, each peer's median, and what part of fastnn's time the floor is. The summary has one line
per family of cases (the first two parts of their names), with geometric means. Times in brackets belong to outputs that
differ from the first peer's; they count nowhere.
"""

import argparse
import statistics
from pathlib import Path

from bench import record
from bench.record import Result, best, pretty, times

Groups = dict[str, dict[str, Result]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    cases = record.load(options.file)["cases"]
    groups: Groups = {}
    for name, result in cases.items():
        if best(result):
            groups.setdefault("/".join(name.split("/")[: 1 + options.summary]), {})[name] = result
    print("\n".join(summary(groups) if options.summary else tables(groups)))


def timed_peers(results: list[Result]) -> list[str]:
    """Every peer with a time in some row, in the order of the run."""
    return list(dict.fromkeys(spec for r in results for spec, entry in r["peers"].items() if "median" in entry))


def tables(groups: Groups) -> list[str]:
    lines = []
    for group, results in groups.items():
        used = timed_peers(list(results.values()))
        lines += [
            "",
            f"### {group}",
            "",
            f"| case | floor | {' | '.join(used)} | floor / fastnn |",
            f"|---|--:|{'--:|' * (len(used) + 1)}",
        ]
        for name, result in results.items():
            fastest = best(result)
            if fastest:
                cells = [cell(result, spec, fastest[0]) for spec in used]
                lines.append(
                    f"| {name[len(group) + 1 :]} | {pretty(result['floor'])} | {' | '.join(cells)} | {share(result)} |"
                )
    return lines


def share(result: Result) -> str:
    """The floor as a part of fastnn's time."""
    seconds = times(result).get("fastnn")
    return f"{result['floor'] / seconds:.0%}" if seconds else "-"


def cell(result: Result, spec: str, fastest: str) -> str:
    entry = result["peers"].get(spec, {})
    text = pretty(entry.get("median"))
    if spec == fastest:
        return f"**{text}**"
    return text if entry.get("agrees", True) else f"({text})"


def summary(groups: Groups) -> list[str]:
    used = timed_peers([r for results in groups.values() for r in results.values()])
    lines = [
        f"| group | cases | best / floor | {' | '.join(f'{p} / best' for p in used)} |",
        f"|---|--:|--:|{'--:|' * len(used)}",
    ]
    for group, results in groups.items():
        fastest = {name: min(times(r).values()) for name, r in results.items()}
        room = statistics.geometric_mean(fastest[name] / r["floor"] for name, r in results.items())
        cells = []
        for spec in used:
            ratios = [times(r)[spec] / fastest[name] for name, r in results.items() if spec in times(r)]
            cells.append(f"{statistics.geometric_mean(ratios):.2f}" if ratios else "-")
        lines.append(f"| {group} | {len(results)} | {room:.1f} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
