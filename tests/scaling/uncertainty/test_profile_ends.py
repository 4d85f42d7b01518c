"""Ends of profile intervals against scipy's SLSQP: every law, objective, published table and window."""

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import scaling
from parscale.cli.fit import fit_command
from scaling.laws import REGISTRY
from scaling.optimise.objectives import OBJECTIVES
from scaling.uncertainty import profile, profile_ends
from scaling.uncertainty.interval_methods import Quantity, at_points, quantity_values, spread_batch, t_of
from scaling.uncertainty.profile import Profile

PUBLISHED = Path(__file__).parents[3] / "results" / "published"
WINDOWS = (1.0, 0.7, 0.5)  # share of the sizes that is fitted, the smallest


def tables() -> dict[str, pd.DataFrame]:
    """The published tables by name, those of checkpoints thinned."""
    losses = scaling.read_runs(PUBLISHED / "losses.csv")
    found = dict(iter(losses.groupby("corpus")))
    for path in sorted((PUBLISHED / "runs").glob("*.csv")):
        table = pd.read_csv(path).rename(columns={"tokens": "D", "c4_loss_last": "loss"})
        table = table[["N", "D", "loss"]].dropna()
        found[path.stem] = table.iloc[::4] if len(table) > 300 else table
    return found


def fits(objectives: tuple[str, ...], each: int = 1) -> Iterator[tuple[str, scaling.Fit]]:
    """Every law of a table's axes, fitted to its smallest sizes by each objective, where determined.

    each: 5 gives every fifth of them.
    """
    known = itertools.product(tables().items(), REGISTRY.items(), WINDOWS)
    fitting = [(of, law, share) for of, law, share in known if set(law[1].axes) <= set(of[1])]
    for (name, table), (key, law), share in fitting[::each]:
        rows = table[table.P == 1] if key == "dense" and "P" in table else table
        window = rows[rows.N.quantile(share) >= rows.N]
        for objective in objectives:
            try:
                fit = scaling.fit(law, window, OBJECTIVES[objective])
            except scaling.FitError:
                continue
            if fit.determined:
                yield f"{name}, {key}, {share:g}, {objective}", fit


def asked(fit: scaling.Fit) -> Quantity:
    """The loss at three times the largest N and D, and the law's exponents."""
    far = {a: np.array([x.max() * (1 if a == "P" else 3)]) for a, x in fit.axes.items()}
    points = at_points(far, fit.law.axes)
    names = [name for name in fit.law.nonlinear if name not in (*fit.law.fixed, *fit.law.not_held)]

    def quantity(law: scaling.Law) -> np.ndarray:
        return np.concatenate([points(law), np.stack([getattr(law, n) for n in names], axis=-1)], axis=-1)

    return quantity


def furthest(fit: scaling.Fit, quantity: Quantity, k: int, side: int, starts: int = 2) -> float:
    """SLSQP's extreme of a quantity while the objective rises by no more than the threshold."""
    problem, theta = fit.problem, fit.theta
    cov, unit = spread_batch(problem, theta[None])
    se = np.sqrt(np.maximum(np.diag(cov[0]), 0))
    size = np.where(se > 0, np.minimum(se, np.maximum(np.abs(theta), 0.05)), 0.02)
    allowed, lowest = t_of(problem, 0.95) ** 2 * unit[0], fit.objective_value

    def at(z: np.ndarray) -> np.ndarray:
        return np.clip(theta + z * size, problem.lower, problem.upper)

    def value(z: np.ndarray) -> float:
        return float(np.clip(quantity_values(problem, at(z)[None], quantity)[0, k], -1e6, 1e6))

    scale = max(abs(value(np.full(theta.size, 0.3)) - value(np.zeros(theta.size))), 1e-9)

    def room_left(z: np.ndarray) -> float:
        with np.errstate(all="ignore"):  # far out a law may overflow
            rise = (problem.value(at(z)[None])[0] - lowest) / allowed
        return 1 - float(np.clip(np.nan_to_num(rise, nan=1e6), 0, 1e6))

    bounds = list(zip((problem.lower - theta) / size, (problem.upper - theta) / size, strict=True))
    rng, best = np.random.default_rng(0), value(np.zeros(theta.size))
    for j in range(starts):
        begin = rng.standard_normal(theta.size) * 0.3 * j
        end = minimize(
            lambda z: -side * value(z) / scale, np.clip(begin, *np.transpose(bounds)), method="SLSQP",
            bounds=bounds, constraints={"type": "ineq", "fun": room_left}, options={"ftol": 1e-7, "maxiter":
            150},
        )  # fmt: skip
        if room_left(end.x) >= -1e-3 and side * (value(end.x) - best) > 0:
            best = value(end.x)
    return best


def check(name: str, fit: scaling.Fit, most: float = 0.015) -> list[float]:
    """How far SLSQP gets beyond each end, in shares of its distance; no wrong order, no wrong end."""
    quantity = asked(fit)
    estimate, lower, upper = Profile().interval(fit, quantity, 0.95)
    assert ((lower <= estimate) & (estimate <= upper)).all(), name
    beyond = []
    for k, side in itertools.product(range(estimate.size), (-1, 1)):
        end = (lower if side < 0 else upper)[k]
        if np.isinf(end):
            continue
        reach = side * (furthest(fit, quantity, k, side) - estimate[k])
        beyond.append(reach / max(side * (end - estimate[k]), 1e-9 * abs(estimate[k])) - 1)
        assert beyond[-1] < most, (name, k, side, estimate[k], end, reach)
    return beyond


