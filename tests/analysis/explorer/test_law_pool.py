"""The laws together: the numbers of `scaling.forecast`, and why there are none."""

import base64
import re

import numpy as np
import pandas as pd
import pytest

import scaling
from analysis.explorer.interval_grid import shown_grid
from analysis.explorer.law_pool import LawPool, pool_of
from analysis.explorer.page_axes import page_axes


@pytest.mark.slow
def test_the_forecast_is_that_of_scaling_and_weights_go_by_the_page_s_names(stack):
    fits = {name: scaling.fit(name, stack) for name in ("parallel", "additive")}
    axes = page_axes(stack, [fit.law for fit in fits.values()])
    pool = pool_of(stack, fits, axes, 0.95)
    points = {name: x[[40, 200]] for name, x in shown_grid(axes).points(axes).items()}
    python = scaling.forecast(stack, **points)
    for name in ("lower", "loss", "upper"):
        ours = np.frombuffer(base64.b64decode(pool.forecast[name]), "<f4")[[40, 200]]
        assert np.exp(ours) == pytest.approx(getattr(python, name).to_numpy(), rel=1e-5)
    assert pool.weights["parallel"] == pytest.approx(python.weights["ParallelLaw"])
    assert pool.counts("additive")
    assert not LawPool({"power": 0.01}).counts("power")


def test_categories_are_forecast_by_name():
    rng = np.random.default_rng(1)
    N, kind = (x.ravel() for x in np.meshgrid(np.geomspace(1e7, 1e9, 6), ["adam", "muon"]))
    loss = (1.8 + 300 * N**-0.3) * np.where(kind == "muon", 0.97, 1.0) * np.exp(rng.normal(0, 1e-3, N.size))
    fit = scaling.fit(
        scaling.Arms(scaling.DenseLaw, by="optimiser", shared=("alpha", "E")),
        {"N": N, "optimiser": kind, "loss": loss},
    )
    runs = pd.DataFrame({**fit.axes, "loss": fit.loss})
    axes = page_axes(runs, [fit.law])
    assert axes["optimiser"].names == ("adam", "muon")
    pool = pool_of(runs, {"arms": fit}, axes, 0.95)
    assert pool.weights == {"arms": 1.0}
    assert pool.forecast["axes"] == ["N", "optimiser"]


def test_one_size_tells_no_law_from_another(stack):
    rows = stack[stack["N"] == stack["N"].min()].assign(N=5e8)
    pool = pool_of(rows, {}, page_axes(rows, [scaling.ParallelLaw]), 0.95)
    assert pool.forecast is None
    assert re.search(r"\bN\b", pool.why)
    assert pool.counts("parallel")
