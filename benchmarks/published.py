"""Which published fits are optima of what they minimise: `python -m benchmarks.published`.

Refits every file of results/published/runs and the paper's 48 losses, evaluates the published constants
under the same objective, and writes results/tables/published_fits.csv and the table in docs/fitting.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from scaling import ChinchillaLaw, LogHuber, ParallelLaw
from scaling.data.atomic_files import write_between

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "results/published/runs"
NEAR, FAR = 1e-6, 1e-4  # relative excess in the objective: as good as there, and clearly not there
MARKS = ("<!-- published fits -->", "<!-- end of published fits -->")


def cases() -> Iterator[tuple[str, Any, scaling.Law, scaling.Objective]]:
    """Name, runs, published law and objective of each published fit."""
    targets = json.loads((RUNS / "targets.json").read_text())
    losses = scaling.read_runs(ROOT / "results/published/losses.csv")
    for corpus, c in targets["../paper/losses.csv"]["published (Figure 2)"].items():
        law = ParallelLaw(E=c["E"], A=c["A"], alpha=c["alpha"], k=c["k"])
        yield f"ParScale, {corpus}", losses[losses.corpus == corpus], law, LogHuber(1e-3)
    for file, target in targets.items():
        if file.startswith("gemstones"):
            runs = scaling.read_runs(RUNS / file)
            for delta, c in target["published"].items():
                E, A, B = (float(np.exp(c[f"log_{x}"])) for x in "EAB")
                law = ChinchillaLaw(E=E, A=A, B=B, alpha=c["alpha"], beta=c["beta"])
                yield f"{file.removesuffix('.csv')}, delta {delta}", runs, law, LogHuber(float(delta))
    kyo = scaling.read_runs(RUNS / "chinchilla_kyo.csv")
    for name, objective in (
        ("huber_1e-3_optimum", LogHuber(1e-3)),
        ("published_asymmetric_mae", scaling.Asymmetric(log=False, over=10.0)),
    ):
        c = targets["chinchilla_kyo.csv"][name]
        yield (
            f"chinchilla_kyo, {name}",
            kyo,
            ChinchillaLaw(**{k: c[k] for k in ChinchillaLaw.names()}),
            objective,
        )


def digits(x: float) -> int:
    """Significant digits a number was printed with."""
    return len(Decimal(repr(x)).normalize().as_tuple().digits)


def judge(ours: scaling.Law, theirs: scaling.Law, excess: float) -> str:
    """Whether the published constants are an optimum, as far as their digits can say."""
    pairs = [(getattr(ours, n), getattr(theirs, n)) for n in ours.names()]
    if all(float(f"{mine:.{digits(printed)}g}") == printed for mine, printed in pairs):
        return "optimum to its printed digits"
    return "not an optimum" if excess > FAR else "optimum to 1e-6" if excess < NEAR else "stopped short"


def rows() -> list[dict[str, Any]]:
    """One row a published fit: its objective, ours, the excess, and the parameters that moved."""
    out = []
    for name, runs, law, objective in cases():
        fit = scaling.fit(type(law), runs, objective)
        theirs = float(fit.problem.value(fit.problem.internal(law)[None])[0])
        excess = theirs / fit.objective_value - 1
        moved = {n: float(getattr(fit.law, n) / getattr(law, n) - 1) for n in law.names()}
        worst = max(moved, key=lambda n: abs(moved[n]))
        verdict = judge(fit.law, law, excess)
        row = {"data": name, "rows": fit.loss.size, "published": theirs, "ours": fit.objective_value}
        row |= {"excess": excess, "verdict": verdict, "largest_move": worst, "moved_by": moved[worst]}
        out.append(row | {"status": str(fit.status)})
    return out


def markdown(table: pd.DataFrame) -> str:
    """The table for docs/fitting.md."""
    lines = [
        "| data | rows | objective published | ours | excess | verdict | largest move |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in table.itertuples():
        lines.append(
            f"| {r.data} | {r.rows} | {r.published:.7g} | {r.ours:.7g} | {r.excess:.1e} | {r.verdict} "
            f"| {r.largest_move} {r.moved_by:+.2%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Write the table to results/tables and into docs/fitting.md, and print it."""
    table = pd.DataFrame(rows())
    (ROOT / "results/tables").mkdir(parents=True, exist_ok=True)
    table.to_csv(ROOT / "results/tables/published_fits.csv", index=False)
    text = markdown(table)
    page = ROOT / "docs/fitting.md"
    if page.exists():
        write_between(page, MARKS, text)
    print(text)


if __name__ == "__main__":
    main()
