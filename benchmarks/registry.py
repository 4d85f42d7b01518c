"""Every law over other axes on a public table, with its residuals: `python -m benchmarks.registry`.

Writes results/tables/registry_fits.csv, the table between its marks in docs/reference/laws.md, and the figure of
residuals results/figures/registry.png. Objective: least squares of the loss, unless the authors state theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

import scaling
from analysis.output import figure_style
from benchmarks import ROOT
from scaling import Fit, LeastSquares, LogHuber, Objective
from scaling.data.atomic_files import write_between

TABLES = ROOT / "results/published/tables"
SQUARES = LeastSquares()
MARKS = ("<!-- fits of the registry -->", "<!-- end of the fits -->")


def read(name: str, **columns: str) -> pd.DataFrame:
    """A published table under our names."""
    return pd.read_csv(TABLES / name).rename(columns={theirs: ours for ours, theirs in columns.items()})


def routing() -> pd.DataFrame:
    """Clark et al.: S-Base, one expert a token, every other layer routed, one seed, and the dense runs."""
    table = read("routing.csv", N="dense_parameter_count", experts="num_experts", loss="loss_validation")
    table = table[(table.k == 1) & (table.routing_frequency == 0.5) & (table.flop_increase == 1)]
    return table[
        table.router_type.isin(["S-Base", "Dense"]) & ((table.seed == 42) | (table.router_type == "Dense"))
    ]


def sparsity() -> pd.DataFrame:
    """Liew et al.: 2.3B dense tokens, then 2.3B sparse ones. The table is in 1e9 parameters and tokens."""
    table = read("sparsity.csv", expansion="P")
    return table[np.isclose(table.D2, table.D1)].assign(N=lambda t: t.N_active * 1e9)


def precision() -> pd.DataFrame:
    """Panferov et al.: every precision, as a category."""
    return read("precision.csv", N="non_embedding_parameters", D="tokens", precision="level")


def bits() -> pd.DataFrame:
    """The same, weights and activations of the same whole number of bits."""
    table = precision()
    return table[table.precision.isin(["1", "2", "3", "4", "8", "16"])].assign(
        bits=lambda t: t.precision.astype(float)
    )


def repeated() -> pd.DataFrame:
    """Muennighoff et al., as gathered in ScaleBench."""
    return read("data_constrained.csv", N="params", D="tokens", unique="unique_tokens")


def gemstones() -> pd.DataFrame:
    """McLeish et al.: from 100B tokens on."""
    return pd.read_csv(ROOT / "results/published/runs/gemstones_hot_100bplus.csv")


def gemstones_at_end() -> pd.DataFrame:
    """The same at the most tokens that all 22 shapes have."""
    table = gemstones()
    return table[table.D.max() == table.D]


def fine_tuning() -> pd.DataFrame:
    """Lin et al.: GPT-2 small's curve on FLAN."""
    table = read("fine_tuning.csv").set_index("config name").loc["MBZUAI/LaMini-GPT-124M"]
    sizes = [name for name in table.index if name.isdigit()]
    return pd.DataFrame({"D": np.array(sizes, float), "loss": table[sizes].to_numpy(float)})


@dataclass(frozen=True)
class Case:
    """A law, its public table, a plainer law to compare, the axis of its residuals, and what they show."""

    law: str
    source: str
    table: Callable[[], pd.DataFrame]
    beside: str
    along: str
    seen: str
    objective: Objective = SQUARES


