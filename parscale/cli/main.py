"""Train model-size x P sweeps, fit parallel scaling laws, regenerate the paper's figures.

N is non-embedding parameters, P parallel streams, D training tokens, loss in nats per token.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from collections.abc import Callable
from importlib import import_module
from typing import Any

from parscale.cli import analysis_arguments, examples, model_arguments
from parscale.cli import sweep_arguments as sweep_flags
from parscale.cli.analysis_arguments import RUNS, columns, numbers, out

EXAMPLES = """\
examples:
  parscale demo                                train 3 sizes x P in {1, 2, 4}, fit, draw (6 minutes)
  parscale sweep paper --dry-run               what the paper's 48 runs would take
  parscale fit results/published/losses.csv --law parallel --by corpus
  parscale predict results/fits/parallel-pile.json --N 2.8B --P 4
  parscale figures --only fig2

exit codes: 0 done, 1 the work failed (and says what is safe), 2 the call or its input is wrong
"""

BLOCKED = "a part of this path is a file where a folder is wanted; choose another"
Parser = argparse.ArgumentParser


def runs(p: Parser, objective: str = "huber") -> None:
    """Options of every command that reads a runs table and fits it."""
    p.add_argument("runs", metavar="RUNS", help=RUNS)
    columns(p)
    p.add_argument("--by", metavar="COLUMN", help="treat each value of a column apart, e.g. corpus")
    p.add_argument(
        "--objective",
        default=objective,
        help=f"huber, log-least-squares, least-squares, lad, asymmetric (default {objective})",
    )
    p.add_argument("--delta", type=float, default=1e-3, help="Huber's delta on log loss (default 1e-3)")


def sweep(p: Parser) -> None:
    """Train what a grid's folder does not hold yet; stopped at any moment, the same command goes on."""
    p.add_argument("grid", metavar="GRID", help="ci, demo, laptop, paper, or your own: FILE.py[:FUNCTION]")
    sweep_flags.add(p)
    out(p, "the sweep's folder (default results/sweeps/GRID)")


def status(p: Parser) -> None:
    """How a sweep stands, from its folder, while it runs or after."""
    p.add_argument("sweep", metavar="SWEEP", help="a sweep folder, or a grid's name under results/sweeps")
    p.add_argument("--domains", action="store_true", help="the held-out loss of finished runs by domain")
    numbers(p, level=False)


def demo(p: Parser) -> None:
    """The main job on this machine: train the demo grid, fit the law, draw it, say what P is worth."""
    p.add_argument("--grid", default="demo", help="another grid (default demo)")
    p.add_argument("--workers", default="auto", help="runs at a time (default auto: one a core)")
    out(p, "the sweep's folder (default results/sweeps/GRID)")


def corpus(p: Parser) -> None:
    """Build a corpus, or verify the cached one, and describe it."""
    p.add_argument("name", metavar="NAME", help="stdlib, code[-large], text[-debian], files:GLOB, hf:NAME")
    p.add_argument("--tokenizer", metavar="T", default="bpe", help=sweep_flags.TOKENIZER)
    p.add_argument("--vocab", type=int, help="entries (default 2048, or as many as the tokenizer has)")
    numbers(p, level=False)


def fit(p: Parser) -> None:
    """Fit a law to runs: parameters with intervals, errors, status; saved as JSON."""
    runs(p)
    p.add_argument(
        "--law",
        default="parallel",
        help="parallel (default), additive, dense, ...; additive:beta=0.5 holds one",
    )
    numbers(p)
    out(p, "folder whose fits/ gets LAW-GROUP.json (default results/fits/LAW-TABLE[-GROUP].json)")


def predict(p: Parser) -> None:
    """Predict losses from a saved fit, with intervals and equivalent sizes."""
    p.add_argument("fit", metavar="FIT", help="a fit file, e.g. results/fits/parallel-pile.json")
    for axis, what in (("N", "non-embedding parameters"), ("P", "streams"), ("D", "training tokens")):
        p.add_argument(f"--{axis}", metavar="X,...", help=f"{what}, e.g. {'2.8B' if axis != 'P' else '4'}")
    numbers(p)


def compare(p: Parser) -> None:
    """Rank laws on the same runs: AICc, BIC, leave-one-out, hold-out, and a verdict in words."""
    runs(p, objective="least-squares")
    p.add_argument("--laws", metavar="A,B", help="laws to compare (default: all the runs have the axes for)")
    p.add_argument("--holdout", default="N", help="axis whose largest levels are held out (default N)")
    numbers(p, level=False)


def backtest(p: Parser) -> None:
    """Fit the small runs, predict the large ones: how far a law extrapolates on these runs."""
    runs(p)
    p.add_argument("--law", default="parallel", help="the law (default parallel)")
    p.add_argument("--along", default="N", help="N, P, D or C (default N)")
    numbers(p)


def suggest(p: Parser) -> None:
    """Which runs to train next: those that shrink the interval of what you ask most per FLOP."""
    p.add_argument("fit", metavar="FIT", help="a fit file")
    p.add_argument(
        "--target", default="k", help="a parameter (default k), a point N=1e11,P=8, or a rival's fit file"
    )
    p.add_argument(
        "--candidates", metavar="FILE", help="table of runs to choose from: N, P, D, or C in FLOPs"
    )
    p.add_argument("--sizes", metavar="N,...", help="or a grid: sizes, e.g. 0.5B,1B")
    p.add_argument("--streams", metavar="P,...", help="streams of the grid, e.g. 1,8,32")
    p.add_argument("--tokens", metavar="D", help="training tokens of the grid's runs")
    p.add_argument("--budget", metavar="C", help="training FLOPs to spend in all, e.g. 1e21")
    p.add_argument("--count", type=int, default=5, help="runs at most (default 5)")
    numbers(p)


