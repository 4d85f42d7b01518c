"""Speed and memory of a training step, against a straightforward implementation.

    python -m benchmarks.model.training [--shape w128] [--P 1 8] [--precision float32] [--rounds 5] [--device cuda]

Writes results/benchmarks/model_training.csv, or model_training_cuda.csv, and next to it a page that compares
its rows. All steps of a shape, and the matrix products they consist of, take turns in one process, and the shortest
round counts: a machine that is slower for a minute slows all of them. Memory is measured in a separate process.
OMP_NUM_THREADS sets the threads. load_average shows whether the machine was quiet.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch

from benchmarks.model import plain
from benchmarks.timing import OUT, Row, Work, in_own_process, in_turns, memory_of, save
from scaling.accounting import forward_flops_per_token
from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM
from sweeps.training.compiling import compile_if_possible

SHAPES = {
    "w128": ModelConfig(vocab=4096, width=128, ffn=384, layers=6, heads=4, kv_heads=2),
    "w512": ModelConfig(vocab=4096, width=512, ffn=1408, layers=8, heads=8, kv_heads=2),
}
BATCH, TOKENS = 8, 256
PRECISIONS = {"bf16": torch.bfloat16, "float32": torch.float32}
VARIANTS = ("plain", "eager", "eager+checkpointing", "compiled", "compiled+checkpointing")

NOTE = (
    "Forward and backward pass of a batch of 8 x 256 tokens. GEMM share: the step's FLOP/s over the rate of "
    "the same matrix products alone. x plain: how much faster than the plain step of its P. x P = 1: how "
    "much longer than the same step at P = 1. of plain's: its memory over the plain step's."
)
HEAD = (
    "| P | step | s | tokens/s | GEMM share | x plain | x P = 1 | MiB | of plain's |\n" + "| --- " * 9 + "|"
)


@dataclass(frozen=True, eq=False)
class Product:
    """A matrix product of a training step, which does it `count` times a layer."""

    a: torch.Tensor
    b: torch.Tensor
    count: int

    def __call__(self) -> torch.Tensor:
        """Compute it."""
        return self.a @ self.b

    @property
    def flops(self) -> float:
        """Multiplications and additions of one product."""
        return 2.0 * self.a.shape[0] * self.a.shape[1] * self.b.shape[1]


def products(config: ModelConfig, precision: str, device: str) -> list[Product]:
    """The step's own, in its precision: every matrix of a block, forward and its two backward ones."""
    torch.set_default_device(device)
    h, f, d, rows = config.width, config.ffn, config.shape.head_size, config.P * BATCH * TOKENS
    kv = config.kv_heads * d
    shapes = {(h, config.heads * d): 1, (h, kv): 2, (config.heads * d, h): 1, (h, f): 2, (f, h): 1}
    found = []
    for (inner, outer), count in shapes.items():
        x, w, y = (
            torch.randn(size, dtype=PRECISIONS[precision])
            for size in ((rows, inner), (outer, inner), (rows, outer))
        )
        found += [Product(a, b, count) for a, b in ((x, w.T), (y, w), (y.T, x))]
    return found


