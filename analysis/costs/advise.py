"""Which (N, P) to build: the cheapest that reaches a loss, or the best that a budget buys.

Under one P the loss falls and every cost rises with N, so one size decides: the smallest that reaches
the loss, or the largest within the limits. What remains is a choice among streams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.costs.hardware import A100, Hardware
from analysis.costs.shapes import shape_of
from analysis.inference_cost import GIB, estimate
from scaling import Fit
from scaling.accounting import training_flops as count_flops
from scaling.data.columns.column_units import check_sizes
from scaling.uncertainty.interval_methods import Method, check_level
from scaling.uncertainty.prediction import default_method

COSTS = {"latency_s": "latency", "memory_bytes": "memory", "training_flops": "training FLOPs"}
SMALLEST, LARGEST = 1e6, 1e13  # sizes looked at when a budget decides N
AROUND, LOOKS = 1e3, 61  # the interval of N is looked for so many times up and down, at so many sizes


@dataclass(frozen=True)
class Workload:
    """What is to be served, on what, and how it is trained."""

    batch: int = 1
    input_tokens: int = 512
    output_tokens: int = 512
    hardware: Hardware = A100
    dtype: str = "bf16"
    D: float | None = None  # training tokens, for training_flops
    seq_len: int = 2048

    def costs(self, N: float, P: float) -> dict[str, float]:
        """Latency, memory and training FLOPs (nan without D) of a model of the paper's family."""
        shape = shape_of(N, P=P)
        cost = estimate(
            width=shape.width,
            ffn=shape.ffn,
            P=P,
            batch=self.batch,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            hardware=self.hardware,
            dtype=self.dtype,
        )
        flops = np.nan
        if self.D is not None:
            # Counted on the nearest whole shape, brought to the size asked for.
            whole = shape.accounting(round(P))
            flops = count_flops(whole, self.D, self.seq_len) * N / whole.N
        return {
            "latency_s": float(cost.latency_s),
            "memory_bytes": float(cost.memory_bytes),
            "training_flops": float(flops),
        }


@dataclass(frozen=True)
class Advice:
    """One option a P, the chosen one marked, and why none is where none is."""

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
        """What the chosen option is best in, and its training FLOPs, which go as N P at equal tokens."""
        row, one = self.chosen, self.options.loc[self.options["P"] == 1, "N"]
        least = f"least {COSTS.get(self.minimise, self.minimise)} of what meets the limits"
        if row is None or row["P"] == 1 or not np.isfinite(one).any():
            return least * (row is not None)
        ratio = row["N"] * row["P"] / one.iloc[0]
        return f"{least}; to train it takes {ratio:.2g} times the FLOPs of P = 1 at equal tokens"


def advise(
    fit: Fit,
    *,
    loss: float | None = None,
    memory_bytes: float | None = None,
    latency_s: float | None = None,
    training_flops: float | None = None,
    workload: Workload | None = None,
    streams: Sequence[int] | None = None,
    minimise: str = "latency_s",
    level: float = 0.95,
    method: Method | None = None,
) -> Advice:
    """The (N, P) to build under a fitted law and the cost model.

    With `loss`: for each P the smallest N that reaches it; of those within the other limits the one
    with the least `minimise` (latency_s, memory_bytes or training_flops). Without: for each P the
    largest N within the limits; of those the one with the lowest loss. streams: powers of two up to
    the largest P of the runs unless told. Options have N, its interval where the loss decides it,
    P, loss with its prediction interval (a forecast outside the runs), the costs, meets, broken (the limits
    it breaks), inside (the runs' hull).
    """
    check_level(level)
    work = workload or Workload()
    limits = {"memory_bytes": memory_bytes, "latency_s": latency_s, "training_flops": training_flops}
    bounds = {name: float(value) for name, value in limits.items() if value is not None}
    _check(loss, bounds, minimise, work)
    if set(fit.law.axes) != {"N", "P"}:
        raise ValueError(f"{fit.form.__name__} is no law of N and P: it says nothing of streams")
    seen = fit.axes
    check_sizes(seen["N"], "the runs of the fit")
    candidates = sorted(streams or 2 ** np.arange(0, np.log2(seen["P"].max()) + 1e-9))
    how = method or default_method(fit)
    rows = [_option(fit, float(P), loss, bounds, work) for P in candidates]
    table = _with_intervals(pd.DataFrame(rows), fit, how, loss, level)
    good = table[table["meets"]]
    best = "loss" if loss is None else minimise
    pick = good[best].idxmin() if len(good) else None
    table["chosen"] = table.index == pick
    asked = bounds | ({} if loss is None else {"loss": float(loss)})
    return Advice(table, asked, best, _reason(table, loss, fit))


def _check(loss: float | None, bounds: dict[str, float], minimise: str, work: Workload) -> None:
    """Refuse a question without an answer."""
    if loss is None and not bounds:
        raise ValueError("nothing to aim at: give a loss, or a limit of memory, latency or training FLOPs")
    for name, value in {**bounds, **({} if loss is None else {"loss": loss})}.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}={value!r}; give a positive number")
    if minimise not in COSTS:
        raise ValueError(f"minimise={minimise!r} is not known; use one of {', '.join(COSTS)}")
    if work.D is None and ("training_flops" in bounds or minimise == "training_flops"):
        raise ValueError("a training budget needs the training tokens D")