CASES = (
    Case("routed", "Clark et al. 2022", routing, "dense", "experts", "they fan out: sizes cross without E"),
    Case("routed-floor", "Clark et al. 2022", routing, "dense", "experts", "no shape, within 0.02"),
    Case("experts", "Clark et al. 2022", routing, "dense", "experts", "a wave of 0.02: experts saturate"),
    Case(
        "sparsity", "Liew et al. 2025", sparsity, "dense", "expansion",
        "one run 0.19 high. Residuals rise with the experts where a token uses one", LogHuber(),
    ),
    Case(
        "precision", "Panferov et al. 2025", precision, "chinchilla", "N", "no shape, within 0.05",
        LeastSquares(log=True),
    ),
    Case(
        "bits", "Panferov et al. 2025", bits, "chinchilla", "bits",
        "1 and 16 bits high, 3 and 4 low: activations are quantised too, which the form is not of", LeastSquares(log=True),
    ),
    Case("shape", "McLeish et al. 2025", gemstones, "chinchilla", "width", "width 512 low, runs high at their first tokens"),
    Case("broken", "McLeish et al. 2025", gemstones_at_end, "dense", "N", "one shape 0.19 high, and no break is identified"),
    Case("repeated-data", "Muennighoff et al. 2023", repeated, "chinchilla", "D", "one run 2.1 high, few tokens high"),
    Case("data-constrained", "Muennighoff et al. 2023", repeated, "chinchilla", "D", "one run 2.1 high, few tokens high"),
    Case("fine-tuning", "Lin et al. 2024", fine_tuning, "", "D", "a wave of 0.05"),
)  # fmt: skip


def row_of(case: Case, one: Fit, table: pd.DataFrame) -> dict[str, object]:
    """The fit's results, and those of the plainer law on the same rows."""
    plain = scaling.fit(case.beside, table, case.objective) if case.beside else None
    values = ", ".join(f"{name} {value:.4g}" for name, value in one.params.items())
    return {
        "law": case.law, "table": case.source, "rows": one.loss.size, "parameters": len(one.form.free()),
        "status": str(one.status), "rmse": round(one.rmse, 5), "beside": case.beside,
        "rmse_beside": np.nan if plain is None else round(plain.rmse, 5),
        "delta_aicc": np.nan if plain is None else round(one.aicc - plain.aicc, 1), "residuals": case.seen,
        "values": values,
    }  # fmt: skip


def figure_of(fits: dict[Case, Fit], command: str) -> None:
    """Residuals of every fit along the axis that its law is about."""
    figure, axes = figure_style.new_figure(4, 3, width=9.0, height=8.5)
    with figure_style.house_style():
        for place, (case, one) in zip(axes, fits.items(), strict=False):
            x = one.axes[case.along]
            place.axhline(0, color=figure_style.GREY, linewidth=0.8)
            place.plot(np.maximum(x, 100) if case.along == "D" else x, one.misfit, "o", ms=2.5, alpha=0.6)
            place.set_xscale("log")
            if x.max() < 600 * max(x.min(), 1e-300):  # over more decades powers of ten are enough
                figure_style.plain_log_ticks(place.xaxis)
            place.set_title(f"{case.law}: {one.rmse:.3g} nats", fontsize=9)
            place.set_xlabel(case.along)
        for place in axes[len(fits) :]:
            place.set_visible(False)
        for place in axes[::3]:
            place.set_ylabel("observed - fitted (nats)")
    target = ROOT / "results/figures/registry"
    for path in figure_style.save_figure(figure, target, command=command, data="results/published"):
        print(path)


def markdown(table: pd.DataFrame) -> str:
    """The table for docs/reference/laws.md."""
    names = [
        "law",
        "public table",
        "rows",
        "parameters",
        "status",
        "rmse",
        "rmse of",
        "AICc less that",
        "residuals",
    ]
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    for r in table.itertuples():
        beside = f"{r.beside} {r.rmse_beside:.3g}" if r.beside else ""
        less = f"{r.delta_aicc:+.0f}" if r.beside else ""
        cells = (
            f"`{r.law}`",
            r.table,
            r.rows,
            r.parameters,
            r.status,
            f"{r.rmse:.3g}",
            beside,
            less,
            r.residuals,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    """Fit, write and draw."""
    fits, rows = {}, []
    for case in CASES:
        table = case.table()
        fits[case] = scaling.fit(case.law, table, case.objective)
        rows.append(row_of(case, fits[case], table))
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(ROOT / "results/tables/registry_fits.csv", index=False)
    write_between(ROOT / "docs/reference/laws.md", MARKS, markdown(table))
    figure_of(fits, "python -m benchmarks.registry")


if __name__ == "__main__":
    main()