def training_step(
    config: ModelConfig, variant: str, precision: str = "bf16", tokens: int = TOKENS, device: str = "cpu"
) -> Work:
    """Forward and backward pass of one batch, no optimiser. bf16 is autocast's."""
    torch.set_default_device("cpu")  # weights are drawn there, whatever they are for
    model = ParScaleLM(config).to(device).train()
    model.gradient_checkpointing = variant.endswith("checkpointing")
    if variant.startswith("compiled") and not compile_if_possible(model):
        raise SystemExit("no C++ compiler: nothing to measure compiled")
    ids, targets = torch.randint(config.vocab, (2, BATCH, tokens), device=device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = (plain.loss if variant == "plain" else ParScaleLM.loss)(model, ids, targets)
        model.zero_grad()
        loss.backward()

    return step


def measure_speed(
    shape: str, Ps: list[int], precision: str, variants: list[str], rounds: int, device: str
) -> list[Row]:
    """Speed of the steps, and their share of the rate of their own matrix products."""
    configs = {P: replace(SHAPES[shape], P=P) for P in Ps}
    cells = list(itertools.product(Ps, variants))
    works: dict[Any, Work] = {
        (P, variant): training_step(configs[P], variant, precision, device=device) for P, variant in cells
    }
    parts = {P: products(configs[P], precision, device) for P in Ps}
    works |= {part: part for own in parts.values() for part in own}
    times = in_turns(works, rounds, device)
    rows = []
    for P, variant in cells:
        rate = sum(p.count * p.flops for p in parts[P]) / sum(p.count * times[p] for p in parts[P])
        flops = 3 * forward_flops_per_token(configs[P].shape, TOKENS) * BATCH * TOKENS / times[P, variant]
        speed = {"tokens_per_s": BATCH * TOKENS / times[P, variant], "step_s": times[P, variant]}
        share = {"flops_per_s": flops, "gemm_flops_per_s": rate, "gemm_share": flops / rate}
        rows.append({"shape": shape, "P": P, "precision": precision, "variant": variant, **speed, **share})
    return rows


def measure_memory(shape: str, P: int, precision: str, variant: str, device: str) -> int:
    """What a step adds to the memory of this process, or of the GPU, bytes."""
    return memory_of(training_step(replace(SHAPES[shape], P=P), variant, precision, device=device), device)


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """Every step against the straightforward one and its own at P = 1, if these were measured."""
    cell = ["shape", "precision", "P"]
    plain = table[table.variant == "plain"].set_index(cell)
    alone = table[table.P == 1].set_index(["shape", "precision", "variant"])
    index = pd.MultiIndex.from_frame(table[cell])
    first = pd.MultiIndex.from_frame(table[["shape", "precision", "variant"]])
    return table.assign(
        speed=plain.step_s.reindex(index).to_numpy() / table.step_s,
        memory=table.step_memory_bytes / plain.step_memory_bytes.reindex(index).to_numpy(),
        growth=table.step_s / alone.step_s.reindex(first).to_numpy(),
    )


def page(table: pd.DataFrame) -> str:
    """The comparison as a page of Markdown: one table for each shape, precision and place of measurement."""
    place = ["shape", "precision", "machine", "threads", "load_average", "torch", "python", "date"]
    parts = [
        "# A training step against a straightforward one",
        f"`python -m benchmarks.model.training`. {NOTE}",
    ]
    for where, rows in compared(table).groupby(place, sort=False):
        shape, precision, machine, threads, load, torch_, python, date_ = where
        parts.append(
            f"**{shape}, {precision}.** {machine}, {threads} threads, load {load:.1f} at the end, "
            f"torch {torch_}, Python {python}, {date_}."
        )
        lines = [
            f"| {row.P} | {row.variant} | {row.step_s:.3f} | {row.tokens_per_s:,.0f} "
            f"| {row.gemm_share:.2f} | {row.speed:.2f} | {row.growth:.1f} "
            f"| {row.step_memory_bytes / 2**20:,.0f} | {row.memory:.2f} |"
            for row in rows.itertuples()
        ]
        parts.append("\n".join((HEAD, *lines)))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure what is asked for and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--P", nargs="*", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--precision", nargs="*", default=["bf16"], choices=list(PRECISIONS))
    parser.add_argument("--variant", nargs="*", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument(
        "--rounds", type=int, default=5, help="the shortest time of so many counts (default 5)"
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    device = options.device
    name = "model_training.csv" if device == "cpu" else f"model_training_{device}.csv"
    for shape, precision in itertools.product(options.shape, options.precision):
        speed = (shape, options.P, precision, options.variant, options.rounds, device)
        rows = in_own_process(measure_speed, *speed)
        for row in rows:
            cell = (shape, row["P"], precision, row["variant"], device)
            row["step_memory_bytes"] = in_own_process(measure_memory, *cell)
        save(rows, name, device)
    (OUT / name).with_suffix(".md").write_text(page(pd.read_csv(OUT / name)))


if __name__ == "__main__":
    main()
