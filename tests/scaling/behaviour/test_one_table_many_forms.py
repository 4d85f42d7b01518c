"""One table of runs, renamed, rescaled, reordered and written in every form: one answer, or one named refusal."""

import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaling.data.any_table import as_runs
from scaling.data.query import runs_of
from scaling.data.reading import reading_of
from scaling.data.runs import usable
from tests.scaling.tables import TOKENS

RUNS = TOKENS.assign(
    P=np.resize([1.0, 2.0, 4.0, 8.0], len(TOKENS)), status=np.where(TOKENS.index % 7 == 3, "diverged", "ok")
).assign(C=lambda t: 6 * t.N * t.P * t.D)
NAMES = {
    "N": ["N", "params", "num_params", "N (non-embedding)", "config.N", "n_params", "Parameters"],
    "P": ["P", "config.P", "P (streams)", "streams", "num_streams", "parallel_size", "p"],
    "D": ["D", "tokens", "train_tokens", "Tokens seen", "config/D"],
    "C": ["C", "flops", "train_flops"],
    "loss": ["loss", "val_loss", "Loss", "eval/loss", "validation loss", "train_loss"],
    "status": ["status", "State", "STATE", "run_state"],
}
UNITS = {"": 1.0, " (M)": 1e6, "_B": 1e9, " (in billions)": 1e9, "_millions": 1e6}
WORDS = [
    ("ok", "diverged"),
    ("finished", "crashed"),
    ("COMPLETED", "TIMEOUT"),
    ("done", "DROP"),
    ("COMPLETE", "PRUNED"),
]
FORMS = (
    "csv",
    "CSV",
    "semicolons",
    "tsv",
    "txt",
    "german",
    "jsonl",
    "ndjson",
    "json",
    "parquet",
    "pq",
    "gz",
    "frame",
    "arrow",
)
STREAM_WORDS = {"streams", "num_streams", "parallel_size", "p"}


@dataclass(frozen=True)
class Written:
    """A table in one of its forms: names, units, order, extra columns, and the form itself."""

    names: dict[str, str]
    units: dict[str, str]
    words: tuple[str, str]
    order: tuple[int, ...]
    extra: bool
    suffixed: bool  # sizes as 0.07B
    form: str

    def table(self) -> pd.DataFrame:
        """The runs under these names and in these units, rows as they were."""
        good, bad = self.words
        out = RUNS.assign(status=RUNS["status"].map({"ok": good, "diverged": bad}))
        for axis, unit in self.units.items():
            out[axis] = out[axis] / UNITS[unit]
        if self.suffixed and not self.units.get("N"):
            out["N"] = [f"{N / 1e6:g}M" for N in RUNS["N"]]
        out = out.rename(columns={axis: name + self.units.get(axis, "") for axis, name in self.names.items()})
        if self.extra:
            out = out.assign(seed=1, lr=1e-3, Notes="a, b")
        return out.iloc[:, [i for i in self.order if i < len(out.columns)]]


@st.composite
def writings(draw: st.DrawFn) -> Written:
    names = {axis: draw(st.sampled_from(options)) for axis, options in NAMES.items()}
    scaled = [
        axis for axis, name in names.items() if axis in "ND" and name not in ("N (non-embedding)", "config/D")
    ]
    units = {axis: draw(st.sampled_from(list(UNITS))) for axis in scaled}
    return Written(
        names,
        units,
        draw(st.sampled_from(WORDS)),
        tuple(draw(st.permutations(range(9)))),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from(FORMS)),
    )


def read(one: Written, folder: Path) -> pd.DataFrame:
    """The table after it was written in its form and read."""
    table, form = one.table(), one.form
    if form in ("frame", "arrow"):
        if form == "frame":
            return as_runs(table)
        import pyarrow as pa

        return as_runs(pa.Table.from_pandas(table))
    path = folder / f"runs.{ {'semicolons': 'csv', 'german': 'csv', 'gz': 'csv.gz'}.get(form, form) }"
    separators = {"semicolons": ";", "german": ";", "tsv": "\t", "txt": "\t"}
    if form in ("parquet", "pq"):
        table.to_parquet(path)
    elif form in ("jsonl", "ndjson", "json"):
        records = json.loads(table.to_json(orient="records", double_precision=15))
        path.write_text(json.dumps(records) if form == "json" else "\n".join(map(json.dumps, records)))
    else:
        text = io.StringIO()
        table.to_csv(
            text, index=False, sep=separators.get(form, ","), decimal="," if form == "german" else "."
        )
        content = text.getvalue().encode("utf-8-sig" if form == "CSV" else "utf-8")
        path.write_bytes(gzip.compress(content) if form == "gz" else content)
    return runs_of(path)


def check(one: Written, folder: Path) -> None:
    """One answer with every guess reported, or the error that asks for the streams."""
    asks = one.names["P"] in STREAM_WORDS
    if asks and one.form not in ("frame", "arrow"):
        with pytest.raises(ValueError, match=f"--columns P={one.names['P']}"):
            read(one, folder)
        return
    found = read(one, folder)
    good = usable(found)
    axes = ["N", "D", "C", "loss", *(["P"] if not asks else [])]
    wanted = RUNS[RUNS["status"] == "ok"]
    numbers = found.loc[good, axes]
    if one.suffixed and one.form in ("frame", "arrow") and not one.units.get("N"):
        numbers = numbers.drop(columns="N")  # still words there: the fit reads them
    np.testing.assert_allclose(numbers.astype(float), wanted[list(numbers)].astype(float), rtol=1e-9)
    told = {guess.axis for guess in reading_of(found).guesses}
    renamed = {axis for axis, name in one.names.items() if name != axis and axis != "status"} - (
        {"P"} if asks else set()
    )
    assert renamed | {axis for axis, unit in one.units.items() if unit} | {"status"} <= told
    assert not reading_of(found).doubts


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=writings())
def test_one_table_in_many_forms(one: Written, tmp_path: Path) -> None:
    check(one, tmp_path)