def run_demo(args: argparse.Namespace) -> int:
    """Sweep, then fit and draw: the one command that needs every package."""
    from analysis.sweep.verdict import conclude
    from parscale.cli.sweep_commands import folder_of, train
    from sweeps.grids import grids

    grid, folder = grids.find(args.grid), folder_of(args.grid, args.out)
    code = train(grid, grid(), folder, args)
    if code == 0:
        conclude(folder, "parscale demo")
    return code


# Command: (module and function of the parsed arguments, what adds its options).
COMMANDS: dict[str, tuple[str, Callable[[Parser], None]]] = {
    "demo": ("parscale:run_demo", demo),
    "sweep": ("parscale.cli.sweep_commands:sweep", sweep),
    "status": ("parscale.cli.sweep_commands:status", status),
    "corpus": ("parscale.cli.sweep_commands:corpus", corpus),
    "fit": ("parscale.cli.fit_commands:fit", fit),
    "predict": ("parscale.cli.fit_commands:predict", predict),
    "compare": ("parscale.cli.fit_commands:compare", compare),
    "backtest": ("parscale.cli.fit_commands:backtest", backtest),
    "suggest": ("parscale.cli.fit_commands:suggest", suggest),
    "streams": ("sweeps.inspect.stream_ensembles:streams", model_arguments.streams),
    "context": ("sweeps.inspect.loss_by_context:context", model_arguments.context),
    "generate": ("parscale.cli.model_commands:generate", model_arguments.generate),
    "import": ("parscale.cli.model_commands:import_", model_arguments.import_),
    "export": ("parscale.cli.model_commands:export", model_arguments.export),
    "figures": ("parscale.cli.analysis_commands:figures", analysis_arguments.figures),
    "reproduce": ("parscale.cli.analysis_commands:reproduce", analysis_arguments.reproduce),
    "gains": ("parscale.cli.analysis_commands:gains", analysis_arguments.gains),
    "report": ("parscale.cli.analysis_commands:report", analysis_arguments.report),
    "explore": ("parscale.cli.analysis_commands:explore", analysis_arguments.explore),
    "cost": ("parscale.cli.cost_commands:cost", analysis_arguments.cost),
    "advise": ("parscale.cli.cost_commands:advise", analysis_arguments.advise),
}


SHORT = {  # for the list of commands, where the part before the colon says too little
    "demo": "Train the demo grid on this machine, fit the law, draw it",
    "reproduce": "Regenerate the paper's fits, tables and figures, and audit its claims",
}


class Version(argparse.Action):
    """--version; looked up only where it is asked for."""

    def __init__(self, **given: Any) -> None:
        super().__init__(nargs=0, **given)

    def __call__(self, parser: Parser, *_: Any) -> None:
        """Print the installed package's version, which pyproject.toml states."""
        from importlib.metadata import version

        print(f"parscale {version('parscale')}")
        parser.exit()


def missing(name: str) -> str:
    """What to install where the module `name` is not found: the extra that asks for it, or itself."""
    from importlib.metadata import requires

    asked = [line for line in requires("parscale") or [] if re.match(rf"{re.escape(name)}\b", line)]
    extra = next((found[1] for line in asked if (found := re.search(r"extra == \W(\w+)", line))), None)
    return f"{name} is not installed: pip install '{f'parscale[{extra}]' if extra else name}'"


def build_parser() -> Parser:
    """The command line, one subparser a command."""
    raw: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = Parser("parscale", description=__doc__, epilog=EXAMPLES, **raw)
    parser.add_argument("--version", action=Version, help="print the version and exit")
    sub = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (_, add) in COMMANDS.items():
        help_line = (add.__doc__ or "").strip()
        brief = SHORT.get(name, help_line.split(":")[0].rstrip("."))
        words = {"description": textwrap.fill(help_line, 79), "epilog": examples.epilog(name)}
        add(sub.add_parser(name, help=brief, **raw | words))
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command; a user's mistake is one line and exit code 2, failed work exit code 1."""
    parser = build_parser()
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help()
        return 2
    args = parser.parse_args(argv)
    module, _, function = COMMANDS[args.command][0].partition(":")
    try:
        outcome = getattr(import_module(module), function)(args)
        if isinstance(outcome, str):  # text to print: the work is done
            print(outcome, flush=True)
        return outcome if isinstance(outcome, int) else 0
    except (NotADirectoryError, FileExistsError) as error:
        message, code = f"{error.filename}: {BLOCKED}" if error.filename else str(error), 2
    except (ValueError, FileNotFoundError, IsADirectoryError) as error:
        message, code = str(error), 2
    except ModuleNotFoundError as error:
        message, code = missing((error.name or "").partition(".")[0]), 2
    except BrokenPipeError:  # who reads the pipe, `head` say, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        message, code = f"{what}; what was finished is safe", 1
    except KeyboardInterrupt:
        message, code = "stopped; what was finished is safe", 1
    print(f"parscale {args.command}: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
