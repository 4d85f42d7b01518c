"""What the runs of a sweep will end at, from their curves so far: for `parscale status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from scaling.curves.final_forecast import FinalForecasts

POINT = (
    "corpus",
    "tokenizer",
    "vocab",
    "recipe",
    "size",
    "P",
    "r",
    "seed",
)  # runs of one point are rivals in a search


def final_losses(folder: Path, states: pd.DataFrame) -> FinalForecasts | None:
    """The forecast of every run in training. None if no run is in training or none has a curve yet.

    states: the table of `parscale status`. Runs that differ only in what the sweep searches compete.
    """
    import pandas as pd

    from scaling.curves.final_forecast import forecast_finals
    from scaling.curves.schedule import Schedule
    from sweeps.config.learning_rate import planned_rates
    from sweeps.store.curve_files import curves_so_far
    from sweeps.store.store import Store

    going = states[~states["state"].isin(["done", "diverged", "pending", "failed", "stopped"])]
    curves = curves_so_far(folder) if len(going) else pd.DataFrame()
    if curves.empty or not set(curves["run_id"]) & set(going["run_id"]):
        return None
    of = states.set_index("run_id")
    configs = Store(folder).configs()
    asked = [run for run in of.index if run in set(curves["run_id"]) and of.loc[run, "state"] != "diverged"]
    planned = {run: Schedule.of(*planned_rates(configs[run])) for run in asked}
    finals = {run: float(of.loc[run, "loss"]) for run in asked if of.loc[run, "state"] == "done"}
    names = [name for name in POINT if name in of]
    rivals = {run: tuple(of.loc[run, names]) for run in asked}
    some = curves[curves["run_id"].isin(asked)]
    return forecast_finals(some, planned, finals=finals, rivals=rivals, run="run_id", loss="train_loss")


def forecast_lines(found: FinalForecasts, states: pd.DataFrame) -> list[str]:
    """One line per run in training, and which of them cannot win a search."""
    of: dict[Any, dict[Any, Any]] = states.set_index("run_id").to_dict("index")
    searched = list(states.attrs.get("searched", ()))
    out = []
    for run, row in found.table[found.table["state"] == "running"].iterrows():
        label = _label(of[str(run)], searched)
        if row["final"] != row["final"]:
            out.append(f"{label}: {row['note']}")
            continue
        ends = f"{row['final']:.3f} ({row['lower']:.3f} to {row['upper']:.3f})"
        out.append(f"{label}, {row['share']:.0%}: final {row['of']} loss {ends}")
    losers = found.cannot_win() if searched else []
    if losers:
        out.append(f"cannot win (chance below 2%): {'; '.join(_label(of[run], searched) for run in losers)}")
    return out


def _label(run: dict[Any, Any], searched: list[str]) -> str:
    at = "".join(
        f" {name} {run[name]:g}" if isinstance(run[name], float) else f" {name} {run[name]}"
        for name in searched
    )
    return f"{run['size']} P={run['P']} {run['corpus']} seed {run['seed']}{at}"
