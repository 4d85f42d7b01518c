"""One law's prediction interval beyond its runs: the forecast's, never narrower than the one that assumes the law."""

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import ChinchillaLaw, DenseLaw, ParallelLaw, forecast
from scaling.forecasting.widened import forecast_words, widening_of
from scaling.laws.axis import Levels
from scaling.laws.base import Law, Range
from tests.scaling.forecast_runs import grid

ENDS = ["new_lower", "new_upper"]
SQUARES = scaling.LeastSquares(log=True)


@dataclass(frozen=True)
class LogLaw(Law):
    """log L = a - b log N: a user's own law, by its predict alone."""

    a: float
    b: float

    axes: ClassVar = ("N",)
    nonlinear: ClassVar = {"a": Range(0.1, 10.0), "b": Range(0.01, 1.0)}

    def predict(self, N):
        return np.exp(self.a - self.b * np.log(N / 1e8))


@dataclass(frozen=True)
class SiteLaw(Law):
    """A power law of N whose level is a site's own."""

    E: float
    A: float
    alpha: float
    shift: float

    axes: ClassVar = ("N", "site")
    axis_rules: ClassVar = {"site": Levels(names=("a", "b"))}
    nonlinear: ClassVar = {
        "E": Range(0.5, 2.0),
        "A": Range(0.1, 10.0),
        "alpha": Range(0.02, 1.0),
        "shift": Range(0.01, 1.0),
    }

    def predict(self, N, site):
        return self.E + self.A * (N / 1e9) ** -self.alpha + self.shift * (site == 2)


def test_beyond_the_runs_it_is_the_forecast_of_this_law_alone(pile: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, pile, SQUARES, groups=False)
    at = {"N": [30e9, 90e9], "P": [8, 8]}
    one, alone = fit.predict(**at), forecast(pile, **at, laws=[ParallelLaw])
    plain = fit.predict(**at, widened=False)
    ends = np.minimum(alone.lower, plain.new_lower), np.maximum(alone.upper, plain.new_upper)
    assert one.new_lower.to_numpy() == pytest.approx(ends[0].to_numpy(), rel=1e-6)
    assert one.new_upper.to_numpy() == pytest.approx(alone.upper.to_numpy(), rel=1e-6)
    assert (one.new_upper > plain.new_upper + 0.01).all()
    assert one[["loss", "lower", "upper"]].equals(plain[["loss", "lower", "upper"]])


@pytest.mark.slow
def test_within_the_hull_nothing_is_widened_and_beyond_it_nothing_is_narrowed(pile: pd.DataFrame) -> None:
    rng = np.random.default_rng(2)
    for law in (ParallelLaw, DenseLaw):
        fit = scaling.fit(law, pile, SQUARES, groups=False)
        N, P = np.exp(rng.uniform(np.log(1e8), np.log(1e11), 30)), rng.integers(1, 20, 30)
        at = {axis: x for axis, x in {"N": N, "P": P}.items() if axis in law.axes}
        one, plain = fit.predict(**at), fit.predict(**at, widened=False)
        inside = one.inside.to_numpy()
        assert 2 < inside.sum() < 28
        assert one[inside].equals(plain[inside])
        assert (one.new_lower <= plain.new_lower).all()
        assert (one.new_upper >= plain.new_upper).all()
        assert (one.new_upper - one.new_lower > plain.new_upper - plain.new_lower)[~inside].mean() > 0.5


def test_compute_alone_can_leave_the_runs() -> None:
    runs = grid()
    fit = scaling.fit(ChinchillaLaw, runs[runs.N * runs.D < 1e18], SQUARES)
    corner = {"N": fit.axes["N"].max(), "D": fit.axes["D"].max()}
    one, plain = fit.predict(**corner), fit.predict(**corner, widened=False)
    assert one.beyond[0] == 1
    assert not one.inside[0]
    assert one.new_upper[0] > plain.new_upper[0]
    assert "compute" in widening_of(fit).sentence({a: np.array([x]) for a, x in corner.items()})


def test_the_level_is_kept_to(pile: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, pile, SQUARES)
    width = [np.diff(fit.predict(N=30e9, P=8, level=level)[ENDS])[0, 0] for level in (0.5, 0.95, 0.99)]
    assert (np.diff(width) > 0).all()


