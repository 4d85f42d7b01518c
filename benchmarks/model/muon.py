"""An optimiser step on stacked matrices against torch.optim.Muon, which updates each by itself.

    python -m benchmarks.model.muon [--sizes 32x2 96x4] [--rounds 9] [--device cuda]

Writes results/benchmarks/muon.md. The models are the laptop grid's. The two optimisers take turns in one
process with the rest of a training step at P = 1, eager, float32, and the shortest of the rounds counts.
OMP_NUM_THREADS sets the threads.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch.optim import Muon

from benchmarks.timing import OUT, Row, Work, in_turns, stamp
from sweeps.grids.axes import Axes
from sweeps.grids.grids import LAPTOP
from sweeps.training.lightning_module import build_model
from sweeps.training.muon import StackedMuon
from sweeps.training.optimizers import parameter_groups

KINDS = {"torch": partial(Muon, adjust_lr_fn="match_rms_adamw"), "stacked": StackedMuon}
HEAD = "| size | matrices | rest of a step, ms | torch's Muon, ms | stacked, ms | x | x a step |\n" + (
    "| --- " * 7 + "|"
)


def measure(size: str, rounds: int, device: str) -> Row:
    """Seconds of either optimiser's step on one model's matrices, and of the rest of a training step."""
    run = LAPTOP.run("muon", size, 1, "code", 0, Axes(tokens=4_000_000))
    model = build_model(run).to(device).train()
    ids, targets = torch.randint(run.model.vocab, (2, run.batch, run.seq_len), device=device)
    matrices = [parameter for _, parameter in parameter_groups(model, run)["matrices"]]

    def rest() -> None:
        model.zero_grad()
        model.loss(ids, targets).backward()

    rest()
    steps: dict[str, Work] = {name: kind(matrices, lr=run.muon_lr).step for name, kind in KINDS.items()}
    times = in_turns({"rest": rest, **steps}, rounds, device)
    return {"size": size, "matrices": len(matrices), **times}


def page(table: pd.DataFrame) -> str:
    """The table as a page of Markdown."""
    about = table.iloc[-1]
    lines = []
    for row in table.rename(columns={"torch": "torchs"}).itertuples():
        faster, of_a_step = row.torchs / row.stacked, (row.rest + row.torchs) / (row.rest + row.stacked)
        lines.append(
            f"| {row.size} | {row.matrices} | {1e3 * row.rest:.1f} | {1e3 * row.torchs:.1f} "
            f"| {1e3 * row.stacked:.1f} | {faster:.1f} | {of_a_step:.2f} |"
        )
    return "\n\n".join(
        (
            "# Muon on stacked matrices against torch's",
            "`python -m benchmarks.model.muon`. x: how much faster the optimiser's step is. x a step: the whole "
            "training step, P = 1, batch 8 x 256, float32, eager.",
            f"{about.machine}, {about.threads} threads, load {about.load_average:.1f} at the end, "
            f"torch {about.torch_version}, Python {about.python}, {about.date}.",
            "\n".join((HEAD, *lines)),
        )
    )


def main() -> None:
    """Measure what is asked for and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="*", default=["32x2", "32x4", "64x3", "64x5", "96x4"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    args = parser.parse_args()
    rows = [measure(size, args.rounds, args.device) for size in args.sizes]
    about = stamp([{}], args.device).rename(columns={"torch": "torch_version"})
    table = pd.DataFrame(rows).merge(about, how="cross")
    OUT.mkdir(parents=True, exist_ok=True)
    path: Path = OUT / ("muon.md" if args.device == "cpu" else "muon_cuda.md")
    path.write_text(page(table) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