def _option(
    fit: Fit, P: float, loss: float | None, bounds: dict[str, float], work: Workload
) -> dict[str, Any]:
    """The size that decides at one P, and its costs."""
    by_budget = loss is None
    N = _largest(lambda n: work.costs(n, P), bounds) if by_budget else float(fit.law.inverse(loss, P=P))
    if not (np.isfinite(N) and SMALLEST / 1e3 < N < LARGEST):
        out = "no size is within the limits" if by_budget else "no size reaches the loss"
        nothing = dict.fromkeys((*COSTS, "memory_gib"), np.nan)
        return {"P": P, "N": N, **nothing, "meets": False, "broken": out}
    costs = work.costs(N, P)
    broken = [name for name, limit in bounds.items() if costs[name] > limit * (1 + 1e-9)]
    row = {"P": P, "N": N, **costs, "memory_gib": costs["memory_bytes"] / GIB}
    return row | {"meets": not broken, "broken": ", ".join(broken)}


def _with_intervals(
    table: pd.DataFrame, fit: Fit, how: Method, loss: float | None, level: float
) -> pd.DataFrame:
    """Predicted loss with the interval of a new run, and where the loss decides N the sizes at which that ends.

    A size belongs to N's interval as long as the loss asked for belongs to the prediction interval there.
    """
    columns = ["loss", "loss_lower", "loss_upper", "N_lower", "N_upper"]
    table[columns], table["inside"] = np.nan, False
    known = table[table["N"].between(SMALLEST / 1e3, LARGEST)]
    if not len(known):
        return table
    N = known["N"].to_numpy()[:, None] * np.geomspace(1 / AROUND, AROUND, LOOKS)  # the middle one is N
    P = np.broadcast_to(known["P"].to_numpy()[:, None], N.shape)
    seen = fit.predict(N=N.ravel(), P=P.ravel(), level=level, method=how)
    for i, row in enumerate(known.index):
        line = seen.iloc[LOOKS * i : LOOKS * (i + 1)]
        middle = line.iloc[LOOKS // 2]
        table.loc[row, columns[:3]] = middle[["loss", "new_lower", "new_upper"]].to_numpy(float)
        table.loc[row, "inside"] = bool(middle["inside"])
        if loss is not None:
            table.loc[row, columns[3:]] = _sizes_that_may_reach(loss, line)
    return table


def _sizes_that_may_reach(loss: float, line: pd.DataFrame) -> tuple[float, float]:
    """The first and the last size whose interval holds a loss; open (0 or inf) at the ends of what is looked at."""
    log_N, lower, upper = (
        np.log(line["N"].to_numpy()),
        *(line[c].to_numpy() for c in ("new_lower", "new_upper")),
    )
    if np.isnan(lower).any() or np.isnan(upper).any():
        return np.nan, np.nan

    def passed(bound: Any, i: int) -> float:  # between sizes i and i + 1
        return float(np.exp(np.interp(-loss, -bound[[i, i + 1]], log_N[[i, i + 1]])))

    low, high = np.flatnonzero(lower <= loss), np.flatnonzero(upper >= loss)
    first = passed(lower, low[0] - 1) if low.size and low[0] > 0 else 0.0
    last = passed(upper, high[-1]) if high.size and high[-1] < LOOKS - 1 else np.inf
    return first, last


def _largest(costs: Callable[[float], dict[str, float]], bounds: dict[str, float]) -> float:
    """The largest N whose costs are within the bounds, by bisection on log N; nan where none is."""

    def fits(log_N: float) -> bool:
        found = costs(float(np.exp(log_N)))
        return all(found[name] <= limit for name, limit in bounds.items())

    low, high = np.log(SMALLEST), np.log(LARGEST)
    if not fits(low):
        return float("nan")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return float(np.exp(low))


def _reason(table: pd.DataFrame, loss: float | None, fit: Fit) -> str:
    """What was chosen or why nothing was, in a sentence."""
    chosen = table[table["chosen"]]
    if len(chosen):
        row = chosen.iloc[0]
        warning = "" if row["inside"] else "; it lies outside the runs the law was fitted to"
        doubt = "" if fit.status == "converged" else f"; the fit is in doubt: {fit.status}"
        return f"N = {row['N']:.3g}, P = {row['P']:g}{warning}{doubt}"
    if loss is not None and table["N"].isin([np.inf]).all():
        P = float(table["P"].max())  # an additive law's floor falls with P
        floor = float(fit.law.limit("N", P=P))
        return f"no size reaches loss {loss:g}: the law's floor is {floor:.4g} at P = {P:g}"
    broken = "; ".join(f"P = {row.P:g}: {row.broken}" for row in table.itertuples())
    return f"nothing meets every limit ({broken}): loosen one"


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
    for P in advice.options["P"]:
        for N in np.geomspace(ends.min() / 1.5, ends.max() * 1.5, points):
            costs = work.costs(float(N), float(P))
            within = all(costs[name] <= limit for name, limit in advice.limits.items() if name in costs)
            loss = float(fit.law.predict(N=N, P=P))
            meets = within and loss <= advice.limits.get("loss", np.inf)
            rows.append({"N": N, "P": P, "loss": loss, **costs, "meets": meets, "chosen": False})
    grid = pd.DataFrame(rows).assign(loss_lower=np.nan, loss_upper=np.nan)
    grid["memory_gib"] = grid["memory_bytes"] / GIB
    shown = known[known["chosen"]]
    return pd.concat([grid, shown[list(grid.columns)]], ignore_index=True) if len(shown) else grid