def test_a_fit_that_leaves_no_degree_of_freedom_has_no_interval(pile: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, pile.iloc[[0, 5, 10, 15]])
    assert widening_of(fit) is None
    assert fit.predict(N=30e9, P=8)[ENDS].isna().all(axis=None)


def test_a_law_that_gives_only_its_predict_is_widened_and_one_of_categories_too(
    pile: pd.DataFrame,
) -> None:
    fit = scaling.fit(LogLaw, pile[pile.P == 1], SQUARES)
    far = {"N": 5e10}
    assert fit.predict(**far).new_upper[0] > fit.predict(**far, widened=False).new_upper[0]
    runs = pile[pile.P < 3].assign(site=np.resize(["a", "b", "b"], 12))
    shared = scaling.fit(SiteLaw, runs, SQUARES, groups=False)
    assert "drift along N" in forecast_words(shared, {"N": 5e10, "site": "a"})
    there, plain = (shared.predict(N=5e10, site=["a", "b"], widened=w) for w in (True, False))
    assert (there.new_upper > plain.new_upper).all()
    assert {axis for axis, _ in widening_of(shared).ways} == {"N"}


def test_a_law_whose_axis_does_not_vary_and_one_that_is_held_are_widened(pile: pd.DataFrame) -> None:
    one_stream = scaling.fit(ParallelLaw, pile[pile.P == 1], SQUARES, fixed={"k": 0.33})
    held = scaling.fit(scaling.AdditiveLaw, pile, SQUARES, fixed={"beta": 0.5})
    for fit in (one_stream, held):
        at = {"N": 30e9, "P": 1}
        assert fit.predict(**at).new_upper[0] > fit.predict(**at, widened=False).new_upper[0]


def test_an_equivalent_size_beyond_the_runs_is_less_certain(pile: pd.DataFrame, monkeypatch) -> None:
    fit, streams = scaling.fit(ParallelLaw, pile, SQUARES, groups=False), [4, 8, 16, 64]
    wide = fit.equivalent_N(1.6e9, streams)
    monkeypatch.setattr("scaling.uncertainty.prediction.widening_of", lambda fit: None)
    plain = fit.equivalent_N(1.6e9, streams)
    more = np.log(wide.upper / wide.lower) / np.log(plain.upper / plain.lower)
    assert more[:2].to_numpy() == pytest.approx(1.0)  # N and the equivalent size lie within the runs
    assert 1.01 < more[2] < more[3]


def test_points_that_leave_the_runs_alike_err_together(pile: pd.DataFrame) -> None:
    widening = widening_of(scaling.fit(ParallelLaw, pile))
    inside, far, farther, many = (
        {"N": np.array([N]), "P": np.array([P])}
        for N, P in ((1e9, 2.0), (2e10, 2.0), (4e10, 2.0), (1e9, 64.0))
    )
    alone = [widening.error_between(point, inside)[0] for point in (far, farther, many)]
    assert widening.error_between(far, farther)[0] == pytest.approx(alone[1] - alone[0])
    assert widening.error_between(far, many)[0] == pytest.approx(np.hypot(alone[0], alone[2]))
    assert widening.error_between(inside, {"N": np.array([2e9]), "P": np.array([8.0])})[0] == 0


def test_drifts_are_computed_once_a_fit(pile: pd.DataFrame, monkeypatch) -> None:
    widening = widening_of(scaling.fit(ParallelLaw, pile))
    first = widening.drift(("N", 1))
    monkeypatch.setattr("scaling.forecasting.widened.drift_along", lambda *_: pytest.fail("computed again"))
    assert widening.drift(("N", 1)) is first


def test_without_a_window_public_tables_set_the_width(pile: pd.DataFrame) -> None:
    fit = scaling.fit(DenseLaw, pile[(pile.P == 1)].iloc[:4])
    assert re.search(r"\bN\b", widening_of(fit).sentence({"N": np.array([3e10])}))
    assert widening_of(fit).sentence({"N": np.array([6e8])}) == ""


def test_the_interval_does_not_jump_where_the_runs_end_of_sizes_that_were_noticed(pile):
    one = scaling.fit(ParallelLaw, pile)
    assert one.grouping == "size"
    last = float(pile.N[pile.P == 1].max())
    ends = one.predict(N=[last, 1.001 * last], P=1)[ENDS].to_numpy()
    inside, outside = np.diff(ends, axis=1).ravel()
    assert outside == pytest.approx(inside, rel=0.25)
