"""What the curves and losses of recipes come to: P against one stream, and P chosen on one backbone."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.sweep import sweep_folder, training_gap
from analysis.sweep.results import SweepResults

TUNED = ("continual", "peft")  # recipes that start from one given backbone
BACKBONE = ("own", "backbone", "over_backbone_se")  # columns that `parscale streams` measures


def panelled(sweep: SweepResults) -> pd.DataFrame:
    """The curves, small sizes first; `panel` is what sets panels apart, size and corpus where they vary."""
    assert sweep.curves is not None
    curves = sweep.curves.sort_values("N", kind="stable") if "N" in sweep.curves else sweep.curves
    if several := _told_apart(curves):
        runs = curves.drop_duplicates("run_id").set_index("run_id")[several]
        return curves.assign(panel=curves["run_id"].map(runs.astype(str).agg(", ".join, axis=1)))
    return curves.assign(panel=_only(sweep.runs, "recipe"))


def _told_apart(curves: pd.DataFrame) -> list[str]:
    """The columns whose values have panels of their own."""
    return [c for c in ("size", "corpus") if c in curves and len(curves[c].unique()) > 1]


def without_curves(sweep: SweepResults) -> dict[str, str]:
    """For each panel that lacks finished runs, whose curves are not in the folder, their P in words."""
    assert sweep.curves is not None
    lost = sweep_folder.runs_without_curves(sweep.runs, sweep.curves)
    several = _told_apart(sweep.curves)
    if not len(lost):
        return {}
    panel = lost[several].astype(str).agg(", ".join, axis=1) if several else _only(sweep.runs, "recipe")
    seed = ", seed " + lost["seed"].astype(str) if "seed" in lost else ""
    words = "no curve of $P = " + lost["P"].map("{:g}".format) + "$" + seed
    found = words.groupby(panel if several else pd.Series(panel, lost.index)).agg("; ".join)
    return {str(name): text for name, text in found.items()}


def _only(runs: pd.DataFrame, column: str) -> str:
    """The one value of a column, or nothing."""
    found: Any = runs[column].dropna().unique() if column in runs else []
    return str(found[0]) if len(found) == 1 else ""


def evaluated(sweep: SweepResults) -> bool:
    """Whether some run was evaluated before its end."""
    curves = sweep.curves
    if curves is None or "val_loss" not in curves:
        return False
    return bool(curves["val_loss"].notna().groupby(curves["run_id"], observed=True).sum().max() > 1)


def staged(sweep: SweepResults) -> list[str]:
    """The panels whose tokens are counted from where stage 2 begins."""
    if sweep.curves is None:
        return []
    curves = panelled(sweep)
    return [str(name) for name in curves.loc[curves["begin"] > 0, "panel"].unique()]


def ended_well(curves: pd.DataFrame) -> pd.Series[bool]:
    """Which points belong to runs that did not diverge."""
    return curves["status"] == "ok" if "status" in curves else curves["tokens"].notna()


def gaps_to_one_stream(sweep: SweepResults) -> pd.DataFrame:
    """`training_gap.gaps` of every panel, tokens of stage 2 where there are stages. Empty where nothing pairs."""
    if sweep.curves is None:
        return pd.DataFrame()
    curves = panelled(sweep)
    curves = curves.assign(tokens=curves["tokens"] - curves["begin"])
    found = training_gap.gaps(curves[(curves["tokens"] > 0) & ended_well(curves)], "train_loss", ["panel"])
    order = {name: place for place, name in enumerate(curves["panel"].unique())}  # small sizes first
    return found.sort_values("panel", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def crossings(sweep: SweepResults) -> pd.DataFrame:
    """Where each P passes P = 1, and the gap at the end with half its 95% interval, for reading."""
    found = training_gap.passing(gaps_to_one_stream(sweep), ["panel"])
    table = found.rename(columns={"when": "ahead of P = 1", "panel": "runs"})
    return table[["runs", "P", "ahead of P = 1", "gap", "noise"]]


def loss_by_P(sweep: SweepResults) -> tuple[pd.DataFrame, dict[str, str], bool]:
    """Validation loss by P of each tuned backbone: table, {column: its words}, whether P = 1 is measured.

    Where `parscale streams` has read a text with a frozen backbone and its streams, those losses are
    taken, and the bars are of the difference from P = 1; else the runs' own. A column "COLUMN bar" holds
    half of a 95% interval.
    """
    runs = sweep.runs[sweep.runs["recipe"].isin(TUNED)] if "recipe" in sweep.runs else sweep.runs.iloc[:0]
    measured = _measured(sweep)
    parts: list[Any] = []
    words = {}
    for (corpus, size), rows in _backbones(runs):
        known = measured[measured["run_id"].isin(rows["run_id"])] if len(measured) else measured
        table = _frozen(known) if len(known) else _as_run(rows)
        if len(table) > 1:
            name = f"{size}, {corpus}".strip(", ")
            words[name] = f"{size}, {corpus}: {' and '.join(rows['recipe'].unique())}"
            parts.append(table.set_index("P").rename(columns={"loss": name, "bar": f"{name} bar"}))
    whole = pd.concat(parts, axis=1).sort_index() if parts else pd.DataFrame(columns=["P"]).set_index("P")
    return whole.rename_axis("P").reset_index(), words, bool(len(measured))


def _backbones(runs: pd.DataFrame) -> Any:
    """Finished runs of each corpus and backbone."""
    good = runs[(runs["status"] == "ok") & runs["loss"].notna()] if "status" in runs else runs
    if not {"corpus", "size", "run_id"} <= set(good):
        return []
    return list(good.groupby(["corpus", "size"], sort=False))


def _measured(sweep: SweepResults) -> pd.DataFrame:
    """One row for each run whose frozen backbone was read with its streams."""
    streams = sweep.streams
    if streams is None or not set(BACKBONE) <= set(streams):
        return pd.DataFrame(columns=["run_id", *BACKBONE])
    return streams[streams["backbone"].notna()].drop_duplicates("run_id")


def gains_over_backbone(sweep: SweepResults) -> pd.DataFrame:
    """What each P gains over its frozen backbone, and averaging over one stream. Empty where not measured."""
    rows = _measured(sweep)
    if not len(rows) or sweep.streams is None:
        return pd.DataFrame()
    whole = sweep.streams[sweep.streams["m"] == sweep.streams["P"]].set_index("run_id").loc[rows["run_id"]]
    gains = {"over P = 1": "over_backbone", "by averaging": "gain"}
    table = whole[["size", "P", *gains.values()]].assign(
        **{f"{name} noise": 1.96 * whole[f"{column}_se"] for name, column in gains.items()}
    )
    table = table.rename(columns={column: name for name, column in gains.items()})
    return table[["size", "P", *(c for name in gains for c in (name, f"{name} noise"))]].reset_index(
        drop=True
    )


def _frozen(known: pd.DataFrame) -> pd.DataFrame:
    """The backbone alone, then each P."""
    by_P = known.groupby("P").agg(loss=("own", "mean"), bar=("over_backbone_se", "mean")).reset_index()
    alone = pd.DataFrame({"P": [1], "loss": [known["backbone"].mean()], "bar": [0.0]})
    return pd.concat([alone, by_P.assign(bar=1.96 * by_P["bar"])], ignore_index=True)


def _as_run(rows: pd.DataFrame) -> pd.DataFrame:
    """The runs' validation losses."""
    return (
        rows.assign(bar=1.96 * rows.get("loss_se", 0.0)).groupby("P", as_index=False)[["loss", "bar"]].mean()
    )
