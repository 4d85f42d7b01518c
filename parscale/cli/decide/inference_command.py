"""Accuracy of a sweep's models on their task against what an answer costs: work, votes, streams, loops."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.option_values import whole_numbers
from parscale.cli.options import argument, option

EXAMPLES = (
    "inference results/sweeps/worth-thinking --samples 32 --loops 1,2,4,8",
    "inference SWEEP --items 64 --samples 8 --temperature 1",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `parscale inference`."""

    sweep: str = argument(
        "a sweep folder of runs on task: corpora whose checkpoints/ are kept", metavar="SWEEP"
    )
    samples: int = option(32, "answers drawn to each question (default 32)", type=int, metavar="M")
    items: int = option(256, "questions of each difficulty (default 256)", type=int, metavar="N")
    temperature: float = option(0.7, "of the sampling (default 0.7)", type=float, metavar="T")
    loops: str | None = option(
        None, "r of looped models, in addition to that of their training", metavar="A,B"
    )
    seed: int = option(0, "of the sampling (default 0)", type=int)


def run(options: Options) -> int:
    """Ask every finished run, write the table and the figure, and print what each cost reaches."""
    from analysis import figures
    from analysis.output.figure_style import save_figure
    from parscale.cli.output import show
    from sweeps.inspect.inference_scaling import TABLE, Asking, measure_inference
    from sweeps.store.status import sweep_folder

    folder = sweep_folder(options.sweep)
    asking = Asking(
        samples=options.samples,
        items=options.items,
        temperature=options.temperature,
        loops=tuple(whole_numbers(options.loops, "--loops") or ()),
        seed=options.seed,
    )
    found = measure_inference(folder, asking)
    names = ["size", "P", "r", "steps", "difficulty", "way", "m", "accuracy", "flops", "latency_s_1"]
    best = found[found["m"].isin([1, found["m"].max()])]
    show(best[names], "accuracy against the cost of an answer", "m: samples; pass: one of m is right", keys=4)
    print(f"written {folder / TABLE}")
    made = {"command": f"parscale inference {options.sweep}", "data": str(folder / TABLE)}
    largest = found[found["size"] == found["size"].iloc[int(found["N"].argmax())]]
    for path in save_figure(figures.accuracy_against_cost(largest), folder / "figures" / "inference", **made):
        print(f"written {path}")
    return 0
