"""The coordinate check of a width transfer: how much activations change in the first steps, width by width.

Yang et al. 2022 (arXiv 2203.03466), Appendix D.1: under muP the change of every activation since the initialisation keeps its
size as the width grows. Under the standard parametrisation, at one learning rate for all widths, it grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor, nn

from sweeps.config.run import RunConfig
from sweeps.model.parscale import ParScaleLM
from sweeps.training.optimizers import build_optimizer

ROWS, TOKENS = 4, 32  # of the batch that every step repeats
WITH, WITHOUT = "muP", "standard"


def coordinate_table(runs: Sequence[RunConfig], steps: int = 4, seeds: int = 2) -> pd.DataFrame:
    """A row a run, parametrisation, random seed, step and activation: `change`, its root mean square since the start.

    runs: one a width, of one `mup_base`. Each is trained with and without it, at the rates that it has at the base's
    width, on one batch of random tokens. activation: embedding, block 1 and on, final (what the head reads), logits.
    ValueError unless two widths and a base are given.
    """
    if len({run.model.width for run in runs}) < 2 or not all(run.model.mup_base for run in runs):
        raise ValueError("a coordinate check takes runs of at least two widths, with a base width (mup_base)")
    rows = []
    for run in runs:
        for kind, base in ((WITH, run.model.mup_base), (WITHOUT, 0)):
            made = replace(run, model=replace(run.model, mup_base=base))
            for seed in range(seeds):
                about = {"width": run.model.width, "P": run.model.P, "kind": kind, "seed": seed}
                rows += [about | row for row in _changes(made, steps, seed)]
    return pd.DataFrame(rows)


def _changes(run: RunConfig, steps: int, seed: int) -> Iterator[dict[str, object]]:
    """What a model's activations have changed by after each of the first steps."""
    torch.manual_seed(seed)
    ids = torch.randint(run.model.vocab, (ROWS, TOKENS + 1), generator=torch.Generator().manual_seed(seed))
    model = ParScaleLM(run.model)
    optimizer = build_optimizer(model, run)
    before = _activations(model, ids[:, :-1])
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        torch.autograd.backward(model.loss(ids[:, :-1], ids[:, 1:]))
        torch.nn.utils.clip_grad_norm_(model.parameters(), run.clip)
        optimizer.step()
        now = _activations(model, ids[:, :-1])
        for name, value in now.items():
            change = float((value - before[name]).square().mean().sqrt())
            yield {"step": step, "activation": name, "change": change}


@torch.no_grad()
def _activations(model: ParScaleLM, ids: Tensor) -> dict[str, Tensor]:
    """The embedding, the output of every block, and the logits, of one batch."""
    found: dict[str, Tensor] = {}
    parts: dict[str, nn.Module] = {"embedding": model.model.embed_tokens}
    parts |= {f"block {index}": block for index, block in enumerate(model.model.layers, start=1)}

    def keep(name: str) -> object:
        return lambda module, inputs, output: found.update({name: output.clone()})

    hooks = [part.register_forward_hook(keep(name)) for name, part in parts.items()]  # type: ignore[arg-type]
    try:
        found["logits"] = model(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def growth(table: pd.DataFrame) -> pd.DataFrame:
    """By parametrisation and activation, after the last step: the exponent of the change's growth with the width.

    The least-squares slope of log change on log width, columns kind, activation, exponent: near 0 where a width transfers.
    """
    last = table[table["step"] == table["step"].max()]
    means = last.groupby(["kind", "activation", "width"], sort=False)["change"].mean().reset_index()
    rows = []
    for (kind, name), part in means.groupby(["kind", "activation"], sort=False):
        x, y = (
            torch.tensor(part[column].to_numpy(), dtype=torch.float64).log() for column in ("width", "change")
        )
        x = x - x.mean()
        rows.append({"kind": kind, "activation": name, "exponent": float((x @ y) / (x @ x))})
    return pd.DataFrame(rows)
