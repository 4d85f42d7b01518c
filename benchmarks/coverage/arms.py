"""Coverage of an arm's gain: simulated tables of two and three arms whose gains are known.

    python -m benchmarks.coverage.arms [--trials 400] [--chosen] [--only TEXT]

Writes results/tables/coverage_arms.csv: a row per design, quantity and point, with the share of 95% intervals that
hold the truth when the shared parameters are given. With --chosen, `scaling.compare_arms` chooses them in each
table and results/tables/coverage_arms_chosen.csv is written. The same rows go between the marks of docs/coverage.md.
With --only the rows of designs without that text in their name are kept as they are.
On D = 20 N the gain in N alone is not determined, so it has no row.
Truths are asymmetric. The noise is that of the loss in per cent.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from benchmarks import ROOT
from benchmarks.coverage import rows_kept
from scaling import Arms, ChinchillaLaw, DenseLaw, LeastSquares, compare_arms, fit
from scaling.data.atomic_files import write_between
from scaling.selection.arms import arm_gains
from scaling.uncertainty.prediction import default_method

OUT = {
    False: ROOT / "results/tables/coverage_arms.csv",
    True: ROOT / "results/tables/coverage_arms_chosen.csv",
}
MARKS = {
    False: ("<!-- gains of arms -->", "<!-- end of gains of arms -->"),
    True: ("<!-- gains of chosen arms -->", "<!-- end of gains of chosen arms -->"),
}
LEVEL = 0.95
DESIGNS = {
    "two arms, A apart, 5 x 4 runs": (
        {"adam": ChinchillaLaw(1.71, 400, 410, 0.34, 0.28), "muon": ChinchillaLaw(1.71, 310, 410, 0.34, 0.28)},
        ("A",), (5, 4), 0.004,
    ),
    "three arms, A and alpha apart, 4 x 3 runs": (
        {"adam": ChinchillaLaw(1.71, 400, 410, 0.34, 0.28), "muon": ChinchillaLaw(1.71, 290, 410, 0.33, 0.28),
         "sgd": ChinchillaLaw(1.71, 520, 410, 0.32, 0.28)},
        ("A", "alpha"), (4, 3), 0.003,
    ),
    "two arms, everything apart, 6 sizes": (
        {"old": DenseLaw(1.53, 3.1e7, 0.213), "new": DenseLaw(1.49, 2.3e7, 0.221)}, None, (6, 1), 0.002,
    ),
    "two arms, A and B apart, D = 20 N": (
        {"adam": ChinchillaLaw(1.71, 400, 410, 0.34, 0.28), "muon": ChinchillaLaw(1.71, 330, 350, 0.34, 0.28)},
        ("A", "B"), (10, 0), 0.003,
    ),
}  # fmt: skip


def truth_of(design: str) -> pd.DataFrame:
    """The gains of a design's truths: a fit of exact losses."""
    return arm_gains(_fit(design, None), _reference(design), None, LEVEL, default_method(_fit(design, None)))


def _reference(design: str) -> str:
    return next(iter(DESIGNS[design][0]))


def _fit(design: str, rng: np.random.Generator | None):
    laws, own, _, _ = DESIGNS[design]
    return fit(Arms(type(next(iter(laws.values()))), "arm", own=own), _runs(design, rng), LeastSquares())


def _runs(design: str, rng: np.random.Generator | None) -> pd.DataFrame:
    """The losses of a design, exact or with noise. Without budgets of D, on a ladder D = 20 N."""
    laws, _, (sizes, budgets), noise = DESIGNS[design]
    rows = []
    for arm, law in laws.items():
        N = np.geomspace(2e7, 2e9, sizes)
        D = np.geomspace(1e9, 1e11, budgets)
        N, D = (v.ravel() for v in np.meshgrid(N, D)) if budgets else (N, 20 * N)
        loss = law.predict(N=N, D=D)
        if rng is not None:
            loss = loss * np.exp(noise * rng.standard_normal(N.size))
        rows.append(pd.DataFrame({"N": N, "D": D, "arm": arm, "loss": loss}))
    return pd.concat(rows, ignore_index=True)


def _found(design: str, trial: int, at: pd.DataFrame, chosen: bool) -> pd.DataFrame:
    """The gains of one simulated table."""
    rng = np.random.default_rng([7, trial])
    if chosen:
        law = type(next(iter(DESIGNS[design][0].values())))
        return compare_arms(law, _runs(design, rng), "arm", reference=_reference(design), at=at).gains
    one = _fit(design, rng)
    return arm_gains(one, _reference(design), at, LEVEL, default_method(one))


def covered(design: str, trials: int, chosen: bool) -> list[dict]:
    """How often the intervals of each gain hold the truth."""
    truth, hits = truth_of(design), []
    at = truth[list(type(next(iter(DESIGNS[design][0].values()))).axes)].drop_duplicates()
    for trial in range(trials):
        found = _found(design, trial, at, chosen)
        names = [name for name in ("gain_N", "gain_C") if name in found]
        hits.append({n: (found[f"{n}_lower"] <= truth[n]) & (truth[n] <= found[f"{n}_upper"]) for n in names})
    return [
        {"design": design, "quantity": name, "arm": truth["arm"][i], "N": f"{truth['N'][i]:.3g}",
         "gain": round(truth[name][i], 4), "coverage": round(float(np.mean([h[name][i] for h in hits])), 4),
         "trials": trials}
        for name in hits[0] for i in range(len(truth)) if np.isfinite(truth[name][i])
    ]  # fmt: skip


def markdown(table: pd.DataFrame) -> str:
    """The table of docs/coverage.md."""
    lines = ["| design | gain | arm | at N | truth | intervals that hold it | tables |", "|---" * 7 + "|"]
    for row in table.to_dict("records"):
        shown = row | {
            "N": f"{float(row['N']):.3g}",
            "gain": f"{row['gain']:.4g}",
            "coverage": f"{row['coverage']:.1%}",
        }
        lines.append("| " + " | ".join(str(value) for value in shown.values()) + " |")
    return "\n".join(lines)


def main() -> None:
    """Every design, one after the other. The table is written after each."""
    parser = argparse.ArgumentParser("python -m benchmarks.coverage.arms", description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--chosen", action="store_true", help="compare_arms chooses what arms share")
    parser.add_argument("--only", metavar="TEXT", default="", help="designs with this in their name")
    args = parser.parse_args()
    kept = rows_kept(OUT[args.chosen], args.only)
    rows: list[dict] = []
    for design in DESIGNS:
        rows += covered(design, args.trials, args.chosen) if args.only in design else kept.get(design, [])
        pd.DataFrame(rows).to_csv(OUT[args.chosen], index=False)
        print(pd.DataFrame(rows[-4:]).to_string(index=False), flush=True)
    write_between(ROOT / "docs/coverage.md", MARKS[args.chosen], markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
