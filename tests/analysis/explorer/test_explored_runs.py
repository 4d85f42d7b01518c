"""What the page is given: fits and runs as sources, and what is refused."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis.explorer.explored_runs import read_sources
from analysis.sweep import results
from scaling.data.query import Asked


@pytest.mark.slow
def test_fits_to_the_same_runs_are_one_source(stack_fits):
    order = ["dense", "parallel", "additive"]
    (source,) = read_sources([stack_fits / f"{name}-stack-v2-python.json" for name in order])
    assert list(source.fits) == order
    assert source.title == "Stack-V2 Python"
    assert source.runs["P"].max() == 8  # the baseline's file knows no P: the others' do
    assert source.first_law == "parallel"
    assert list(source.axes) == ["N", "P"]


def test_a_law_of_other_axes_is_a_source_of_its_own(tmp_path):
    runs = {"N": np.geomspace(1e7, 1e9, 9), "D": np.tile([1e9, 3e9, 9e9], 3)}
    law = scaling.ChinchillaLaw(1.7, 410.0, 390.0, 0.33, 0.27)
    scaling.fit(scaling.ChinchillaLaw, runs | {"loss": law.predict(**runs)}).save(tmp_path / "c.json")
    (source,) = read_sources([tmp_path / "c.json"])
    assert [source.title, *source.axes] == ["c", "N", "D"]
    assert source.runs["D"].tolist() == runs["D"].tolist()


@pytest.mark.parametrize(
    ("status", "message"),
    [("diverged", r"\(2 .*parscale status"), ("ok", r"\b2\b")],
)
def test_a_sweep_without_a_usable_run_is_refused(tmp_path, status, message):
    rows = pd.DataFrame({"N": [1e6, 2e6], "P": [1, 2], "loss": [3.1, 2.9], "status": [status] * 2})
    rows.to_parquet(tmp_path / "runs.parquet")
    with pytest.raises(ValueError, match=message):
        read_sources([tmp_path])


def test_a_sweep_of_one_size_is_shown_without_the_laws_that_ran_off(tmp_path, monkeypatch):
    rows = pd.DataFrame({"N": [51234] * 4, "P": [1, 2, 4, 8], "loss": [5.0012, 4.8846, 4.8079, 4.7495]})
    rows.to_csv(tmp_path / "runs.csv")
    seen = results.read_sweep(tmp_path / "runs.csv")
    law = replace(seen.fits[""]["diversity"].law, A=np.inf)  # where such a fit may end
    fits = seen.fits[""] | {"diversity": replace(seen.fits[""]["diversity"], law=law)}
    monkeypatch.setattr(results, "read_sweep", lambda path, *_: replace(seen, fits={"": fits}))
    (source,) = read_sources([tmp_path / "runs.csv"])
    assert set(fits) - set(source.fits) == {"diversity"}
    assert str(source.first.status) == "not identifiable"
    assert re.search(r"\bN\b", source.pool.why)


def test_a_sweep_that_has_only_begun_is_told_from_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"parscale status"):
        read_sources([tmp_path])


@pytest.fixture(scope="module")
def budgets(tmp_path_factory):
    """A table of N and D, under names of its own."""
    N, D = (x.ravel() for x in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 3e10, 3)))
    noise = np.exp(np.random.default_rng(0).normal(0, 1e-3, N.size))
    file = tmp_path_factory.mktemp("budgets") / "nd.csv"
    pd.DataFrame({"params": N, "D": D, "loss": (1.7 + 410 * N**-0.33 + 390 * D**-0.27) * noise}).to_csv(file)
    return file


def test_a_table_over_other_axes_gets_the_laws_of_all_of_them(budgets):
    asked = Asked("N=params")
    (source,) = read_sources([budgets], asked)
    assert list(source.axes) == ["N", "D"]
    assert {"ChinchillaLaw", "InteractionLaw"} <= {fit.form.__name__ for fit in source.fits.values()}
    (named,) = read_sources([budgets], asked, laws=[scaling.DenseLaw])
    assert list(named.axes) == ["N"]
    assert named.title == "nd"


def test_laws_that_no_row_allows_are_refused_with_the_reason(budgets):
    with pytest.raises(ValueError, match="experts"):
        read_sources([budgets], Asked("N=params"), laws=[scaling.by_name("routed")])
