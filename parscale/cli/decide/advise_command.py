"""The cheapest run that reaches a loss, or the best within limits: N, P, D, FLOPs, GPU hours and the price."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parscale.cli.decide.serving_options import ServingOptions
from parscale.cli.option_values import amount
from parscale.cli.options import argument, option
from parscale.cli.table_options import RUNS, ColumnOptions, LevelOptions, RowOptions

if TYPE_CHECKING:
    import pandas as pd

    from analysis.costs.advise import Advice, Workload
    from scaling.fitting.result import Fit

EXAMPLES = (
    "advise results/published/runs/chinchilla_kyo.csv --loss 2.1 --gpu h100 --price 2.5",
    "advise results/published/losses.csv --where corpus=pile --loss 1.9 --gpu h100 --price 2.5",
    "advise --loss 1.05 --memory 4GB --latency 0.6s --batch 1",
    "advise --fit results/fits/additive-pile.json --loss 1.9 --gpu laptop --dtype fp32",
    "advise results/sweeps/worth/arms.csv --arms arm --baseline base",
    "advise results/sweeps/worth-thinking --accuracy 0.9 --task 'hops 4'",
)


MINIMISE = {"training": "training_flops", "latency": "latency_s", "memory": "memory_bytes"}
LIMITS = {"memory_bytes": "memory", "latency_s": "latency", "training_flops": "flops"}  # option of each limit
USED = {  # options that have a meaning with another: all but ONLY without these two
    "arms": {"runs", "arms", "baseline", *LIMITS.values(), "columns", "where", "level", "json", "out"},
    "accuracy": {"runs", "accuracy", "task", *LIMITS.values(), "batch", "level", "json"},
}
ONLY = {"baseline", "task"}


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions, ServingOptions, RowOptions, ColumnOptions):
    """Options of `parscale advise`."""

    runs: str | None = argument(f"{RUNS} to fit a law to", nargs="?", metavar="RUNS")
    law: str | None = option(
        None,
        "law of RUNS (default: of the axes that vary, as `parscale inspect` says)",
    )
    fit: str | None = option(
        None,
        "a fit file in place of RUNS (with neither: the published law of Stack-V2 Python)",
        metavar="FIT",
    )
    loss: float | None = option(None, "loss to reach (default: the lowest within the limits)", type=float)
    memory: str | None = option(None, "e.g. 4GB")
    latency: str | None = option(None, "e.g. 0.6s")
    flops: str | None = option(
        None,
        "training FLOPs, 6 N P D, e.g. 1e22. A law without D needs --tokens. With --accuracy: FLOPs of a question",
    )
    tokens: str | None = option(
        None, "training tokens of every run, for a law without D (default: those of RUNS)", metavar="D"
    )
    price: float | None = option(None, "price of a GPU for an hour, in any currency", type=float)
    mfu: float = option(0.4, "share of the GPU's peak rate that training reaches (default 0.4)", type=float)
    minimise: str | None = option(
        None,
        "training, latency or memory (default: training where its FLOPs are known)",
        choices=(*MINIMISE,),
    )
    arms: str | None = option(
        None,
        "column of the arms (streams, loops, experts, ...): which pays under which budget, by pairs of equal size and seed",
        metavar="COLUMN",
    )
    baseline: str = option(
        "base", "value of --arms that the others are compared with (default base)", metavar="ARM"
    )
    accuracy: float | None = option(
        None,
        "accuracy to reach: the cheapest way of answering of those that `parscale inference` measured of the sweep RUNS",
        type=float,
    )
    task: str | None = option(None, "with --accuracy, such as hops or 'hops 4' (default: every task)")
    out: str | None = option(
        None, "folder to save the figure of the frontier in",
        metavar="PATH",
    )  # fmt: skip


def run(options: Options) -> str | int:
    """The run to train under a fitted law and the cost model. Exit code 1 if none meets the limits."""
    from analysis.costs.advise import advise
    from parscale.cli.output import as_json

    options.check_level()
    _check_together(options)
    if options.arms:
        return _arms(options)
    if options.accuracy is not None:
        return _answers(options, options.accuracy)
    limits, minimise = limits_of(options), MINIMISE[options.minimise] if options.minimise else None
    work = workload_of(options)
    fit, work = _fit_of(options, work)
    found = advise(fit, loss=options.loss, **limits, workload=work, level=options.level, minimise=minimise)
    if options.json:
        answer = {"chosen": found.chosen, "reason": found.reason, "why": found.why}
        print(as_json(answer | {"options": found.options.to_dict("records")}))
    else:
        _print(found, fit, work)
        if options.out is not None:
            _draw(found, fit, work, options)
    return int(found.chosen is None)


def _check_together(options: Options) -> None:
    """Refuse options that were given and are not used in what was asked for."""
    asked = "arms" if options.arms else "accuracy" if options.accuracy is not None else "loss"
    given = [one for one in fields(options) if getattr(options, one.name) != one.default]
    idle = [one for one in given if one.name not in USED.get(asked, {one.name} - ONLY)]
    if idle:
        flags = [next(iter(one.metadata["flags"]), f"--{one.name.replace('_', '-')}") for one in idle]
        words = f"not used with --{asked}" if asked in USED else "used with --arms or --accuracy only"
        raise ValueError(f"{', '.join(flags)}: {words}. Leave it out")


def _arms(options: Options) -> int:
    """Which arm pays under which budget, on each task of RUNS."""
    from analysis import figures
    from analysis.output.figure_style import save_figure
    from parscale.cli.output import as_json, show

    found = _paying_arms(options)
    if options.json:
        print(as_json(found.to_dict("records")))
    else:
        caption = f"factor: how many times the budget {options.baseline} needs for the same loss, {options.level:.0%} interval"
        within = "" if limits_of(options) == dict.fromkeys(LIMITS) else ". Arms: their runs within the limits"
        show(found, "where each arm pays", caption + within, keys=3)
    if options.out is not None:
        made = {"command": f"parscale advise {options.runs} --arms {options.arms}", "data": str(options.runs)}
        measured = found[found["cells"] > 0]
        for path in save_figure(figures.arm_budgets(measured), Path(options.out) / "budgets", **made):
            print(path)
    return 0


def _paying_arms(options: Options) -> pd.DataFrame:
    """`analysis.sweep.arm_worth.pays` of RUNS, of each task where there is such a column."""
    import pandas as pd

    from analysis.sweep.arm_worth import BASE

    if options.runs is None:
        raise ValueError("--arms compares runs: give RUNS")
    runs = options.asked.read(options.runs)
    for name in (str(options.arms), "size", "seed"):
        if name not in runs:
            raise ValueError(f"{options.runs} has no column {name}: arms are compared at equal size and seed")
    runs = runs.assign(arm=runs[options.arms].astype(str).replace({options.baseline: BASE}))
    if "task" not in runs:
        return _pays_within(runs, options)
    parts = runs.groupby("task", sort=False)
    return pd.concat({task: _pays_within(part, options) for task, part in parts}, names=["task"]).reset_index(
        "task"
    )


def _pays_within(runs: pd.DataFrame, options: Options) -> pd.DataFrame:
    """What pays among one task's runs that are within the limits. An arm without such a run is over them."""
    import pandas as pd

    from analysis.sweep.arm_worth import pays, with_costs

    kept = with_costs(runs)
    for cost, limit in limits_of(options).items():
        if limit is not None:
            kept = _below(kept, cost, limit, options)
    found = pays(kept, options.level)
    over = sorted({*runs["arm"]} - {*kept["arm"]})
    rows = [
        {"budget": budget, "arm": arm, "cells": 0, "answer": "over the limits"}
        for budget in found["budget"].unique()
        for arm in over
    ]
    return pd.concat([found, pd.DataFrame(rows)], ignore_index=True) if rows else found


