"""The options of the commands that draw and cost; read by parscale.py, so nothing heavy is imported here."""

from __future__ import annotations

from argparse import ArgumentParser

RUNS = "runs table (parquet, csv, tsv, jsonl) or sweep folder"


def out(p: ArgumentParser, what: str) -> None:
    """The --out option."""
    p.add_argument("--out", metavar="PATH", help=what)


def numbers(p: ArgumentParser, level: bool = True) -> None:
    """Options of commands that print numbers."""
    if level:
        p.add_argument("--level", type=float, default=0.95, help="level of the intervals (default 0.95)")
    p.add_argument("--json", action="store_true", help="print JSON at full precision")


def columns(p: ArgumentParser) -> None:
    """Which columns and rows of a table."""
    p.add_argument("--columns", metavar="OURS=THEIRS,...", help="names in the file: N=params,loss=val_loss")
    p.add_argument("--where", metavar="COLUMN=VALUE,...", help="only rows with these values")


def objective(p: ArgumentParser) -> None:
    """The objective of a sweep's fits."""
    known = "huber, log-least-squares, least-squares, lad, asymmetric"
    p.add_argument("--objective", help=f"of the fits made of runs: {known} (default huber)")


def figures(p: ArgumentParser) -> None:
    """Draw the paper's figures, or the same figures for a sweep, as PNG and PDF."""
    p.add_argument("source", nargs="?", metavar="RUNS", help=f"{RUNS}; without it the paper's numbers")
    p.add_argument("--only", metavar="NAME,...", help="only these, e.g. fig2")
    out(p, "folder (default results/figures, or figures/ in the sweep's folder)")
    columns(p)
    objective(p)


def reproduce(p: ArgumentParser) -> None:
    """Regenerate the paper: every fit, table and figure, and an audit of its claims."""
    out(p, "folder for fits/, tables/ and figures/ (default results)")


def serving(p: ArgumentParser, batch: str) -> None:
    """Options that say what is served, and on what."""
    p.add_argument("--batch", default="1", help=batch)
    p.add_argument("--in", dest="input_tokens", type=int, default=64, help="input tokens (default 64)")
    p.add_argument("--output-tokens", "--out-tokens", type=int, default=64, help="output tokens (default 64)")
    p.add_argument("--gpu", default="a100", help="a100, h100, h200, laptop, or a JSON file (default a100)")
    p.add_argument("--dtype", default="bf16", help="bf16 (default), fp32, ...")


def cost(p: ArgumentParser) -> None:
    """Memory and latency of inference for sizes and streams, by the paper's model; training too."""
    p.add_argument("--N", default="1.6B", help="non-embedding parameters at P = 1 (default 1.6B)")
    p.add_argument("--P", default="1,2,4,8", help="streams (default 1,2,4,8)")
    serving(p, "batch sizes, of inference or training (default 1)")
    p.add_argument("--out", dest="output_tokens", type=int, help="output tokens (default 64)")
    p.add_argument("--train", metavar="D", help="also what training on D tokens costs")
    numbers(p, level=False)


def advise(p: ArgumentParser) -> None:
    """The cheapest (N, P) within limits, under a fitted law and the cost model; the frontier drawn."""
    p.add_argument("--fit", metavar="FIT", help="a fit file (default: the published law of Stack-V2 Python)")
    p.add_argument("--loss", type=float, help="loss to reach; without it the lowest within the limits")
    p.add_argument("--memory", help="e.g. 4GB")
    p.add_argument("--latency", help="e.g. 0.6s")
    p.add_argument("--flops", help="training FLOPs, with --tokens; e.g. 1e22")
    p.add_argument("--tokens", metavar="D", help="training tokens that --flops pays for")
    serving(p, "batch size (default 1)")
    numbers(p)
    out(p, "folder of the figure (default results/figures, with --fit figures/ beside its folder)")


def gains(p: ArgumentParser) -> None:
    """What streams gained at each size, seed by seed, beside what the parameters they bring are worth."""
    p.add_argument("source", metavar="SWEEP", help=RUNS)
    p.add_argument(
        "--baseline",
        metavar="SWEEP",
        help="take the runs of P = 1 from this sweep, a control with a prefix, say",
    )
    columns(p)
    numbers(p)


def report(p: ArgumentParser) -> None:
    """One self-contained page of a sweep: runs, curves, fits, comparison, costs, provenance."""
    p.add_argument("source", metavar="SWEEP", help=RUNS)
    out(p, "file or folder (default report.html in the sweep's folder)")
    columns(p)
    objective(p)


def explore(p: ArgumentParser) -> None:
    """Write one self-contained page to explore laws, and open it: any N and P, intervals, costs."""
    p.add_argument(
        "sources", nargs="*", metavar="SOURCE", help=f"fit files, {RUNS}; without them the paper's"
    )
    columns(p)
    objective(p)
    p.add_argument("--no-open", action="store_true", help="do not open it in a browser")
    out(p, "file or folder (default results/explore.html)")
