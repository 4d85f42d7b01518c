"""Measured coverage of every interval method: `python -m benchmarks.coverage [--trials 2000]`.

The designs are those of `intervals`, and with `--part groups` those of `shared_offsets`, whose rows are not
independent. `--report` only writes the tables of docs/coverage.md. One cell alone, e.g. the clustered bootstrap:
`--designs "paper, 3 rows a run" --objectives "least squares" --methods "bootstrap residual"`.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import pandas as pd

from benchmarks import ROOT
from benchmarks.coverage import intervals, shared_offsets
from scaling.data.atomic_files import write_between

PAGE = ROOT / "docs/coverage.md"


def groups(trials: int, report: bool, again: bool) -> None:
    """The study of rows that share offsets, and its table."""
    path = shared_offsets.TABLE
    table = pd.read_csv(path) if report else shared_offsets.study(trials, path, again=again)
    write_between(PAGE, shared_offsets.MARKS, shared_offsets.markdown(table))


def main() -> None:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = (
        ("designs", intervals.designs()),
        ("objectives", intervals.OBJECTIVES),
        ("methods", intervals.METHODS),
    )
    parser.add_argument("--trials", type=int, default=2000)
    for what, names in known:
        parser.add_argument(f"--{what}", nargs="+", default=list(names), choices=list(names), metavar="NAME")
    parser.add_argument("--again", action="store_true", help="measure even what the table has")
    parser.add_argument("--report", action="store_true", help="only write docs/coverage.md from the table")
    parser.add_argument("--table", type=Path, default=intervals.TABLE)
    parser.add_argument(
        "--part", choices=["rows", "groups"], default="rows", help="groups: rows share offsets"
    )
    args = parser.parse_args()
    if args.part == "groups":
        groups(args.trials, args.report, args.again)
        return
    cells = itertools.product(args.designs, args.objectives, args.methods)
    table = (
        pd.read_csv(args.table)
        if args.report
        else intervals.study(cells, args.trials, args.table, args.again)
    )
    if args.table == intervals.TABLE:
        write_between(PAGE, intervals.MARKS, intervals.markdown(table))
    print(intervals.markdown(table))


if __name__ == "__main__":
    main()