def _below(runs: pd.DataFrame, cost: str, limit: float, options: Options) -> pd.DataFrame:
    """The runs of arms that cost no more, and all of the baseline: its slope needs them. ValueError where no arm is left."""
    from analysis.sweep.arm_worth import BASE

    flag = f"--{LIMITS[cost]} {getattr(options, LIMITS[cost])}"
    if cost not in runs:
        raise ValueError(f"{flag}: {options.runs} has no column {cost}. Measure it, or leave the limit out")
    arms = runs[runs["arm"] != BASE]
    if not (arms[cost] <= limit).any():
        of = f" of {runs['task'].iloc[0]}" if "task" in runs else ""
        least = ", ".join(f"{arm} {value:.4g}" for arm, value in arms.groupby("arm")[cost].min().items())
        raise ValueError(f"{flag}: no arm{of} has a run within it. The least {cost} is {least}")
    return runs[(runs["arm"] == BASE) | (runs[cost] <= limit)]


def _answers(options: Options, accuracy: float) -> int:
    """The cheapest way of answering for an accuracy, of each task. Exit code 1 if a task has none."""
    from analysis.costs.cheapest_answers import answers_table, answers_words, cheapest_answers, read_answers
    from parscale.cli.output import as_json, say, show

    if options.runs is None:
        raise ValueError("--accuracy chooses among measured answers: give the folder of a sweep")
    table = read_answers(Path(options.runs))
    limits = _limits_of_answers(options)
    found = cheapest_answers(table, accuracy, limits=limits, task=options.task, level=options.level)
    if options.json:
        print(as_json(found.to_dict("records")))
        return int((found["least"] == "none").any())
    for (task, difficulty), rows in found.groupby(["task", "difficulty"], sort=False):
        short = str(task).partition("#")[0]
        show(answers_table(rows), f"{short} {difficulty}: accuracy {accuracy:g} at the least cost")
        say("\n".join([str(task), *answers_words(rows, accuracy, bool(limits))]) + "\n")
    return int((found["least"] == "none").any())


