"""Train sweeps over model size and P, fit parallel scaling laws, draw the paper's figures.

N: non-embedding parameters. P: parallel streams. D: training tokens.
The loss is in nats per token.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
import textwrap
from collections.abc import Collection
from importlib import import_module
from typing import Any

GROUPS: dict[str, dict[str, str]] = {
    "train": {
        "demo": "Train the demo grid on this machine, fit the law, draw it",
        "sweep": "Train the runs of a grid that are not in its folder yet",
        "coordinates": "The coordinate check of a width transfer (muP)",
        "status": "The state of a sweep, during training or after",
        "corpus": "Build or verify a corpus, and describe it",
        "generate": "Continue a prompt with a checkpoint",
        "benchmark": "Evaluate a checkpoint with the LM evaluation harness",
        "import": "Check and describe an official checkpoint, or convert it with --out",
        "export": "Write a run's model in the released checkpoint format",
    },
    "fit": {
        "inspect": "What a table holds and what it can determine, before a fit",
        "fit": "Fit a law to runs",
        "predict": "Predict losses from a saved fit",
        "compare": "Rank laws on the same runs",
        "backtest": "Fit the small runs, predict the large ones",
        "forecast": "Forecast larger runs, with intervals that hold beyond the runs",
        "curves": "Fit whole loss curves and forecast other learning-rate schedules",
        "accuracy": "Fit accuracy against loss: a sigmoid with its floor at chance",
        "score": "Score a registered forecast once the runs exist",
    },
    "decide": {
        "suggest": "Which runs to train next",
        "optimum": "The compute-optimal N and D for a budget, by three methods",
        "tuned": "The best learning rate and batch size, and how they grow with N and D",
        "cost": "Memory and latency of inference, and the cost of training",
        "advise": "The cheapest run that reaches a loss, with GPU hours and price",
        "gains": "Loss reduction from P > 1 at each model size",
        "inference": "Accuracy on a task against FLOPs, latency and memory of an answer",
        "streams": "What averaging the streams of a sweep's runs gains",
        "context": "Validation loss of a sweep's runs by what could be copied",
    },
    "publish": {
        "figures": "Draw the paper's figures, or the same figures for a sweep",
        "reproduce": "Regenerate the paper's fits, tables and figures, and audit its claims",
        "atlas": "Refit published laws to their own runs: constants, rivals, forecasts",
        "report": "One self-contained page of a sweep",
        "explore": "Write one self-contained page to explore laws, and open it",
    },
}
READ_MODELS = ("inference", "streams", "context")  # commands outside "train" that run trained models
GROUP_OF = {command: group for group, commands in GROUPS.items() for command in commands}

EXAMPLES = """\
examples:
  parscale demo                    train 3 sizes at P = 1, 2, 4, fit, draw (3 to 6 min)
  parscale sweep paper --dry-run   what the paper's 48 runs would take
  parscale fit results/published/losses.csv --law parallel --by corpus
  parscale forecast results/published/losses.csv --where corpus=pile --N 30B --P 8
  parscale figures --only fig2

exit codes:
  0 done, 1 the work failed (and says what is safe), 2 the call or its input is wrong
"""

BLOCKED = "a part of this path is a file where a folder is wanted. Choose another"
Parser = argparse.ArgumentParser


class Version(argparse.Action):
    """The option --version, looked up only if asked for."""

    def __init__(self, **given: Any) -> None:
        super().__init__(nargs=0, **given)

    def __call__(self, parser: Parser, *_: Any) -> None:
        """Print the installed package's version, which pyproject.toml states."""
        from importlib.metadata import version

        print(f"parscale {version('parscale')}")
        parser.exit()


def command_module(command: str) -> Any:
    """The module of a command: its options, its examples and its run(options)."""
    return import_module(f"parscale.cli.{GROUP_OF[command]}.{command}_command")


def build_parser(commands: Collection[str] = tuple(GROUP_OF)) -> Parser:
    """The command line: a subparser for every command, with options for those asked for (default all)."""
    raw: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    listed = "\n\n".join(_listing(group) for group in GROUPS)
    usage = "parscale [-h] [--version] COMMAND ..."
    parser = Parser("parscale", usage, f"{__doc__}\n{listed}", EXAMPLES, **raw)
    parser.add_argument("--version", action=Version, help="print the version and exit")
    sub = parser.add_subparsers(
        dest="command", metavar="COMMAND", prog="parscale", required=True, help=argparse.SUPPRESS
    )
    for name in GROUP_OF:
        if name in commands:
            _add_command(sub.add_parser(name, **raw), command_module(name))
        else:
            sub.add_parser(name, add_help=False)
    return parser


def _listing(group: str) -> str:
    """The commands of a group, a line each."""
    lines = [f"  {name:<13}{brief}" for name, brief in GROUPS[group].items()]
    return "\n".join([f"{group}:", *lines])


