"""A sweep's results: fits by recipe, notes of what is at a bound or missing."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis.report import sweep_figures
from analysis.sweep import figure_tables, results
from tests.analysis.sweep_of_runs import sweep


@pytest.mark.slow
def test_a_fit_at_a_bound_keeps_its_one_sided_interval(request):
    seen = results.read_sweep(request.config.rootpath / "results" / "demo")
    upper = seen.parallel["stdlib"].intervals().loc["k", "upper"]
    assert seen.rejected == {c for c, one in seen.verdicts.items() if one.law.answer == "no"}
    assert re.search(f"k = 0.*95%.*{upper:.3g}", seen.notes["stdlib"])
    assert any(f"{upper:.3g}" in line for line in seen.missing)
    table = figure_tables.profile_table(seen.sound).query("parameter == 'k'")
    assert table["value"].min() == 0  # there is nothing below
    assert np.all(np.diff(table["rise"]) > 0.2)
    curves, _ = results.equivalent_tables(seen)
    last = curves["stdlib"].iloc[-1]
    assert last["lower"] == pytest.approx(last["N"])
    assert last["upper"] == pytest.approx(last["N"] * (upper * np.log(last["P"]) + 1), rel=1e-3)


def test_mixed_recipes_are_fitted_apart(tmp_path):
    table = sweep(tmp_path / "s", (51234, 181000, 702000), (1, 2, 4))
    both = pd.concat([table, table.assign(recipe="two-stage", loss=table["loss"] - 0.1)])
    both.to_parquet(tmp_path / "s" / "runs.parquet")
    seen = results.read_sweep(tmp_path / "s")
    assert list(seen.fits) == ["stdlib, scratch", "stdlib, two-stage"]
    names = list(sweep_figures.sweep_figures(seen))
    assert "rivals-stdlib--scratch" in names