def _limits_of_answers(options: Options) -> dict[str, float]:
    """The limits that were given, by column of the table of answers."""
    from analysis.costs.cheapest_answers import COSTS

    found: dict[str, float] = {}
    for cost, limit in limits_of(options).items():
        column = "flops" if cost == "training_flops" else f"{cost}_{options.batch}"
        if column not in COSTS:
            raise ValueError(f"--batch {options.batch}: answers are measured of 1 and of 8 questions at once")
        found |= {} if limit is None else {column: limit}
    return found


def workload_of(options: Options) -> Workload:
    """What is served, on what, and what training costs."""
    from analysis.costs.advise import Workload
    from analysis.costs.hardware import read_hardware
    from scaling.data.units import parse_counts

    batch, *more = parse_counts(options.batch, "--batch")
    if more:
        raise ValueError(f"--batch {options.batch}: advise takes one batch size")
    return Workload(
        batch=batch,
        input_tokens=options.input_tokens,
        output_tokens=options.output_tokens,
        hardware=read_hardware(options.gpu),
        dtype=options.dtype,
        D=amount(options.tokens, "--tokens") if options.tokens else None,
        mfu=options.mfu,
        price=options.price,
    )


def _fit_of(options: Options, work: Workload) -> tuple[Fit, Workload]:
    """The fit to use, and the workload, with its runs' tokens if all have the same number."""
    import scaling
    from scaling.fitting.result import Fit
    from scaling.selection.describe import best_suited

    if options.runs and options.fit:
        raise ValueError("give RUNS or --fit, not both")
    if options.law and not options.runs:
        raise ValueError("--law chooses the law of RUNS: give the runs")
    if not options.runs and (options.groups or options.weights or options.se):
        raise ValueError("--groups, --weights and --se name columns of RUNS: give the runs")
    if options.fit:
        return Fit.load(options.fit), work
    if not options.runs:
        return _published_fit(), work
    runs = options.asked.read(options.runs)
    found = scaling.fit(options.law or best_suited(runs), runs, **options.of_rows(runs))
    told = {*runs["D"].dropna()} if "D" in runs and "D" not in found.law.axes else set()
    return found, replace(work, D=float(told.pop())) if len(told) == 1 and work.D is None else work