def test_ends_are_the_extremes_that_slsqp_finds() -> None:
    some = itertools.islice(fits(("least-squares", "huber"), each=41), 4)
    beyond = np.concatenate([check(*case) for case in some])
    assert len(beyond) > 20
    assert (np.abs(beyond) < 0.015).mean() > 0.7  # SLSQP, which may stop early, gets there too


@pytest.mark.slow
@pytest.mark.skipif("PARSCALE_ENDS" not in os.environ, reason="minutes an objective: `make ends` runs it")
@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_ends_are_the_extremes_that_slsqp_finds_everywhere(objective: str) -> None:
    """Absolute deviations have kinks: on four rows a refit with a quantity held can end in a fold."""
    most = 0.015 if "squares" in objective else 0.03 if objective == "huber" else np.inf
    beyond = np.concatenate([check(*case, most) for case in fits((objective,))])
    assert (beyond > 0.03).mean() <= 0.01
    assert (np.abs(beyond) < 0.015).mean() > (0.7 if np.isfinite(most) else 0.3)


@pytest.fixture
def four_rows(pile: pd.DataFrame) -> scaling.Fit:
    """A law of three parameters fitted to four runs by a loss with kinks: refits end in folds."""
    rows = pile[pile.P == 1]
    return scaling.fit("dense", rows[rows.N.quantile(0.7) >= rows.N], "asymmetric", groups=False)


def test_ends_at_kinks_are_refitted_from_other_places(four_rows: scaling.Fit) -> None:
    """A refit that ended in a fold once gave a lower end of 1.266, where SLSQP reaches 0.995 and less."""
    far = {"N": np.array([3 * four_rows.axes["N"].max()])}
    _, lower, upper, lost = Profile().searched(four_rows, at_points(far, ("N",)), 0.95)
    assert lower[0] < 0.9
    assert np.isinf(upper[0])
    assert not lost.any()


def test_an_end_that_no_refit_confirms_is_open_and_named(
    four_rows: scaling.Fit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(profile_ends, "ROUNDS", 0)
    assert (
        "lower at point 1" in (at := four_rows.predict(N=3 * four_rows.axes["N"].max())).attrs["unconfirmed"]
    )
    assert at.lower[0] == 0.0  # no loss is below it
    monkeypatch.setattr(profile_ends.Ends, "_easier", lambda self, rows: rows)
    ends = four_rows.intervals()
    named = ends.attrs["unconfirmed"]
    assert named
    for end, name in (words.split() for words in named):
        assert ends.loc[name, end] in (0.0, np.inf)
    assert all(words in repr(four_rows) for words in named)
    assert fit_command.content(four_rows, 0.95)["unconfirmed"] == named
    four_rows.save(tmp_path / "fit.json")
    assert json.loads((tmp_path / "fit.json").read_text())["unconfirmed"] == named
    assert scaling.load(tmp_path / "fit.json").params.equals(four_rows.params)
    monkeypatch.undo()
    assert not scaling.fit("parallel", pile_like()).intervals().attrs["unconfirmed"]


def pile_like() -> pd.DataFrame:
    """Runs with noise that determine a law."""
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(5e8, 4e9, 5), [1.0, 2.0, 4.0]))
    law = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
    return pd.DataFrame({"N": N, "P": P, "loss": law.predict(N=N, P=P) + 1e-3 * np.sin(np.arange(15.0))})


def test_an_end_that_a_climb_missed_is_found(pile: pd.DataFrame) -> None:
    """Steps the wrong way once put this interval, 2.0025 to 2.0142, above its estimate."""
    fit = scaling.fit(AdditiveHalf, pile[pile.N < 7.1e8], scaling.LeastSquares(), groups=False)
    at = fit.predict(N=1.088e9, P=1).iloc[0]
    assert at.loss == pytest.approx(2.0006, abs=1e-4)
    assert at.lower == pytest.approx(1.9912, abs=2e-4)
    assert at.upper == pytest.approx(2.0620, abs=2e-4)
    assert at.new_lower < at.lower < at.upper < at.new_upper


AdditiveHalf = scaling.AdditiveLaw.with_fixed(beta=0.5)


def test_wrong_proposals_are_mended(monkeypatch: pytest.MonkeyPatch, pile: pd.DataFrame) -> None:
    """Whatever a climb proposes, too short, the wrong way or nothing, the ends are the same."""
    fit = scaling.fit(scaling.ParallelLaw, pile, scaling.LeastSquares())
    right = fit.intervals()
    climb = profile._Climb.run

    def spoiled(self: profile._Climb, steps: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        reached, theta = climb(self, steps, tolerance)
        rows = np.arange(reached.size)
        reached = np.where(rows % 3 == 0, 2 * self.estimate - reached, reached)
        reached = np.where(rows % 3 == 1, np.nan, reached)
        short = rows % 3 == 2
        theta = np.where(short[:, None], 0.5 * (theta + self.theta), theta)
        return np.where(short, 0.5 * (reached + self.estimate), reached), theta

    monkeypatch.setattr(profile._Climb, "run", spoiled)
    width = right.upper - right.lower
    assert (np.abs(fit.intervals() - right).max(axis=1) / width).max() < 5e-3


def test_both_branches_of_a_curve_are_seen(stack: pd.DataFrame) -> None:
    """A grows along the valley of E and alpha either way: its upper end lies at small alpha, not at large."""
    law, window = scaling.DiversityLaw, stack[stack.N < 1.2e9]
    fit = scaling.fit(law, window, scaling.LeastSquares())
    table = fit.intervals()
    low_alpha = scaling.fit(
        law.with_fixed(alpha=table.lower["alpha"] * 1.0001), window, scaling.LeastSquares()
    )
    assert table.upper["A"] >= 0.99 * low_alpha.law.A
