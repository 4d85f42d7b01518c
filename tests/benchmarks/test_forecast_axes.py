"""Forecasts along other axes: what is held out lies beyond what is fitted, and the docs show what was measured."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.forecast import axes as forecast_axes

DOCS = Path(__file__).parents[2] / "docs/forecast.md"


def test_upper_values_are_held_out_and_the_docs_show_the_table() -> None:
    names = [name for name, _ in forecast_axes.public()]
    found = pd.read_csv(forecast_axes.TABLE)
    assert set(names) <= set(found.table)
    assert forecast_axes.markdown(found) in DOCS.read_text()
    for _, runs in forecast_axes.public():
        for axis in set(runs) - {"loss"}:
            split = forecast_axes.along(runs, axis)
            if split is not None:
                fitted, asked = split
                assert fitted[axis].max() < asked[axis].min()
                assert len(fitted) + len(asked) == len(runs)
    assert forecast_axes.along(runs.head(3), "N") is None


@pytest.mark.slow
def test_one_row_of_the_table_is_what_a_forecast_says() -> None:
    known = pd.read_csv(forecast_axes.TABLE).set_index(["table", "axis"]).loc[("routing", "experts")]
    found = forecast_axes.row("routing", dict(forecast_axes.public())["routing"], "experts")
    assert found is not None
    for name in ("covered", "error", "half_width"):
        assert abs(float(str(found[name])) - float(known[name])) < 1e-3
