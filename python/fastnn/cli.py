"""The command `fastnn`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fastnn.errors import MissingDependency


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except MissingDependency as error:
        print(error, file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastnn", description="Neural networks on plain NumPy arrays.")
    commands = parser.add_subparsers(required=True, metavar="command")
    info = commands.add_parser("info", help="version, processor, instruction sets, threads, optional parts")
    info.set_defaults(run=_info)
    demo = commands.add_parser("demo", help="train on real data, draw, save and reload")
    demo.add_argument(
        "--data",
        choices=("digits", "iris", "wine", "breast_cancer", "diabetes"),
        default="digits",
        help="table to learn",
    )
    demo.add_argument(
        "--model", choices=("dense", "cnn"), default="dense", help="kind of network; cnn: the digits as images"
    )
    demo.add_argument("--out", default="fastnn-demo", help="folder for the model and the pictures")
    demo.add_argument("--seed", type=int, default=0, help="of split, weights and shuffling")
    demo.add_argument("--epochs", type=int, help="passes over the data, instead of the table's own number")
    demo.set_defaults(run=_demo)
    return parser


def _info(options: argparse.Namespace) -> int:
    from fastnn.info import describe

    facts = describe()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from fastnn import demo

    demo.run(options.data, options.out, options.seed, options.epochs, model=options.model)
    return 0
