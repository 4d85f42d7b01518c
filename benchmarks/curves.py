"""Whole loss curves: published constants, forecasts of other schedules and of runs in training, compared with the runs.

    python -m benchmarks.curves [--part published schedules training simulated speed figure]

Writes results/tables/curves_<part>.csv. Public curves: 25M and 100M models under nine schedules (Luo et al. 2025). Our own:
every run with a whole curve in results/sweeps. About 4 minutes of CPU in all.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.output.figure_style import save_figure
from scaling.curves.curve_fit import CURVE_LAWS, CurveFit, fit_curves, forecast_curve
from scaling.curves.curve_laws import CurvePoints, MultiPowerLaw
from scaling.curves.curve_table import Curve, curves_of
from scaling.curves.final_forecast import forecast_end, forecast_finals
from scaling.curves.schedule import Schedule
from scaling.data.published_tables import published_file

COMMAND = "python -m benchmarks.curves"
OUT = Path("results/tables")
SWEEPS = Path("results/sweeps")
WARMUP = 2160  # steps, of the public curves
FITTED = ("constant_24000", "cosine_24000", "wsdcon_9")  # what the published constants were fitted to
SHARES = (0.25, 0.5, 0.75)
PRINTED = ("L0", "A", "B", "alpha", "C", "beta", "gamma")
MOST = 24  # runs of a sweep that are forecast, in random order, so that those before one have ended
OURS = ("laptop", "laptop-text", "extras", "recipe", "gpu", "gpu-recipe")


def public(model: int) -> dict[str, Curve]:
    """The public curves of a size by schedule."""
    table = scaling.published("loss-curves")
    return curves_of(table[table["model_M"] == model], run="schedule", warmup=WARMUP)


def published() -> pd.DataFrame:
    """The errors of the printed constants and of our fits on the schedules that were not fitted, and their objectives."""
    constants = scaling.published("loss-curve-constants").set_index("model_M")
    rows = []
    for model in (25, 100):
        curves = public(model)
        huber = {"objective": scaling.LogHuber(1e-3), "runs": FITTED}
        fits = {f"{law}, Huber 1e-3": fit_curves(curves, law, **huber) for law in CURVE_LAWS}
        fits |= {f"{law}, least squares": fit_curves(curves, law, runs=FITTED) for law in CURVE_LAWS}
        for name, fit in fits.items():
            rows.append({"model_M": model, "fit": name, "status": fit.status.value, **errors(fit, curves)})
        rows.append(
            {
                "model_M": model,
                "fit": "multi-power, constants as printed",
                "status": "",
                **_printed(model, curves),
            }
        )
        told = constants.loc[model]
        rows.append({"model_M": model, "fit": "multi-power, errors as printed", "status": "", "mae": told["mae"],
                     "rmse": told["rmse"], "worst_relative": told["worst_relative_error"]})  # fmt: skip
    return pd.DataFrame(rows)


def errors(fit: CurveFit, curves: dict[str, Curve]) -> dict[str, float]:
    """Errors at every checkpoint of the schedules not fitted: the mean over schedules, and the objective."""
    made = {n: c.losses - fit.moments(c.schedule, c.steps)[0] for n, c in curves.items() if n not in FITTED}
    return {**_summed(made, curves), "objective": fit.estimate.objective_value}


def _summed(made: dict[str, Any], curves: dict[str, Curve]) -> dict[str, float]:
    return {
        "mae": float(np.mean([np.abs(e).mean() for e in made.values()])),
        "rmse": float(np.mean([np.sqrt((e**2).mean()) for e in made.values()])),
        "worst_relative": float(np.mean([np.abs(e / curves[n].losses).max() for n, e in made.items()])),
    }


def _printed(model: int, curves: dict[str, Curve]) -> dict[str, float]:
    """The same for the printed constants. The objective is Huber's at these points."""
    told = scaling.published("loss-curve-constants").set_index("model_M").loc[model]

    def predicted(curve: Curve) -> Any:
        points = CurvePoints(
            curve.steps, curve.sums, ((slice(0, curve.steps.size), curve.schedule.segments),), 3e-4
        )
        law = MultiPowerLaw.bound(points).from_vector(told[list(PRINTED)].to_numpy(np.float64))
        return law.predict(point=np.arange(1.0, curve.steps.size + 1))

    made = {n: c.losses - predicted(c) for n, c in curves.items() if n not in FITTED}
    seen = [curves[name].after_warmup().condensed() for name in FITTED]
    r = np.concatenate(
        [np.repeat(np.log(predicted(c)) - np.log(c.losses), c.counts.astype(int)) for c in seen]
    )
    return {**_summed(made, curves), "objective": float(scaling.LogHuber(1e-3).rho(r).sum())}


