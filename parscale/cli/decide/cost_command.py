"""Memory and latency of inference by the paper's cost model, for sizes and streams, and the cost of training."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from parscale.cli.decide.serving_options import ServingOptions
from parscale.cli.option_values import amount
from parscale.cli.options import option
from parscale.cli.table_options import FormatOptions

if TYPE_CHECKING:
    from analysis.costs.hardware import Hardware
    from analysis.costs.shapes import FamilyShape

EXAMPLES = ("cost --N 1.6B --P 1,2,4,8 --batch 1,8 --in 512 --output-tokens 512 --gpu a100",)


@dataclass(frozen=True, kw_only=True)
class Options(FormatOptions, ServingOptions):
    """Options of `parscale cost`."""

    N: str = option("1.6B", "non-embedding parameters at P = 1 (default 1.6B)")
    P: str = option("1,2,4,8", "streams (default 1,2,4,8)")
    batch: str = option("1", "batch sizes, of inference or training (default 1)")
    output_tokens: int = option(64, "output tokens (default 64)", "--output-tokens", "--out-tokens", type=int)
    out: int | None = option(None, "old name of --output-tokens", metavar="TOKENS", type=int)
    train: str | None = option(None, "also what training on D tokens costs", metavar="D")


def run(options: Options) -> str | int:
    """Memory and latency of inference. With --train D also what training costs."""
    if options.out is not None:
        print(
            f"note: cost writes no file, so --out is read as --output-tokens {options.out}", file=sys.stderr
        )
        return run(replace(options, output_tokens=options.out, out=None))
    from itertools import product
    from pathlib import Path

    import pandas as pd

    from analysis.costs.hardware import read_hardware
    from analysis.costs.shapes import shape_of
    from analysis.paper.published_numbers import FOLDER, read_published
    from parscale.cli.output import as_json, show
    from scaling.data.units import parse_counts

    streams, batches = parse_counts(options.P, "--P"), parse_counts(options.batch, "--batch")
    axes = product(options.N.split(","), streams, batches)
    published = read_published(FOLDER).architectures if Path(FOLDER).is_dir() else None
    shapes = {N: shape_of(amount(N, "--N"), published) for N in options.N.split(",")}
    hardware = read_hardware(options.gpu)
    rows = [{"N": N} | _inference(options, shapes[N], P, batch, hardware) for N, P, batch in axes]
    if options.form == "json":
        return as_json(rows)
    served = f"{options.input_tokens} tokens in, {options.output_tokens} out"
    show(pd.DataFrame(rows), f"{served}, {options.dtype}, {options.gpu}", keys=3, form=options.form)
    return 0


def _inference(
    options: Options, shape: FamilyShape, P: int, batch: int, hardware: Hardware
) -> dict[str, Any]:
    from analysis.inference_cost import GIB, estimate

    tokens = {"input_tokens": options.input_tokens, "output_tokens": options.output_tokens}
    served: dict[str, Any] = {"batch": batch, "hardware": hardware, "dtype": options.dtype, **tokens}
    found = estimate(width=shape.width, ffn=shape.ffn, P=P, **served)
    memory, latency = float(found.memory_bytes) / GIB, float(found.latency_s)
    row = {"P": P, "batch": batch, "memory GiB": memory, "latency s": latency}
    return row | _training(options, shape, P, batch, hardware) if options.train else row


def _training(
    options: Options, shape: FamilyShape, P: int, batch: int, hardware: Hardware
) -> dict[str, float]:
    from analysis.costs.training_cost import training_cost
    from analysis.inference_cost import GIB

    D = amount(str(options.train), "--train")
    out: dict[str, float] = {}
    for checkpointing, name in ((False, "train"), (True, "recomputing")):
        found = training_cost(
            shape.accounting(P),
            D=D,
            batch=batch,
            hardware=hardware,
            dtype=options.dtype,
            checkpointing=checkpointing,
        )
        out |= {f"{name} FLOPs": found.flops, f"{name} GiB": found.memory_bytes / GIB}
        out |= {f"{name} device h": found.seconds / 3600}
    return out
