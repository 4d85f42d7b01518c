"""The cheapest (N, P) within limits, under a fitted law and the cost model; the frontier drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parscale.cli.decide.serving_options import ServingOptions
from parscale.cli.option_values import amount
from parscale.cli.options import option
from parscale.cli.table_options import LevelOptions

if TYPE_CHECKING:
    from analysis.costs.advise import Advice, Workload
    from scaling.fitting.result import Fit

EXAMPLES = (
    "advise --loss 1.05 --memory 4GB --latency 0.6s --batch 1",
    "advise --fit results/fits/additive-pile.json --loss 1.9 --gpu laptop --dtype fp32",
)


@dataclass(frozen=True, kw_only=True)
class Options(LevelOptions, ServingOptions):
    """Options of `parscale advise`."""

    fit: str | None = option(
        None, "a fit file (default: the published law of Stack-V2 Python)", metavar="FIT"
    )
    loss: float | None = option(None, "loss to reach; without it the lowest within the limits", type=float)
    memory: str | None = option(None, "e.g. 4GB")
    latency: str | None = option(None, "e.g. 0.6s")
    flops: str | None = option(None, "training FLOPs, with --tokens; e.g. 1e22")
    tokens: str | None = option(None, "training tokens that --flops pays for", metavar="D")
    out: str | None = option(
        None, "folder of the figure (default results/figures, with --fit figures/ beside its folder)",
        metavar="PATH",
    )  # fmt: skip


def run(options: Options) -> str | int:
    """The cheapest (N, P) that meets the limits under a fitted law and the cost model; 1 where none does."""
    from analysis.costs.advise import advise
    from parscale.cli.output import as_json
    from scaling.fitting.result import Fit

    work = workload_of(options)
    options.check_level()
    limits = limits_of(options)
    fit = Fit.load(options.fit) if options.fit else _published_fit()
    found = advise(fit, loss=options.loss, **limits, workload=work, level=options.level)
    if options.json:
        answer = {"chosen": found.chosen, "reason": found.reason, "why": found.why}
        print(as_json(answer | {"options": found.options.to_dict("records")}))
    else:
        _print(found, fit)
        _draw(found, fit, work, options)
    return int(found.chosen is None)


def workload_of(options: Options) -> Workload:
    """What is served, and on what."""
    from analysis.costs.advise import Workload
    from analysis.costs.hardware import read_hardware
    from scaling.data.units import parse_counts

    batch, *more = parse_counts(options.batch, "--batch")
    if more:
        raise ValueError(f"--batch {options.batch}: advise takes one batch size")
    D = amount(options.tokens, "--tokens") if options.tokens else None
    hardware = read_hardware(options.gpu)
    return Workload(batch, options.input_tokens, options.output_tokens, hardware, options.dtype, D)


def limits_of(options: Options) -> dict[str, Any]:
    """The limits that were given, None where one was not."""
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


def _print(found: Advice, fit: Fit) -> None:
    """Every option, then the one to take."""
    from analysis.inference_cost import GIB
    from parscale.cli.output import say, show

    table = found.options.assign(memory_gib=found.options["memory_bytes"] / GIB).drop(columns="memory_bytes")
    table["broken"] = table["broken"].map(_in_gib)
    show(table.dropna(axis="columns", how="all"), f"options under {fit.form.__name__} ({fit.status})")
    say(_answer(found, fit))


def _in_gib(words: str) -> str:
    """Words with the memory's column called as the table shown calls it."""
    return words.replace("memory_bytes", "memory_gib")


def _answer(found: Advice, fit: Fit) -> str:
    from analysis.inference_cost import GIB
    from scaling.data.units import count_text
    from scaling.forecasting.widened import forecast_words

    best = found.chosen
    if best is None:
        return _in_gib(found.reason)
    outside = "" if best["inside"] else f"; outside the runs: {forecast_words(fit, best)}"
    what = f"take N = {count_text(best['N'])}, P = {best['P']:.0f}"
    interval = f"{best['loss']:.4f} ({best['loss_lower']:.4f} to {best['loss_upper']:.4f})"
    cost = f"{best['latency_s']:.3g} s, {best['memory_bytes'] / GIB:.3g} GiB"
    return f"{what}: loss {interval}, {cost}{outside}\n{found.why}"


def _draw(found: Advice, fit: Fit, work: Workload, options: Options) -> None:
    """Save the figure of the frontier and print where it is."""
    from analysis import figures
    from analysis.costs.advise import candidate_costs
    from analysis.output import figure_style
    from analysis.paper.published_numbers import FOLDER

    figure = figures.draw_frontier(candidate_costs(fit, found, work), budget=found.limits)
    target = Path(options.out) if options.out else _figures_of(options.fit)
    source = options.fit or str(FOLDER)
    for path in figure_style.save_figure(figure, target / "frontier", command="parscale advise", data=source):
        print(path)


def _figures_of(fit: str | None) -> Path:
    """Where figures about a fit go: figures/ beside the folder fits/ it lies in, else beside the file."""
    if fit is None:
        return Path("results/figures")
    folder = Path(fit).parent
    return folder.parent / "figures" if folder.name == "fits" else folder
