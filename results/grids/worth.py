"""What a stream is worth beside a loop, an expert, a layer and a prefix, on memory and on reasoning.

    parscale sweep results/grids/worth.py --dry-run
    parscale sweep results/grids/worth.py:half --sizes 64x2,64x2r4,64x2e4 --out results/sweeps/worth-rates/half
    parscale sweep results/grids/worth.py --out results/sweeps/worth

Four sizes, 16 times apart in N; at each the arms below, with equal tokens and equal data. A size's name says its
arm: 64x2 (P = 1, 2, 4, 8), 64x2r2 and 64x2r4 (loops), 64x2e4 (experts), 64x2prefix (P = 1 with a prefix), 64x2params
and 64x2compute (dense, their MLP widened to the N and to the FLOPs of P = 4). Half of the layers are looped at every
size. `half` and `double` are the same runs at other learning rates: each arm's rate is chosen at 64x2 from the three,
the baseline's too, before the grid is run. `thinking` is sums and hops whose work is written out, from none to all
of it, for `parscale inference results/sweeps/worth-thinking`. results/LOG.md has questions and rules.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.grids import Grid
from sweeps.grids.scaling_rules import SmallRule

SIZES = ("32x2", "64x2", "64x4", "96x4")
BETWEEN = ("32x4", "64x6")  # added later, as four sizes left the answers open: results/LOG.md
STREAMS = (1, 2, 4, 8)
ARMS = ("", "r2", "r4", "e4", "prefix", "params", "compute")
MEMORY, REASONING = "task:facts#facts=2000", "task:arithmetic#digits=3"
HOPS = "task:hops#hops=1,2,3,4#nodes=5"  # only with worked steps: without them it stays at chance
SEEDS = (0, 1, 2)
TOKENS = 500_000
CHOSEN = Path(__file__).with_name(
    "worth_rates.json"
)  # `python -m results.grids.worth_rates FOLDER --save` writes it
# Of an arm, or of P2: the learning rate in units of RULE's; 1 where not named.
RATES: dict[str, float] = json.loads(CHOSEN.read_text(encoding="utf-8")) if CHOSEN.exists() else {}
SETTINGS = {"evaluations": 4, "schedule": "linear", "final_lr": 0.0}
RULE = SmallRule(44, batch=8, seq_len=64, lr=2e-2, muon_lr=5e-3, settings=tuple(SETTINGS.items()))
LIKE = 4  # P of the streams that `params` and `compute` match


@dataclass(frozen=True)
class Plan:
    """What a grid trains where the command line says nothing."""

    sizes: tuple[str, ...] = SIZES
    arms: tuple[str, ...] = ARMS
    streams: tuple[int, ...] = STREAMS
    corpora: tuple[str, ...] = (MEMORY, REASONING)
    seeds: tuple[int, ...] = SEEDS


WORKED = Plan(
    ("64x2",),
    ("", "r2", "r4"),
    (1, 2, 4),
    tuple(f"{task}#steps={k}" for task in (REASONING, HOPS) for k in (0, 1, 2, 3)),
    (0,),
)


def model_of(size: str, arm: str, P: int, vocab: int) -> ModelConfig:
    """The model of an arm at a size; of `params` and `compute` the MLP is what makes N or FLOPs equal."""
    sized = f"{size}{arm}" if arm.startswith("e") else size
    model = RULE.run("worth", sized, P, MEMORY, 0, Axes(tokens=TOKENS)).model
    model = replace(model, vocab=vocab)
    if arm.startswith("r"):
        return replace(model, loops=int(arm[1:]))
    if arm == "prefix":
        return replace(model, prefix_at_one=True)
    if arm not in ("params", "compute"):
        return model
    target, wider = replace(model, P=LIKE), replace(model, ffn=model.ffn + 1)

    def count(one: ModelConfig) -> float:
        return float(one.N) if arm == "params" else one.forward_flops(RULE.seq_len)

    more = (count(target) - count(model)) / (count(wider) - count(model))
    return replace(model, ffn=model.ffn + round(more))


CHOOSING = ("worth", "worth-thinking")  # the grids that take RATES; the trials are at RULE's


def tokens_of(corpus: str) -> int:
    """Training tokens of a run on a task, equal for every arm."""
    return 2 * TOKENS if corpus.startswith(HOPS) else TOKENS


def at(name: str, times: float, plan: Plan = Plan()) -> Callable[..., Any]:
    """The grid with every learning rate `times` as high."""

    def make(axes: Axes) -> list[RunConfig]:
        streams = axes.streams or plan.streams
        return [
            run(name, each, P, corpus, seed, replace(axes, tokens=axes.tokens or tokens_of(corpus)), times)
            for corpus in axes.corpora or plan.corpora
            for seed in axes.seeds or plan.seeds
            for each in axes.sizes or [f"{size}{arm}" for size in plan.sizes for arm in plan.arms]
            for P in (streams if re.fullmatch(r"\d+x\d+", each) else (1,))
            if P in streams
        ]

    told = ", ".join(f"{arm} {rate:g}" for arm, rate in RATES.items()) or "none"
    arms = (
        f"{RULE.describe()}; arms {', '.join(arm for arm in ARMS if arm)}, params and compute as P = {LIKE}"
    )
    return Grid(name, f"{arms}; learning rates x {times:g}, apart from it: {told}", make)


def run(name: str, each: str, P: int, corpus: str, seed: int, axes: Axes, times: float) -> RunConfig:
    """One run: `each` is size and arm."""
    found = re.fullmatch(r"(\d+x\d+)(.*)", each)
    if not found or found[2] not in ARMS:
        raise ValueError(
            f"size {each}: write WIDTHxLAYERS and one of {', '.join(filter(None, ARMS))}, or none"
        )
    made = RULE.run(name, found[1], P, corpus, seed, axes)
    rate = times * (RATES.get(found[2] or f"P{P}", 1.0) if name in CHOOSING else 1.0)
    model = model_of(found[1], found[2], P, made.model.vocab)
    return replace(made, size=each, model=model, lr=made.lr * rate, muon_lr=made.muon_lr * rate)


grid = at("worth", 1.0)
# Trials of rates at one size; the outer two where an edge is the best.
TRIED = {"quarter": 0.25, "half": 0.5, "once": 1.0, "double": 2.0, "fourfold": 4.0}
quarter, half, once, double, fourfold = (at(f"worth-{name}", times) for name, times in TRIED.items())
thinking = at("worth-thinking", 1.0, WORKED)