def limits_of(options: Options) -> dict[str, Any]:
    """The limits that were given, None for the others."""
    from scaling.data.units import parse_bytes, parse_seconds

    return {
        "memory_bytes": parse_bytes(options.memory) if options.memory else None,
        "latency_s": parse_seconds(options.latency) if options.latency else None,
        "training_flops": amount(options.flops, "--flops") if options.flops else None,
    }


def _published_fit() -> Fit:
    import scaling
    from analysis.paper.published_numbers import FOLDER, STACK, read_published

    losses = read_published(FOLDER).losses
    return scaling.fit(scaling.ParallelLaw, losses[losses["corpus"] == STACK])


def _print(found: Advice, fit: Fit, work: Workload) -> None:
    """Every option, then the one to take."""
    from parscale.cli.output import say, show

    table = found.options.drop(columns="memory_bytes")
    table["broken"] = table["broken"].map(_in_gib)
    if "D" not in fit.law.axes:  # every run's tokens are the same
        table = table.drop(columns=["D", "D_lower", "D_upper"])
    show(table.dropna(axis="columns", how="all"), f"options under {fit.form.__name__} ({fit.status})")
    for note in fit.certificate.table_notes:
        say(f"note: {note}")
    say(_answer(found, fit, work))


def _in_gib(words: str) -> str:
    """Words with the memory's column called as the table shown calls it."""
    return words.replace("memory_bytes", "memory_gib")


def _answer(found: Advice, fit: Fit, work: Workload) -> str:
    """The run to take, its loss and its costs, with intervals, or why there is none."""
    from analysis.inference_cost import GIB
    from scaling.data.units import count_text
    from scaling.forecasting.widened import forecast_words

    best = found.chosen
    if best is None:
        return _in_gib(found.reason)
    outside = "" if best["inside"] else f". Outside the runs: {forecast_words(fit, best)}"
    tokens = f", D = {count_text(best['D'])}" if best["D"] == best["D"] else ""
    what = f"take N = {count_text(best['N'])}, P = {best['P']:.0f}{tokens}"
    interval = f"{best['loss']:.4f} ({best['loss_lower']:.4f} to {best['loss_upper']:.4f})"
    cost = f"{best['latency_s']:.3g} s, {best['memory_bytes'] / GIB:.3g} GiB"
    said = [f"{what}: loss {interval}, {cost}{outside}", *_training(best, work), found.why]
    return "\n".join(said)


def _training(best: dict[str, Any], work: Workload) -> list[str]:
    """FLOPs, GPU hours and the price of training, with the ends between which the loss may be reached."""
    flops = best["training_flops"]
    if flops != flops:
        return []
    low, high = (best[f"training_flops_{end}"] / flops for end in ("lower", "upper"))

    def told(value: float, unit: str) -> str:
        ends = f" ({_amount(value * low)} to {_amount(value * high)})" if low == low else ""
        return f"{_amount(value)}{unit}{ends}"

    hours = (
        f"{told(best['gpu_hours'], ' GPU hours')} on {work.hardware.name} at {work.mfu:.0%} of its peak rate"
    )
    price = [f"price {told(best['price'], '')}"] if best["price"] == best["price"] else []
    return ["; ".join([f"training: {told(flops, ' FLOPs')}", hours, *price])]


def _amount(value: float) -> str:
    """A number with three digits, with thousands separators below a million."""
    return "any" if value == float("inf") else f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.3g}"


def _draw(found: Advice, fit: Fit, work: Workload, options: Options) -> None:
    """Save the figure of the frontier and print where it is."""
    import numpy as np

    from analysis import figures
    from analysis.costs.advise import candidate_costs
    from analysis.output import figure_style
    from analysis.paper.published_numbers import FOLDER

    if "D" in fit.law.axes and not np.isfinite(found.options["N"]).any():
        return  # without tokens there are no losses
    figure = figures.draw_frontier(candidate_costs(fit, found, work), budget=found.limits)
    target = Path(str(options.out))
    source = options.runs or options.fit or str(FOLDER)
    for path in figure_style.save_figure(figure, target / "frontier", command="parscale advise", data=source):
        print(path)