def schedules() -> pd.DataFrame:
    """Forecasts of every schedule from two or three others: error and interval at the last checkpoint and along the curve."""
    rows = []
    for model in (25, 100):
        curves = public(model)
        rng = np.random.default_rng(0)
        pairs = [tuple(p) for p in rng.permutation(list(itertools.combinations(curves, 2)))[:10]]
        triples = [tuple(rng.permutation(list(curves))[:3]) for _ in range(6)]
        for fitted in [("constant_24000", "cosine_24000"), FITTED, *pairs, *triples]:
            rows += list(_forecasts(f"public {model}M", curves, fitted))
    for model, curves in own_schedules().items():
        for fitted in [*itertools.combinations(curves, 2), *itertools.combinations(curves, 3)]:
            rows += list(_forecasts(f"ours {model}", curves, fitted))
    return pd.DataFrame(rows)


def own_schedules() -> dict[str, dict[str, Curve]]:
    """Validation losses of our runs of one model under several schedules (results/grids/schedules.py), by size."""
    folder = SWEEPS / "schedules"
    runs, curves = pd.read_parquet(folder / "runs.parquet"), pd.read_parquet(folder / "curves.parquet")
    configs = [json.loads(config) for config in runs["config"]]
    names = ["flat" if not c["decay_share"] else c["schedule"] for c in configs]
    known = dict(zip(runs["run_id"], names, strict=True))
    found = {}
    for size, some in runs.groupby("size"):
        part = curves[curves["run_id"].isin(some["run_id"])]
        found[str(size)] = curves_of(part.assign(run=part["run_id"].map(known)), loss="val_loss")
    return found


