"""The study of compute optima: what it measures, and that the documented table is its table."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.coverage import optimum as study


def test_a_cell_has_every_estimate_and_quantity() -> None:
    found = study.cell("4 budgets x 5", 4)
    assert set(found["estimate"]) >= {"parabolas", "isoFLOP minima", "parametric fit"}
    assert set(found["quantity"]) == {"minima", "a", "N inside", "N at 10 C"}
    assert found["coverage"].between(0, 1).all()
    assert found.set_index(["estimate", "quantity"]).loc[("isoFLOP minima", "minima"), "given"] == 16
    assert (found["width"] > 0).all()


def test_the_truth_is_the_optimum() -> None:
    design = study.DESIGNS["6 budgets x 7, interaction law"]
    N = design.best([1e20])[0]
    loss = design.losses(N * pd.Series([0.98, 1.0, 1.02]), 1e20 / 6 / N / pd.Series([0.98, 1.0, 1.02]))
    assert loss.argmin() == 1
    slope = np.log(design.best([1.1e20])[0] / design.best([1e20 / 1.1])[0]) / np.log(1.21)
    assert design.exponent(1e20) == pytest.approx(slope, abs=1e-3)


def test_the_documented_table_is_the_measured_one() -> None:
    page = (study.ROOT / "docs/coverage.md").read_text()
    table = page.split(study.MARKS[0])[1].split(study.MARKS[1])[0].strip()
    assert table == study.markdown(pd.read_csv(study.TABLE))
