"""Which run to train: the cheapest that reaches a loss, or the best that a budget buys.

At one P the loss falls and every cost rises along one path of runs: N at equal tokens, or the best N and D of
each budget under a law with D. The path's candidate is the first run that reaches the loss, or the last within
the limits. The rest is a choice among P.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.costs.hardware import A100, Hardware
from analysis.costs.run_path import RunPath
from analysis.costs.shapes import shape_of
from analysis.inference_cost import GIB, estimate
from scaling import Fit
from scaling.data.columns.column_units import check_sizes
from scaling.data.levels import approximate_C
from scaling.uncertainty.interval_methods import Method, check_level
from scaling.uncertainty.prediction import default_method

COSTS = {"latency_s": "latency", "memory_bytes": "memory", "training_flops": "training FLOPs"}
SMALLEST, LARGEST = 1e6, 1e13  # sizes tried when a budget decides N
LEAST = SMALLEST / 1e3  # the smallest N that is an answer
EVERY, OPEN = "every size reaches the loss", "every size is within the limits"  # the question decides nothing
AROUND, LOOKS = 1e3, 61  # the interval of N is searched by this factor up and down, at this many runs
AXES = ({"N"}, {"N", "P"}, {"N", "D"}, {"N", "P", "D"})  # axes of the laws that advise takes
ENDS = ("N", "D", "training_flops")  # quantities with an interval if a loss is asked for


@dataclass(frozen=True)
class Workload:
    """What is to be served, on what, and how it is trained."""

    batch: int = 1
    input_tokens: int = 512
    output_tokens: int = 512
    hardware: Hardware = A100
    dtype: str = "bf16"
    D: float | None = None  # training tokens of every run, for a law without D
    mfu: float = 0.4  # share of the peak rate that training reaches, counted by 6 N P D
    price: float | None = None  # of one device for an hour

    def __post_init__(self) -> None:
        """Refuse a share or a price that cannot be."""
        if not 0 < self.mfu <= 1:
            raise ValueError(
                f"mfu={self.mfu!r}: give the share of the peak rate that training reaches, such as 0.4"
            )
        if self.price is not None and not (np.isfinite(self.price) and self.price > 0):
            raise ValueError(f"price={self.price!r}: give the price of a device for an hour, such as 2.5")

    def costs(self, N: float, P: float, D: float | None = None) -> dict[str, float]:
        """Latency and memory of a model of the paper's family, and FLOPs (6 N P D), GPU hours and price of training it on
        D tokens, by default the workload's. nan if tokens or price are unknown.
        """
        shape = shape_of(N, P=P)
        served = estimate(
            width=shape.width,
            ffn=shape.ffn,
            P=P,
            batch=self.batch,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            hardware=self.hardware,
            dtype=self.dtype,
        )
        tokens = D if D is not None else np.nan if self.D is None else self.D
        flops = float(approximate_C(np.array(N), np.array(tokens), P))
        hours = (
            flops
            / (self.hardware.reached_flops(self.dtype) / self.hardware.flops_efficiency * self.mfu)
            / 3600
        )
        return {
            "latency_s": float(served.latency_s),
            "memory_bytes": float(served.memory_bytes),
            "training_flops": flops,
            "gpu_hours": hours,
            "price": np.nan if self.price is None else hours * self.price,
        }


@dataclass(frozen=True)
class Advice:
    """One option per P, the chosen one marked, or the reason why none is."""

    options: pd.DataFrame
    limits: dict[str, float]
    minimise: str
    reason: str

    @property
    def chosen(self) -> dict[str, Any] | None:
        """The option to take, or None."""
        rows = self.options[self.options["chosen"]].to_dict("records")
        return {str(k): v for k, v in rows[0].items()} if rows else None

    @property
    def why(self) -> str:
        """What the chosen option is best in, and its training FLOPs relative to P = 1."""
        row, one = self.chosen, self.options[self.options["P"] == 1]
        least = f"least {COSTS.get(self.minimise, self.minimise)} of what meets the limits"
        if row is None or row["P"] == 1 or not np.isfinite(one["N"]).any():
            return least * (row is not None)
        told = np.isfinite(row["training_flops"])
        ratio = (row["training_flops"] if told else row["N"] * row["P"]) / one[
            "training_flops" if told else "N"
        ].iloc[0]
        equal = "" if told else " at equal tokens"
        return f"{least}; to train it takes {ratio:.2g} times the FLOPs of P = 1{equal}"


def advise(
    fit: Fit,
    *,
    loss: float | None = None,
    memory_bytes: float | None = None,
    latency_s: float | None = None,
    training_flops: float | None = None,
    workload: Workload | None = None,
    streams: Sequence[int] | None = None,
    minimise: str | None = None,
    level: float = 0.95,
    method: Method | None = None,
) -> Advice:
    """The run to train under a fitted law of N (with P, D or both) and the cost model.

    With `loss`, each P offers the cheapest run that reaches it: the smallest N, or under a law with D the N and D of
    least 6 N P D within the limits. Without `loss`, each P offers the lowest loss within the limits.

    Args:
        fit: of a law of N.
        loss: to reach, nats per token.
        memory_bytes: limit of memory at inference, bytes.
        latency_s: limit of latency at inference, seconds.
        training_flops: limit of 6 N P D.
        workload: batch, tokens, hardware and price.
        streams: the P to consider. By default powers of two up to the largest P of the runs.
        minimise: "latency_s", "memory_bytes" or "training_flops". The default is training_flops if the law has D or
            the workload its tokens, otherwise latency_s.
        level: of the intervals, between 0 and 1.
        method: of the intervals, as in `Fit.intervals`.

    Returns:
        An `Advice`. `options` has one row per P: N, P, D, the loss with its prediction interval (a forecast outside
        the runs), with `loss` the intervals of N, D and training_flops, the costs, meets, broken (the limits it
        breaks) and inside (the convex hull of the runs). `chosen` meets every limit and has the least `minimise`.

    Raises:
        ValueError: if neither a loss nor a limit is given, and for options that the law does not allow.
    """
    check_level(level)
    work = workload or Workload()
    limits = {"memory_bytes": memory_bytes, "latency_s": latency_s, "training_flops": training_flops}
    bounds = {name: float(value) for name, value in limits.items() if value is not None}
    if set(fit.law.axes) not in AXES:
        raise ValueError(
            f"{fit.form.__name__} is of {', '.join(fit.law.axes)}: advise takes laws of N, with P, D or both"
        )
    with_data = "D" in fit.law.axes
    minimise = minimise or ("training_flops" if with_data or work.D is not None else "latency_s")
    _check(loss, bounds, minimise, work, with_data)
    seen = fit.axes
    check_sizes(seen["N"], "the runs of the fit")
    candidates = sorted(streams or 2 ** np.arange(0, np.log2(seen.get("P", np.ones(1)).max()) + 1e-9))
    how = method or default_method(fit)
    paths = [_path(fit, float(P), bounds, work) for P in candidates]
    rows = [_option(path, loss, bounds, work) for path in paths]
    table = _with_intervals(pd.DataFrame(rows), paths, fit, how, loss, level)
    undecided = table["broken"].isin([EVERY, OPEN]).any()
    good = table[table["meets"] & (not undecided)]
    best = "loss" if loss is None else minimise
    pick = good[best].idxmin() if len(good) else None
    table["chosen"] = table.index == pick
    asked = bounds | ({} if loss is None else {"loss": float(loss)})
    return Advice(table.drop(columns="t"), asked, best, _reason(table, paths, loss, fit, how, level))


def _check(
    loss: float | None, bounds: dict[str, float], minimise: str, work: Workload, with_data: bool
) -> None:
    """Refuse a question without an answer."""
    if loss is None and not bounds:
        raise ValueError("nothing to aim at: give a loss, or a limit of memory, latency or training FLOPs")
    for name, value in {**bounds, **({} if loss is None else {"loss": loss})}.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}={value!r}. Give a positive number")
    if minimise not in COSTS:
        raise ValueError(f"minimise={minimise!r} is not known. Use one of {', '.join(COSTS)}")
    if with_data and loss is None and "training_flops" not in bounds:
        raise ValueError("a law of D needs a loss to reach, or training FLOPs to spend")
    if with_data and work.D is not None:
        raise ValueError(f"D={work.D:g}: the law has D, so that tokens are chosen. Leave it out.")
    if not with_data and work.D is None and ("training_flops" in bounds or minimise == "training_flops"):
        raise ValueError("a training budget needs the training tokens D")


def _path(fit: Fit, P: float, bounds: dict[str, float], work: Workload) -> RunPath:
    """The candidate runs of one P, under a law with D within the limits of memory and latency."""
    served = {name: limit for name, limit in bounds.items() if name != "training_flops"}
    limited = served and "D" in fit.law.axes
    largest = _largest(lambda n: work.costs(n, P), served) if limited else np.inf
    return RunPath(fit.law, P, np.nan if work.D is None else work.D, largest)


def _deciding(path: RunPath, loss: float | None, bounds: dict[str, float], work: Workload) -> float:
    """The run t that decides at one P: inf or nan where there is none."""
    if np.isnan(path.largest):
        return np.nan
    if loss is not None:
        return path.reaching(loss)
    return bounds["training_flops"] if path.with_data else _largest(lambda n: work.costs(n, path.P), bounds)


def _no_run(path: RunPath, N: float, loss: float | None) -> str:
    """Why a size that is none of those considered came out."""
    if N >= LARGEST:
        return OPEN if loss is None else f"no size up to {LARGEST:g} reaches the loss"
    return EVERY if loss is not None and not np.isnan(path.largest) else "no size is within the limits"


def _option(path: RunPath, loss: float | None, bounds: dict[str, float], work: Workload) -> dict[str, Any]:
    """The run that decides at one P, and its costs. `broken` says why where no run does."""
    t = _deciding(path, loss, bounds, work)
    N, D = (float(v[0]) for v in path.runs(np.array([t]))) if np.isfinite(t) else (t, np.nan)
    if not LEAST < N < LARGEST:
        nothing = dict.fromkeys(("t", "D", *COSTS, "gpu_hours", "price", "memory_gib"), np.nan)
        too_large = N if N >= LARGEST else np.nan
        out = _no_run(path, N, loss)
        return {"P": path.P, "N": too_large, **nothing, "meets": False, "broken": out}
    costs = work.costs(N, path.P, D)
    broken = [name for name, limit in bounds.items() if costs[name] > limit * (1 + 1e-6)]
    row = {"t": t, "P": path.P, "N": N, "D": D, **costs, "memory_gib": costs["memory_bytes"] / GIB}
    return row | {"meets": not broken, "broken": ", ".join(broken)}


def _with_intervals(
    table: pd.DataFrame, paths: Sequence[RunPath], fit: Fit, how: Method, loss: float | None, level: float
) -> pd.DataFrame:
    """Predicted loss with the prediction interval and, if a loss was asked for, the interval of the run.

    A run belongs to that interval if its prediction interval contains the loss asked for.
    """
    columns = [
        "loss",
        "loss_lower",
        "loss_upper",
        *(f"{name}_{end}" for name in ENDS for end in ("lower", "upper")),
    ]
    table[columns], table["inside"] = np.nan, False
    for row in table.index[table["t"].notna()]:
        path, t = paths[row], float(table["t"].to_numpy()[row])
        around = t * np.geomspace(1 / AROUND, AROUND, LOOKS) ** (
            2 if path.with_data else 1
        )  # the middle one is t
        line = fit.predict(**path.axes(around), level=level, method=how)
        middle = line.iloc[LOOKS // 2]
        table.loc[row, columns[:3]] = middle[["loss", "new_lower", "new_upper"]].to_numpy(float)
        table.loc[row, "inside"] = bool(middle["inside"])
        if loss is not None:
            ends = _runs_that_may_reach(loss, around, line)
            table.loc[row, columns[3:]] = np.ravel([_ends(path, ends)[name] for name in ENDS])
    return table


def _ends(path: RunPath, t: tuple[float, float]) -> dict[str, tuple[float, float]]:
    """The interval of N, D and training FLOPs between two runs of a path. 0 and inf where it is open."""
    runs = [
        [float(v[0]) for v in path.runs(np.array([end]))]
        if 0 < end < np.inf
        else [end, end if path.with_data else path.D]
        for end in t
    ]
    (low_N, low_D), (high_N, high_D) = runs
    flops = t if path.with_data else (6 * path.P * path.D * low_N, 6 * path.P * path.D * high_N)
    return {"N": (low_N, high_N), "D": (low_D, high_D), "training_flops": (float(flops[0]), float(flops[1]))}


def _runs_that_may_reach(loss: float, t: Any, line: pd.DataFrame) -> tuple[float, float]:
    """The first and the last run t whose interval holds a loss. Open (0 or inf) at the ends of the path."""
    log_t, lower, upper = np.log(t), *(line[c].to_numpy() for c in ("new_lower", "new_upper"))
    if np.isnan(lower).any() or np.isnan(upper).any():
        return np.nan, np.nan

    def passed(bound: Any, i: int) -> float:  # between runs i and i + 1
        return float(np.exp(np.interp(-loss, -bound[[i, i + 1]], log_t[[i, i + 1]])))

    low, high = np.flatnonzero(lower <= loss), np.flatnonzero(upper >= loss)
    first = passed(lower, low[0] - 1) if low.size and low[0] > 0 else 0.0
    last = passed(upper, high[-1]) if high.size and high[-1] < LOOKS - 1 else np.inf
    return first, last


def _largest(costs: Callable[[float], dict[str, float]], bounds: dict[str, float]) -> float:
    """The largest N whose costs are within the bounds, by bisection on log N. nan if none is, inf if LARGEST is."""

    def fits(log_N: float) -> bool:
        found = costs(float(np.exp(log_N)))
        return all(found[name] <= limit for name, limit in bounds.items())

    low, high = np.log(SMALLEST), np.log(LARGEST)
    if not fits(low):
        return float("nan")
    if fits(high):
        return float("inf")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return float(np.exp(low))


def _reason(
    table: pd.DataFrame, paths: Sequence[RunPath], loss: float | None, fit: Fit, how: Method, level: float
) -> str:
    """What was chosen or why nothing was, in a sentence."""
    chosen = table[table["chosen"]]
    if len(chosen):
        row = chosen.iloc[0]
        tokens = f", D = {row['D']:.3g}" if paths[0].with_data else ""
        warning = "" if row["inside"] else "; it lies outside the runs the law was fitted to"
        doubt = "" if fit.status == "converged" else f"; the fit is in doubt: {fit.status}"
        return f"N = {row['N']:.3g}, P = {row['P']:g}{tokens}{warning}{doubt}"
    if loss is not None and table["N"].isin([np.inf]).all():
        floor, P = paths[-1].floor(), f" at P = {paths[-1].P:g}"  # an additive law's floor falls with P
        told = (
            f"the law's floor is {floor:.4g}{_floor_ends(fit, floor, how, level)}{P * ('P' in fit.law.axes)}"
        )
        return f"no run reaches loss {loss:g}: {told}"
    for decides_nothing in (EVERY, OPEN):
        at = ", ".join(f"{P:g}" for P in table.loc[table["broken"] == decides_nothing, "P"])
        if at and decides_nothing == EVERY:
            return (
                f"every size reaches loss {loss:g} at P = {at}, N = {LEAST:g} included: ask for a lower loss"
            )
        if at:
            return f"the limits leave N open at P = {at}: {LARGEST:g}, the largest considered, is within. Tighten one"
    broken = "; ".join(f"P = {row.P:g}: {row.broken}" for row in table.itertuples())
    return f"nothing meets every limit ({broken}): loosen one"


def _floor_ends(fit: Fit, floor: float, how: Method, level: float) -> str:
    """The interval of the irreducible loss in words, if it is the parameter E."""
    if "E" not in fit.form.free() or not np.isclose(floor, float(getattr(fit.law, "E")), rtol=1e-9):  # noqa: B009
        return ""
    row = how.parameters(fit, level).loc["E"]
    return f" ({row['lower']:.4g} to {row['upper']:.4g})" if np.isfinite(row["upper"]) else ""


def candidate_costs(
    fit: Fit, advice: Advice, workload: Workload | None = None, points: int = 40
) -> pd.DataFrame:
    """Loss and cost of `points` sizes at every P of the advice, for `analysis.figures.draw_frontier`.

    fit, workload: those that `advise` was given. Columns: N, P, loss and the ends of its interval (of the
    chosen option alone), latency_s, memory_bytes, memory_gib, training_flops, meets, chosen.
    """
    work = workload or Workload()
    known = advice.options[np.isfinite(advice.options["N"])]
    ends = np.concatenate([fit.axes["N"], known["N"]])
    rows = []
    for P, D in zip(advice.options["P"], advice.options["D"].fillna(advice.options["D"].max()), strict=True):
        for N in np.geomspace(ends.min() / 1.5, ends.max() * 1.5, points):
            costs = work.costs(float(N), float(P), float(D))
            within = all(costs[name] <= limit for name, limit in advice.limits.items() if name in costs)
            axes = {a: x for a, x in (("N", N), ("P", P), ("D", D)) if a in fit.law.axes}
            loss = float(fit.law.predict(**axes))
            meets = within and loss <= advice.limits.get("loss", np.inf)
            rows.append({"N": N, "P": P, "D": D, "loss": loss, **costs, "meets": meets, "chosen": False})
    grid = pd.DataFrame(rows).assign(loss_lower=np.nan, loss_upper=np.nan)
    grid["memory_gib"] = grid["memory_bytes"] / GIB
    shown = known[known["chosen"]]
    return pd.concat([grid, shown[list(grid.columns)]], ignore_index=True) if len(shown) else grid
