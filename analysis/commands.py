"""What `parscale figures`, `reproduce` and `cost` do with parsed arguments; each returns the exit code."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from analysis.conclude import terminal
from scaling.data import parse_size


def show(frame: Any, title: str = "") -> None:
    """A DataFrame as a table on the terminal."""
    table = Table(box=SIMPLE_HEAD, title=title or None)
    for name in frame.columns:
        table.add_column(
            str(name), justify="right" if frame[name].dtype.kind in "fiu" else "left", overflow="fold"
        )
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{v:.5g}" if isinstance(v, float) else str(v) for v in row))
    terminal().print(table)


def figures(args: Any) -> int:
    """Draw the paper's figures or a sweep's."""
    from analysis.draw import draw

    folder = Path("results")
    if args.source is not None:
        folder = Path(args.source) if Path(args.source).is_dir() else Path(args.source).parent
    words = [
        "parscale figures",
        *([args.source] if args.source else []),
        *(["--only", args.only] if args.only else []),
    ]
    target = Path(args.out) if args.out else folder / "figures"
    only = [name.strip() for name in args.only.split(",")] if args.only else None
    for path in draw(args.source, out=target, only=only, command=" ".join(words)):
        print(path)
    return 0


def reproduce(args: Any) -> int:
    """Regenerate the paper, print published against ours."""
    from analysis import reproduce as job

    console = terminal()
    with console.status("reproducing") as state:
        made = job.run(Path(args.out or "results"), progress=lambda step: state.update(step))
    show(made.constants, "published and ours")
    show(made.claims, "claims")
    console.print(f"{len(made.files)} files in {made.out}, {made.seconds:.0f} s", highlight=False)
    return 0


def cost(args: Any) -> int:
    """Memory and latency of inference."""
    import pandas as pd

    axes = itertools.product(args.N.split(","), args.P.split(","), args.batch.split(","))
    frame = pd.DataFrame([_cost_row(args, N, int(parse_size(P)), int(parse_size(B))) for N, P, B in axes])
    if args.json:
        print(json.dumps(frame.to_dict("records"), indent=1))
    else:
        show(frame, f"{args.input_tokens} tokens in, {args.output_tokens} out, {args.gpu}")
    return 0


def _cost_row(args: Any, N: str, P: int, batch: int) -> dict[str, Any]:
    from analysis.hardware import read_hardware
    from analysis.inference_cost import GIB, estimate
    from analysis.published import FOLDER, read_published
    from analysis.shapes import shape_of

    shape = shape_of(N, read_published(FOLDER).architectures if Path(FOLDER).is_dir() else None)
    found = estimate(
        width=shape.width,
        ffn=shape.ffn,
        P=P,
        batch=batch,
        input_tokens=args.input_tokens,
        output_tokens=args.output_tokens,
        hardware=read_hardware(args.gpu),
    )
    cost = {"memory GiB": float(found.memory_bytes) / GIB, "latency s": float(found.latency_s)}
    return {"N": N, "P": P, "batch": batch} | cost
