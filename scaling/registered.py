"""Registered forecasts: written down before the runs are made, scored once they are there."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling.data import arrays
from scaling.files import replacing
from scaling.forecast_result import Forecast
from scaling.law import Law
from scaling.laws import REGISTRY

FORMAT = 1
KIND = "parscale forecast"
NEAR = 0.02  # relative difference of an axis within which a run is the one that was forecast


def to_json(made: Forecast) -> dict[str, Any]:
    """The forecast as plain values with a checksum over them."""
    body = {
        "kind": KIND,
        "format": FORMAT,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "level": made.level,
        "points": {axis: column.tolist() for axis, column in made.points.items()},
        "loss": made.loss.tolist(),
        "lower": made.lower.tolist(),
        "upper": made.upper.tolist(),
        "beyond": made.beyond.tolist(),
        "outside": made.outside.tolist(),
        "along": made.along.tolist(),
        "parts": {name: column.tolist() for name, column in made.parts.items()},
        "drift": {"axis": made.drift.index.tolist(), **{k: _words(v) for k, v in made.drift.items()}},
        "weights": made.weights.to_dict(),
        "laws": {name: _law(law) for name, law in made.laws.items()},
        "rows": made.rows,
        "notes": list(made.notes),
        "data_hash": made.data_hash,
        "versions": _versions(),
    }
    return body | {"checksum": _checksum(body)}


def _words(column: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else float(value) for value in column]


def _law(law: Law) -> dict[str, Any]:
    return {"fixed": dict(law.fixed), "parameters": {n: float(getattr(law, n)) for n in law.names()}}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("parscale", "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def save(made: Forecast, path: Any) -> None:
    """Write the JSON; a reader never sees half a file."""
    with replacing(Path(path)) as partial:
        partial.write_text(json.dumps(to_json(made), indent=1, allow_nan=False) + "\n")


def load(path: Any) -> Forecast:
    """Read a registered forecast; FileNotFoundError or ValueError names what is wrong with the file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file. Write a forecast with Forecast.save.")
    try:
        body = json.loads(Path(path).read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a forecast ({error}). Write one with Forecast.save.") from None
    if not isinstance(body, dict) or body.get("kind") != KIND:
        raise ValueError(f"{path}: not a forecast. Write one with Forecast.save.")
    if body.get("format") != FORMAT:
        raise ValueError(f"{path}: format {body.get('format')}, this version reads {FORMAT}. Forecast again.")
    if body.pop("checksum", None) != _checksum(body):
        raise ValueError(
            f"{path}: changed since it was written, its checksum differs. Use the original file."
        )
    return _rebuilt(body)


def _rebuilt(body: dict[str, Any]) -> Forecast:
    points = pd.DataFrame(body["points"])
    names = ("loss", "lower", "upper", "beyond", "outside", "along")
    series = {name: pd.Series(body[name], name=name) for name in names}
    drift = pd.DataFrame(body["drift"]).set_index("axis").astype(float)
    drift["windows"] = drift["windows"].astype(int)
    classes = {law.__name__: law for law in REGISTRY.values()}
    laws = {name: classes[name](**one["parameters"]) for name, one in body["laws"].items() if name in classes}
    return Forecast(
        points, series["loss"], series["lower"], series["upper"], body["level"], series["beyond"],
        series["outside"], series["along"], pd.DataFrame(body["parts"]), drift,
        pd.Series(body["weights"], name="weight"),
        laws, body["rows"], tuple(body["notes"]), body["data_hash"],
    )  # fmt: skip


@dataclass(frozen=True)
class Score:
    """How a forecast did: `table` one row a run, `coverage`, mean interval score, `widening`, `verdict`."""

    table: pd.DataFrame
    coverage: float
    score: float
    widening: float  # factor on both half-widths with which the share promised would just have been inside
    verdict: str

    def __repr__(self) -> str:
        return f"{self.table.to_string()}\n\n{self.verdict}"

    def _repr_html_(self) -> str:
        return f"{self.table.to_html()}<p>{self.verdict}</p>"


def interval_score(lower: Any, upper: Any, observed: Any, level: float) -> Any:
    """Width plus 2 / (1 - level) times the distance of a miss; lower is better (Gneiting & Raftery 2007)."""
    miss = np.maximum(lower - observed, 0) + np.maximum(observed - upper, 0)
    return upper - lower + 2 / (1 - level) * miss


def score(made: Forecast, runs: Any) -> Score:
    """Score a forecast against `runs` made since, those within 2% of a point on every axis.

    Several runs at a point are scored each. Columns of the table: the axes, loss (forecast), lower, upper,
    observed, inside, score (interval score, nats) and needed (distance of the observation from the
    forecast in half-widths of its side: above 1 is outside). Raises ValueError where no run was forecast.
    """
    axes = tuple(map(str, made.points))
    data, _ = arrays(runs, axes)
    rows = []
    for i, point in enumerate(made.points[list(axes)].to_numpy()):
        same = np.all([np.abs(data[a] / at - 1) <= NEAR for a, at in zip(axes, point, strict=True)], axis=0)
        ends = {"loss": made.loss.iloc[i], "lower": made.lower.iloc[i], "upper": made.upper.iloc[i]}
        rows += [{**dict(zip(axes, point, strict=True)), **ends, "observed": y} for y in data["loss"][same]]
    if not rows:
        first = ", ".join(f"{a}={made.points[a].iloc[0]:g}" for a in axes)
        raise ValueError(
            f"No run lies at a forecast point, such as {first}. Give the table that holds the new runs."
        )
    return _scored(pd.DataFrame(rows), made.level)


def _scored(table: pd.DataFrame, level: float) -> Score:
    table["inside"] = (table.lower <= table.observed) & (table.observed <= table.upper)
    table["score"] = interval_score(table.lower, table.upper, table.observed, level)
    half = np.where(table.observed > table.loss, table.upper - table.loss, table.loss - table.lower)
    table["needed"] = np.abs(table.observed - table.loss) / half
    needed = np.sort(table.needed.to_numpy())
    widening = float(needed[min(int(np.ceil(level * needed.size)), needed.size) - 1])
    coverage = float(table.inside.mean())
    return Score(table, coverage, float(table.score.mean()), widening, _verdict(table, level, widening))


def _verdict(table: pd.DataFrame, level: float, widening: float) -> str:
    inside, n = int(table.inside.sum()), len(table)
    held = f"{inside} of {n} runs lie inside the {100 * level:g}% interval"
    first = f"{held}, mean interval score {table.score.mean():.4g}."
    change = "wider" if widening > 1 else "narrower"
    second = f"An interval {widening:.2f}x as wide would just have held {100 * level:g}% of them ({change})."
    few = " With fewer than 20 runs this says little of the level." if n < 20 else ""
    return f"{first} {second}{few}"