def _forecasts(source: str, curves: dict[str, Curve], fitted: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    fits = {law: fit_curves(curves, law, runs=fitted, start=8) for law in CURVE_LAWS}
    asked: dict[str, list[CurveFit]] = {
        **{law: [fit] for law, fit in fits.items()},
        "mean of both": [*fits.values()],
    }
    for name, curve in curves.items():
        if name in fitted:
            continue
        seen = curve.after_warmup()
        for law, some in asked.items():
            made = forecast_curve(some, curve.schedule, seen.steps)
            error, half = seen.losses - made["loss"], made["upper"] - made["loss"]
            inside = np.abs(error) <= half
            yield {"source": source, "fitted": " + ".join(fitted), "forecast": name, "law": law,
                   "error": error.iloc[-1], "half": half.iloc[-1], "last_inside": bool(inside.iloc[-1]),
                   "points_inside": float(inside.mean())}  # fmt: skip


def training() -> pd.DataFrame:
    """Forecasts of final losses at shares of the steps, alone and with runs of the same sweep that have ended."""
    rows = []
    for model in (25, 100):
        for name, curve in public(model).items():
            for share in SHARES:
                rows.append(_alone(f"public {model}M", name, curve, share))
    for sweep in OURS:
        runs = pd.read_parquet(SWEEPS / sweep / "runs.parquet").set_index("run_id")
        curves = curves_of(
            pd.read_parquet(SWEEPS / sweep / "curves.parquet"), run="run_id", loss="train_loss"
        )
        curves = {run: c for run, c in curves.items() if runs.loc[run, "status"] == "ok"}
        finals = {run: float(runs.loc[run, "loss"]) for run in curves}
        order = [*np.random.default_rng(0).permutation([*curves])]
        for i, run in enumerate(order[:MOST]):
            before = order[:i] if i >= 3 else order[1:5]
            for share in SHARES:
                rows.append(_alone(sweep, run, curves[run], share))
                rows.append(_beside(sweep, run, [one for one in before if one != run], curves, finals, share))
    return pd.DataFrame([row for row in rows if row])


def _alone(source: str, run: str, curve: Curve, share: float) -> dict[str, Any]:
    """The training loss at the end, from the run's own curve."""
    made = forecast_end(curve.until(share * curve.schedule.end), curve.schedule)
    if made is None:
        return {}
    final = float(curve.losses[-max(3, curve.losses.size // 20) :].mean())
    lower, middle, upper = np.quantile(made, [0.025, 0.5, 0.975])
    return _told(source, run, "own curve", share, final, lower, middle, upper)


def _beside(
    source: str, run: str, before: list[str], curves: dict[str, Curve], finals: dict[str, float], share: float
) -> dict[str, Any]:
    """The validation loss, with runs that have ended."""
    end = curves[run].schedule.end
    some = {one: curves[one] for one in before} | {run: curves[run].until(share * end)}
    planned = {one: curves[one].schedule for one in some}
    made = forecast_finals(some, planned, finals={one: finals[one] for one in before}).table.loc[run]
    if not np.isfinite(made["final"]) or made["of"] != "validation":
        return {}
    return _told(
        source, run, "with ended runs", share, finals[run], made["lower"], made["final"], made["upper"]
    )


def _told(
    source: str, run: str, how: str, share: float, final: float, lower: float, middle: float, upper: float
) -> dict[str, Any]:
    facts = {"source": source, "run": run, "how": how, "share": share, "final": final, "forecast": middle}
    return facts | {
        "error": final - middle,
        "half": (upper - lower) / 2,
        "inside": bool(lower <= final <= upper),
    }


def simulated(trials: int = 60) -> pd.DataFrame:
    """Shares of the 95% intervals of parameters and of another schedule's end that hold the truth, by the noise."""
    rows = []
    for noise, (sd, shared, length) in {
        "independent": (0.004, 0.0, 1.0),
        "shared": (0.004, 0.7, 3000.0),
    }.items():
        for trial in range(trials):
            made, truth, end = _simulated(np.random.default_rng([5, trial]), sd, shared, length)
            fit = fit_curves(made, "annealing", start=8)
            inside = (fit.table["lower"] <= truth) & (truth <= fit.table["upper"])
            ahead = fit.forecast(WSD).iloc[-1]
            rows.append(
                {"noise": noise, **inside.to_dict(), "wsd's end": ahead["lower"] <= end <= ahead["upper"]}
            )
    return pd.DataFrame(rows).groupby("noise").mean().round(3).assign(trials=trials).reset_index()


TRUTH = {"L0": 2.9, "A": 0.55, "B": 400.0, "alpha": 0.48, "tau": 180.0}
SHAPE: dict[str, Any] = {"steps": 24_000, "peak": 3e-4, "warmup": WARMUP}
WSD = Schedule.shaped("wsd", **SHAPE)


def _simulated(rng: np.random.Generator, sd: float, shared: float, length: float) -> tuple[Any, Any, float]:
    """Curves of a known annealing law under constant and cosine, the truth, and the loss of WSD at its end."""
    law, curves = CURVE_LAWS["annealing"], {}
    for name in ("constant", "cosine", "wsd"):
        schedule = WSD if name == "wsd" else Schedule.shaped(name, **SHAPE)
        steps = np.arange(2200.0, 24_001, 200)
        points = CurvePoints(steps, schedule.total(steps), ((slice(0, steps.size), schedule.segments),), 3e-4)
        mean = (
            law.bound(points).from_vector(list(TRUTH.values())).predict(point=np.arange(1.0, steps.size + 1))
        )
        apart = np.abs(np.subtract.outer(steps, steps))
        R = shared * np.exp(-apart / length) + (1 - shared) * np.eye(steps.size)
        losses = mean + sd * np.linalg.cholesky(R) @ rng.standard_normal(steps.size)
        curves[name] = Curve(name, steps, losses, schedule, np.ones(steps.size))
    end = float(curves.pop("wsd").losses[-1])
    return curves, pd.Series(TRUTH), end


def speed() -> pd.DataFrame:
    """CPU seconds of a fit to 10,000 checkpoints of twenty curves."""
    schedules = [Schedule.shaped(shape, steps=24_000 + 1000 * i, peak=3e-4, warmup=WARMUP, final=0.1)
                 for i, shape in enumerate(("constant", "cosine", "linear", "wsd") * 5)]  # fmt: skip
    table = pd.concat([pd.DataFrame({"run": f"run {i}", "step": (at := np.linspace(2200, s.end, 500)), "lr": s.rate(at)})
                       for i, s in enumerate(schedules)])  # fmt: skip
    rng = np.random.default_rng(0)
    table["loss"] = (
        2.8
        + 0.5 * (table["step"] * 3e-4) ** -0.5
        + 400 * table["lr"]
        + 0.004 * rng.standard_normal(len(table))
    )
    rows = []
    for law in CURVE_LAWS:
        begun = time.process_time()
        fit = fit_curves(table, law)
        rows.append(
            {
                "law": law,
                "checkpoints": len(table),
                "cpu_s": round(time.process_time() - begun, 2),
                "status": fit.status.value,
            }
        )
    return pd.DataFrame(rows)


def figure() -> pd.DataFrame:
    """results/figures/loss_curves: the 25M curves, two fitted and seven forecast by the annealing law."""
    curves = public(25)
    fitted = ("constant_24000", "cosine_24000")
    fit = fit_curves(curves, "annealing", runs=fitted)
    drawn = fit.plot({name: curve for name, curve in curves.items() if name not in fitted})
    save_figure(
        drawn,
        "results/figures/loss_curves",
        command=f"{COMMAND} --part figure",
        data=published_file("loss-curves").name,
    )
    return fit.table.reset_index()


PARTS: dict[str, Callable[[], pd.DataFrame]] = {
    part.__name__: part for part in (published, schedules, training, simulated, speed, figure)
}


def summary(part: str, table: pd.DataFrame) -> pd.DataFrame:
    """What is printed of a part: coverage and sizes of errors, by source."""
    if part == "schedules":
        grouped = table.groupby(["source", "law"])
        shown = grouped[["last_inside", "points_inside"]].mean()
        return shown.assign(
            error=grouped["error"].apply(lambda e: e.abs().mean()),
            half=grouped["half"].median(),
            n=grouped.size(),
        )
    if part == "training":
        grouped = table.assign(of=table["source"].str.partition(" ")[0]).groupby(["how", "of", "share"])
        shown = grouped[["inside"]].mean()
        return shown.assign(
            error=grouped["error"].apply(lambda e: e.abs().mean()),
            half=grouped["half"].median(),
            n=grouped.size(),
        )
    return table


def main() -> None:
    """The parts asked for, each written and its summary printed."""
    parser = argparse.ArgumentParser("python -m benchmarks.curves", description=__doc__)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=[*PARTS])
    for part in parser.parse_args().part:
        begun, table = time.process_time(), PARTS[part]()
        if part != "figure":
            table.to_csv(OUT / f"curves_{part}.csv", index=False, float_format="%.6g")
        print(
            f"{part}: {time.process_time() - begun:.0f} s of CPU\n{summary(part, table).round(4).to_string()}\n",
            flush=True,
        )


if __name__ == "__main__":
    main()
