"""The `parscale` command: train sweeps, fit parallel scaling laws, regenerate the paper."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

EXAMPLES = """examples:
  parscale sweep demo                        train 3 sizes x P in {1, 2, 4} on this machine
  parscale fit results/published/losses.csv --law parallel --by corpus
  parscale predict results/fits/parallel-pile.json --N 2.8B --P 4
  parscale figures --only fig2

exit codes: 0 done, 1 the work failed (and says what is safe), 2 the call or its input is wrong"""


def demo(args: argparse.Namespace) -> int:
    """The main job: sweep, fit, figures, and a report on the terminal."""
    return 0


def say(text: str) -> int:
    """Print and succeed."""
    print(text)
    return 0


def fit(args: argparse.Namespace) -> int:
    """Fit a law to runs."""
    from scaling.commands import fit as run

    return say(run(args))


def predict(args: argparse.Namespace) -> int:
    """Predict from a saved fit."""
    from scaling.commands import predict as run

    return say(run(args))


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Options of every command that reads a runs table."""
    parser.add_argument("runs", help="runs table (parquet, csv, tsv, jsonl) or sweep folder")
    parser.add_argument("--columns", metavar="N=params,loss=val", help="our names for the file's columns")
    parser.add_argument("--where", metavar="COLUMN=VALUE", help="only rows with this value")
    parser.add_argument("--by", metavar="COLUMN", help="one fit for each value of a column")
    parser.add_argument(
        "--objective",
        default="huber",
        help="huber (default), log-least-squares, least-squares, lad, asymmetric",
    )
    parser.add_argument("--delta", type=float, default=1e-3, help="Huber's delta (default 1e-3)")


def add_output(parser: argparse.ArgumentParser, level: bool = True) -> None:
    """Options of commands that print numbers."""
    if level:
        parser.add_argument("--level", type=float, default=0.95, help="level of the intervals (default 0.95)")
    parser.add_argument("--json", action="store_true", help="print JSON, full precision")


def add_fit(parser: argparse.ArgumentParser) -> None:
    add_runs(parser)
    parser.add_argument(
        "--law",
        default="parallel",
        help="parallel (default), additive, dense, ...; additive:beta=0.5 fixes one",
    )
    add_output(parser)
    parser.add_argument("--out", metavar="DIR", help="write fits to DIR/fits (default results)")


def add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fit", help="a fit file")
    for axis, what in (("N", "non-embedding parameters"), ("P", "streams"), ("D", "training tokens")):
        parser.add_argument(f"--{axis}", metavar="X[,X...]", help=f"{what}, e.g. 2.8B")
    add_output(parser)


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], Callable[[argparse.ArgumentParser], None]]] = {
    "fit": (fit, add_fit),
    "predict": (predict, add_predict),
}


def build_parser() -> argparse.ArgumentParser:
    """The command line: one subparser a command."""
    shape: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser("parscale", description=__doc__, epilog=EXAMPLES, **shape)
    sub = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (run, add) in COMMANDS.items():
        one = sub.add_parser(
            name, help=run.__doc__.splitlines()[0].rstrip("."), description=run.__doc__, **shape
        )
        add(one)
        one.set_defaults(run=run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command; a user's mistake is one line and exit code 2, failed work exit code 1."""
    args = build_parser().parse_args(argv)
    try:
        return args.run(args)
    except (ValueError, FileNotFoundError, IsADirectoryError):
        code = 2
    except OSError:
        code = 1
    except KeyboardInterrupt:
        code = 1
    print(f"parscale {args.command}: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
