"""A forecast as a value, and for people: one plain sentence, text for terminals, HTML for Jupyter."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from scaling.data.atomic_files import replacing
from scaling.data.units import value_text
from scaling.fitting.save import body_checksum, descendants, fitted_with
from scaling.fitting.summary import number_text
from scaling.laws import Law
from scaling.laws.arm_form import from_layers, layers_of
from scaling.terminal_text import fold, table, width

COMPUTE = {"C": "compute"}

FORMAT = 1
KIND = "parscale forecast"


@dataclass(frozen=True, eq=False)
class Forecast:
    """The forecast at K points: `table` holds all of it, `sentence` says it in words."""

    points: pd.DataFrame  # the axes as asked, K rows, categories by name
    loss: pd.Series  # median of the forecast, nats per token
    lower: pd.Series
    upper: pd.Series
    level: float
    beyond: pd.Series  # factor by which a point lies outside the runs, the largest of its axes. 1 within
    outside: pd.Series  # that axis, or C (compute) if it alone is beyond. Empty within
    along: pd.Series  # the axis that widens: where the laws predict the largest change beyond the runs
    parts: (
        pd.DataFrame
    )  # shares of the variance: run noise, parameters, size effects, which law, the law's form
    drift: pd.DataFrame  # index axis. windows, share, kappa: found in windows inside the runs
    weights: pd.Series  # of each law, best first
    laws: dict[str, Law]  # as fitted
    rows: int  # usable runs
    notes: tuple[str, ...] = ()
    data_hash: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """One row a point: the axes, loss, lower, upper, beyond, outside and the shares of the parts."""
        found = {"loss": self.loss, "lower": self.lower, "upper": self.upper}
        return self.points.assign(**found, beyond=self.beyond, outside=self.outside).join(self.parts)

    @property
    def sentence(self) -> str:
        """The forecast in words, of the point that lies furthest out."""
        return sentence(self)

    def save(self, path: Any) -> None:
        """Register the forecast: write it to `path` as JSON with the data's hash, versions and the date."""
        with replacing(Path(path)) as partial:
            partial.write_text(json.dumps(forecast_json(self), indent=1, allow_nan=False) + "\n")

    @staticmethod
    def load(path: Any) -> Forecast:
        """Read a registered forecast. Raises ValueError for another file or one changed since."""
        return read_forecast(path)

    def __repr__(self) -> str:
        return forecast_text(self)

    def _repr_html_(self) -> str:
        return forecast_html(self)


def sentence(made: Forecast) -> str:
    """What is forecast at the point furthest out, how far that is, and what the width comes from."""
    at = int(made.beyond.to_numpy().argmax())
    point, more = made.points.iloc[at], len(made.points) - 1
    where = ", ".join(f"{axis} = {value_text(str(axis), value)}" for axis, value in point.items())
    ends = f"{number_text(made.lower.iloc[at])} to {number_text(made.upper.iloc[at])}"
    words = [
        f"At {where} the loss is forecast to be {number_text(made.loss.iloc[at])} "
        f"({100 * made.level:g}% prediction interval {ends}).",
        _distance(made, at),
        _largest(made, at),
        _windows(made, at),
        f"It is the furthest of {more + 1} points." if more else "",
    ]
    return " ".join(word for word in words if word)


def _distance(made: Forecast, at: int) -> str:
    axis, factor = made.outside.iloc[at], made.beyond.iloc[at]
    if not axis:
        return "The point lies within the runs, so the interval is not widened."
    return f"This is an extrapolation, {factor:.3g}x beyond the runs in {COMPUTE.get(axis, axis)}."


def _largest(made: Forecast, at: int) -> str:
    share = made.parts.iloc[at]
    return f"The largest part of the variance is {share.idxmax()} ({share.max():.0%})."


def _windows(made: Forecast, at: int) -> str:
    axis = made.along.iloc[at]
    rows = made.drift[made.drift.index.str.lstrip("-") == axis] if axis else made.drift[:0]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    if not row.windows:
        return "No window inside the runs tests the laws, so the widening is what public tables show."
    more = "more" if row.share > 0 else "less"
    count = f"{row.windows:.0f} windows" if row.windows > 1 else "one window"
    change = f"the loss changed {abs(row.share):.0%} {more} than the laws predicted"
    return f"In {count} inside the runs, along {COMPUTE.get(axis, axis)}, {change}."


def forecast_text(made: Forecast) -> str:
    """The forecast as a table, the laws' weights and the sentence."""
    room = width()
    lines = [
        "laws: " + ", ".join(f"{name} {w:.2f}" for name, w in made.weights.items()),
        made.sentence,
        *(f"note: {note}" for note in made.notes),
    ]
    words = fold("\n".join(lines), room)
    return f"{table(_shown(made), room, index=False)}\n\n{words}"


def forecast_html(made: Forecast) -> str:
    """The same as HTML."""
    notes = "".join(f"<p>{escape(words)}</p>" for words in (made.sentence, *made.notes))
    laws = made.weights.round(3).to_frame().to_html()
    return f"{_shown(made).to_html(index=False)}{laws}{notes}"


def _shown(made: Forecast) -> pd.DataFrame:
    """The table as it is printed: four digits, shares as percent."""
    out = made.table.copy()
    for column in out:
        if column in made.parts:
            out[column] = [f"{x:.0%}" for x in out[column]]
        elif column != "outside":
            out[column] = [
                value_text(str(column), x) if column in made.points else number_text(x) for x in out[column]
            ]
    return out


def forecast_json(made: Forecast) -> dict[str, Any]:
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
        "versions": fitted_with(),
    }
    return body | {"checksum": body_checksum(body)}


def _words(column: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else float(value) for value in column]


def _law(law: Law) -> dict[str, Any]:
    plain, layers = layers_of(law.kind)
    parameters = {n: float(getattr(law, n)) for n in law.names()}
    return {"law": plain.__name__, "arms": layers, "parameters": parameters}


def _law_from(name: str, told: dict[str, Any]) -> Law | None:
    """The law that `_law` wrote. None if its class is not imported."""
    known = {law.__name__: law for law in descendants(Law)}
    plain = known.get(told.get("law") or name.partition("(")[0])
    return None if plain is None else from_layers(plain, told.get("arms", ()))(**told["parameters"])


def read_forecast(path: Any) -> Forecast:
    """Read a registered forecast. Raises FileNotFoundError or ValueError naming what is wrong with the file."""
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
    if body.pop("checksum", None) != body_checksum(body):
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
    laws = {name: law for name, one in body["laws"].items() if (law := _law_from(name, one)) is not None}
    return Forecast(
        points, series["loss"], series["lower"], series["upper"], body["level"], series["beyond"],
        series["outside"], series["along"], pd.DataFrame(body["parts"]), drift,
        pd.Series(body["weights"], name="weight"),
        laws, body["rows"], tuple(body["notes"]), body["data_hash"],
    )  # fmt: skip