def _add_command(parser: Parser, module: Any) -> None:
    """Give a command's parser its description, examples and options."""
    from parscale.cli.options import add_options

    parser.description = textwrap.fill(module.__doc__.strip(), 79)
    parser.epilog = "\n".join(["examples:", *(f"  parscale {line}" for line in module.EXAMPLES)])
    add_options(parser, module.Options)


def main(argv: list[str] | None = None) -> int:
    """Run one command. A user's mistake gives one line and exit code 2, failed work exit code 1."""
    if sys.version_info < (3, 11):  # noqa: UP036 (a checkout may be run without pip, which checks this)
        print("parscale: Python 3.11 or later is needed. This is " + sys.version.split()[0], file=sys.stderr)
        return 2
    words = sys.argv[1:] if argv is None else argv
    asked = next((word for word in words if word in GROUP_OF), None)
    parser = build_parser([asked] if asked else [])
    if not words:
        parser.print_help()
        return 2
    args = parser.parse_args(words)
    if argv is None:
        tune_process(args.command)
    if hidden := hidden_package():
        print(f"parscale: {hidden}", file=sys.stderr)
        return 2
    code, message = attempt(args)
    if message:
        print(f"parscale {args.command}: {message}", file=sys.stderr)
    return code


def tune_process(command: str) -> None:
    """Halve the cost of a short command in its own process: few garbage collections, and one thread per fit.

    The matrices of a law's few parameters are too small for several threads.
    """
    import atexit
    import gc

    gc.set_threshold(100_000)
    atexit.register(gc.freeze)  # the end of the process frees everything anyway
    if GROUP_OF[command] != "train" and command not in READ_MODELS:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def hidden_package() -> str | None:
    """Which of the user's files hides one of our packages, and what to do. None if none does."""
    from importlib.util import find_spec
    from pathlib import Path

    ours = Path(__file__).resolve().parents[2]
    for name in ("scaling", "sweeps", "analysis"):
        found = find_spec(name)
        if found is None or found.origin is None or Path(found.origin).resolve().parent == ours / name:
            continue
        remedy = "Rename it, or run the `parscale` script or `python -m parscale` in another folder"
        return f"{found.origin} hides the package {name!r} of parscale. {remedy}"
    return None


def attempt(args: argparse.Namespace) -> tuple[int, str]:
    """Exit code of a parsed call, and what is said of its failure, if it fails."""
    from parscale.cli.options import read_options
    from parscale.cli.output import Partly

    try:
        check_place(args)
        module = command_module(args.command)
        outcome = module.run(read_options(module.Options, args))
        if isinstance(outcome, Partly):
            print(outcome.text, flush=True)
            return 1, outcome.failed
        if isinstance(outcome, str):  # text to print: the work is done
            print(outcome, flush=True)
        return (outcome, "") if isinstance(outcome, int) else (0, "")
    except (NotADirectoryError, FileExistsError) as error:
        return 2, f"{error.filename}: {BLOCKED}" if error.filename else str(error)
    except (ValueError, FileNotFoundError, IsADirectoryError) as error:
        return 2, reason(error)
    except ModuleNotFoundError as error:
        return 2, missing((error.name or "").partition(".")[0])
    except BrokenPipeError:  # the reader of the pipe, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1, ""
    except OSError as error:
        return 1, f"{reason(error)}. What was finished is safe"
    except KeyboardInterrupt:
        return 1, "stopped, what was finished is safe"


def reason(error: Exception) -> str:
    """An error in words: the system's with its file and without its number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.strerror}: {error.filename}"
    return str(error)


def check_place(args: argparse.Namespace) -> None:
    """Refuse, before any work, an --out or --save below a file or in a folder that is not writable."""
    from pathlib import Path

    for given in (getattr(args, "out", None), getattr(args, "save", None)):
        if not isinstance(given, str):
            continue
        there = next(
            part for part in (Path(given).absolute(), *Path(given).absolute().parents) if part.exists()
        )
        if there.is_file() and there != Path(given).absolute():
            raise NotADirectoryError(errno.ENOTDIR, BLOCKED, str(there))
        if not os.access(there, os.W_OK):
            raise PermissionError(errno.EACCES, "Permission denied", str(there))


def missing(name: str) -> str:
    """What to install if the module `name` is missing: the extra that needs it, or the module itself."""
    from importlib.metadata import requires

    asked = [line for line in requires("parscale") or [] if re.match(rf"{re.escape(name)}(?![\w-])", line)]
    extra = next((found[1] for line in asked if (found := re.search(r"extra == \W(\w+)", line))), None)
    return f"{name} is not installed: pip install '{f'parscale[{extra}]' if extra else name}'"


if __name__ == "__main__":
    sys.exit(main())
