"""How a fit ends: every status has a case that must show it."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import AdditiveLaw, DenseLaw, FitError, ParallelLaw, Status
from tests.scaling.twenty_runs import TRUTH, N, P, runs


def test_converged_and_its_evidence() -> None:
    fit = scaling.fit(ParallelLaw, runs())
    c = fit.certificate
    assert fit.status == Status.CONVERGED
    assert c.starts_agreeing >= 2
    assert re.findall(r"\d+", c.detail) == [str(c.starts_agreeing), str(c.starts)]
    assert c.gradient_norm < 1e-6
    assert abs(c.second_gap) < 1e-3
    assert c.second_algorithm == "scipy MINPACK lmder"
    assert 10 < c.condition_number < 1e5
    assert re.search(r"alpha.*\d", c.worst_direction)
    assert not c.at_bound
    assert not c.notes


def test_the_worst_direction_really_changes_little() -> None:
    fit = scaling.fit(ParallelLaw, runs())
    moves = dict(
        part.split(" ") for part in fit.certificate.worst_direction.split(" together")[0].split(", ")
    )
    moved = dataclasses.replace(
        fit.law, **{n: getattr(fit.law, n) * (1 + float(m.rstrip("%")) / 100) for n, m in moves.items()}
    )
    along = np.abs(np.log(moved.predict(N=N, P=P) / fit.predicted)).max()
    name = max(moves, key=lambda n: abs(float(moves[n].rstrip("%"))))
    alone = dataclasses.replace(fit.law, **{name: getattr(moved, name)})
    assert along < 0.5 * np.abs(np.log(alone.predict(N=N, P=P) / fit.predicted)).max()


def test_one_P_level_leaves_k_unidentified() -> None:
    fit = scaling.fit(ParallelLaw, runs()[P == 2], "log-least-squares")
    assert fit.status == Status.FLAT
    assert fit.certificate.detail.startswith("P ")
    assert fit.undetermined == ("A", "k")
    table = fit.intervals()
    assert table.loc[["A", "k"], ["lower", "upper"]].isna().all(axis=None)
    assert np.isfinite(table.loc[["E", "alpha"]]).all(axis=None)


def test_one_N_level() -> None:
    fit = scaling.fit(ParallelLaw, runs()[N[0] == N])
    assert fit.status == Status.FLAT
    assert re.match(r"N\b", fit.certificate.detail)


def test_sizes_that_only_their_streams_part_are_one() -> None:
    size, noise = np.repeat([1.0, 1.1, 1.21, 1.42, 1.84], 2) * 1e8, np.random.default_rng(0)
    streams = np.repeat([1.0, 2, 4, 8, 16], 2)
    loss = TRUTH.predict(N=size, P=streams) * np.exp(1e-3 * noise.standard_normal(10))
    fit = scaling.fit(ParallelLaw, {"N": size, "P": streams, "loss": loss})
    assert fit.status == Status.FLAT
    assert re.search(r"\bN\b", fit.certificate.detail)


@pytest.mark.parametrize("near", [True, False])
def test_sizes_that_lie_close_are_not_one(near: bool) -> None:
    made = np.random.default_rng(0)
    size, streams = np.repeat(1e8 * 1.1 ** np.arange(25), 3), np.tile([1.0, 2.0, 4.0], 25)
    if not near:
        size, streams = 10 ** made.uniform(8, 10, 500), made.integers(1, 9, 500).astype(float)
    loss = TRUTH.predict(N=size, P=streams) * np.exp(1e-3 * made.standard_normal(size.size))
    assert scaling.fit(ParallelLaw, {"N": size, "P": streams, "loss": loss}).status == Status.CONVERGED


def test_two_N_levels_cannot_tell_E_A_and_alpha_apart() -> None:
    two = runs()[np.isin(N, np.unique(N)[:2])]
    fit = scaling.fit(AdditiveLaw, two)
    assert fit.status in (Status.FLAT, Status.AT_BOUND)
    assert any(re.match(r"N\b.*\b2\b", note) for note in fit.certificate.notes)


def test_all_losses_equal() -> None:
    fit = scaling.fit(ParallelLaw, runs().assign(loss=2.5))
    assert fit.status == Status.FLAT
    assert np.isnan(fit.r2)
    assert fit.max_error < 1e-9  # A^alpha is zero where A is, however small alpha


def test_too_few_points() -> None:
    with pytest.raises(FitError, match=r"3.*4.*parameters.*ParallelLaw"):
        scaling.fit(ParallelLaw, runs()[:3])
    exact = scaling.fit(ParallelLaw, runs().iloc[[0, 3, 9, 19]])
    assert exact.status == Status.TOO_FEW
    assert re.search(r"4.*4.*parameters", exact.certificate.detail)
    assert exact.degrees_of_freedom == 0
    table = exact.intervals(method="covariance")
    assert not np.isfinite(table.upper - table.lower).any()


def test_repeats_are_not_new_points() -> None:
    four = runs().iloc[[0, 3, 9, 19]]
    fit = scaling.fit(ParallelLaw, pd.concat([four, four]))
    assert fit.status == Status.TOO_FEW
    assert any(re.match(r"4\b", note) for note in fit.certificate.notes)


def test_streams_that_do_not_help_end_at_the_bound() -> None:
    flat = runs().assign(loss=DenseLaw(E=1.37, A=3.1e7, alpha=0.213).predict(N=N) * (1 + 2e-3 * np.log(P)))
    fit = scaling.fit(ParallelLaw, flat)
    assert fit.status == Status.AT_BOUND
    assert fit.certificate.at_bound == ("k",)
    assert fit.law.k == 0
    assert re.match(r"k\b", fit.certificate.detail)
