"""How a fit ends: every status has a case that must show it."""

import dataclasses
import sys

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import AdditiveLaw, ChinchillaLaw, DenseLaw, FitError, ParallelLaw, Status

TRUTH = ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
N, P = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 5e9, 5), [1.0, 2.0, 4.0, 8.0]))


def runs(sigma: float = 1e-3, seed: int = 5) -> pd.DataFrame:
    noise = np.exp(sigma * np.random.default_rng(seed).standard_normal(N.size))
    return pd.DataFrame({"N": N, "P": P, "loss": TRUTH.predict(N=N, P=P) * noise})


def test_converged_and_its_evidence() -> None:
    fit = scaling.fit(ParallelLaw, runs())
    c = fit.certificate
    assert fit.status == Status.CONVERGED
    assert c.starts_agreeing >= 2
    assert f"{c.starts_agreeing} of {c.starts} starts agree" in c.detail
    assert c.gradient_norm < 1e-6
    assert abs(c.second_gap) < 1e-3
    assert c.second_algorithm == "scipy MINPACK lmder"
    assert 10 < c.condition_number < 1e5
    assert "together shift the predictions by only" in c.worst_direction
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
    fit = scaling.fit(ParallelLaw, runs()[P == 2])
    assert fit.status == Status.FLAT
    assert "P takes one value: its effect cannot be told apart; add runs at others" in fit.certificate.detail
    assert fit.undetermined == ("A", "k")
    table = fit.intervals()
    assert table.loc[["A", "k"], ["lower", "upper"]].isna().all(axis=None)
    assert np.isfinite(table.loc[["E", "alpha"]]).all(axis=None)


def test_one_N_level() -> None:
    fit = scaling.fit(ParallelLaw, runs()[N[0] == N])
    assert fit.status == Status.FLAT
    assert fit.certificate.detail.startswith("N takes one value")


@pytest.mark.parametrize("seed", range(4))
def test_sizes_that_only_their_streams_part_are_one(seed: int) -> None:
    size, noise = np.repeat([1.0, 1.1, 1.21, 1.42, 1.84], 2) * 1e8, np.random.default_rng(seed)
    streams = np.repeat([1.0, 2, 4, 8, 16], 2)
    loss = TRUTH.predict(N=size, P=streams) * np.exp(1e-3 * noise.standard_normal(10))
    fit = scaling.fit(ParallelLaw, {"N": size, "P": streams, "loss": loss})
    assert fit.status == Status.FLAT
    assert "N takes one value" in fit.certificate.detail


@pytest.mark.parametrize("near", [True, False])
def test_sizes_that_lie_close_are_not_one(near: bool) -> None:
    made = np.random.default_rng(0)
    size, streams = np.repeat(1e8 * 1.1 ** np.arange(25), 3), np.tile([1.0, 2.0, 4.0], 25)
    if not near:
        size, streams = 10 ** made.uniform(8, 10, 500), made.uniform(1, 8, 500)
    loss = TRUTH.predict(N=size, P=streams) * np.exp(1e-3 * made.standard_normal(size.size))
    assert scaling.fit(ParallelLaw, {"N": size, "P": streams, "loss": loss}).status == Status.CONVERGED


def test_two_N_levels_cannot_tell_E_A_and_alpha_apart() -> None:
    two = runs()[np.isin(N, np.unique(N)[:2])]
    fit = scaling.fit(AdditiveLaw, two)
    assert fit.status in (Status.FLAT, Status.AT_BOUND)
    assert any(note.startswith("N takes 2 values") for note in fit.certificate.notes)


def test_all_losses_equal() -> None:
    fit = scaling.fit(ParallelLaw, runs().assign(loss=2.5))
    assert fit.status == Status.FLAT
    assert "all losses are equal" in fit.certificate.detail
    assert np.isnan(fit.r2)
    assert fit.max_error < 1e-9  # A^alpha is zero where A is, however small alpha


def test_too_few_points() -> None:
    with pytest.raises(FitError, match="3 usable rows for the 4 parameters of ParallelLaw"):
        scaling.fit(ParallelLaw, runs()[:3])
    exact = scaling.fit(ParallelLaw, runs().iloc[[0, 3, 9, 19]])
    assert exact.status == Status.TOO_FEW
    assert "4 distinct points for 4 parameters" in exact.certificate.detail
    assert exact.degrees_of_freedom == 0
    table = exact.intervals()
    assert np.isinf(table.upper - table.lower).all()


def test_repeats_are_not_new_points() -> None:
    four = runs().iloc[[0, 3, 9, 19]]
    fit = scaling.fit(ParallelLaw, pd.concat([four, four]))
    assert fit.status == Status.TOO_FEW
    assert any("4 rows repeat another exactly" in note for note in fit.certificate.notes)


def test_streams_that_do_not_help_end_at_the_bound() -> None:
    flat = runs().assign(loss=DenseLaw(E=1.37, A=3.1e7, alpha=0.213).predict(N=N) * (1 + 2e-3 * np.log(P)))
    fit = scaling.fit(ParallelLaw, flat)
    assert fit.status == Status.AT_BOUND
    assert fit.certificate.at_bound == ("k",)
    assert fit.law.k == 0
    assert "the data do not support that term" in fit.certificate.detail


def test_starts_that_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["scaling.optimise.multi_start"]
    monkeypatch.setattr(module, "AGREE", -1e-3)  # no start, not even the best, is that close
    fit = scaling.fit(ParallelLaw, runs())
    assert fit.starts_agreeing == 0
    assert fit.status == Status.DISAGREE
    assert "try more starts" in fit.certificate.detail


def test_a_law_that_ignores_a_parameter_is_flat() -> None:
    @dataclasses.dataclass(frozen=True)
    class Idle(DenseLaw):
        extra: float

        nonlinear = {"alpha": DenseLaw.nonlinear["alpha"], "extra": scaling.Range(0.5, 2.0, 3)}  # noqa: RUF012

        @staticmethod
        def terms(N, alpha, extra):
            return 1.0, N**-alpha

        @classmethod
        def terms_gradient(cls, N, alpha, extra):
            return [[0.0, -np.log(N) * N**-alpha], [0.0, 0.0]]

    fit = scaling.fit(Idle, runs()[P == 1])
    assert fit.status == Status.FLAT
    assert "extra changes no prediction" in fit.certificate.worst_direction


def test_deterministic() -> None:
    one, two = scaling.fit(ParallelLaw, runs()), scaling.fit(ParallelLaw, runs())
    assert one.law == two.law
    assert (one.theta == two.theta).all()


def test_units_of_the_axes_do_not_matter() -> None:
    table = runs().assign(D=2e6 * np.sqrt(N) * (1 + P))
    small = scaling.fit(ChinchillaLaw, table)
    large = scaling.fit(ChinchillaLaw, table.assign(N=N / 1e9, D=table.D / 1e9))
    assert small.status == Status.CONVERGED
    assert small.law.alpha == pytest.approx(large.law.alpha, rel=1e-7)
    assert small.objective_value == pytest.approx(large.objective_value, rel=1e-10)


def test_delta_far_below_the_noise_is_said() -> None:
    fit = scaling.fit(ParallelLaw, runs(5e-3), scaling.LogHuber(1e-4))
    assert fit.delta_over_noise < 0.1
    assert "acts as least absolute deviations" in repr(fit)
    lad = scaling.fit(ParallelLaw, runs(5e-3), scaling.LAD())
    assert lad.law.k == pytest.approx(
        scaling.fit(ParallelLaw, runs(5e-3), scaling.LogHuber(1e-7)).law.k, rel=1e-3
    )


def test_robust_losses_resist_a_wild_run() -> None:
    table = runs()
    table.loc[4, "loss"] *= 1.3
    error = {
        o.name: abs(scaling.fit(ParallelLaw, table, o).law.k / TRUTH.k - 1)
        for o in (scaling.LeastSquares(log=True), scaling.LogHuber(), scaling.LAD())
    }
    squares, huber, lad = error.values()
    assert huber < 0.1
    assert lad < 0.1
    assert squares > 0.3


def test_summary_says_what_was_fitted() -> None:
    table = runs().assign(status="ok")
    table.loc[3, "status"] = "diverged"
    text = repr(scaling.fit(ParallelLaw, table))
    assert "19 fitted, 1 left out; 15 degrees of freedom" in text
    assert "without P" in text  # R2 never alone
    html = scaling.fit(ParallelLaw, table)._repr_html_()
    assert html.count("<tr>") >= 12
    assert "<th>k</th>" in html


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"groups": "run_id"}, "groups='run_id': no such column; there are N, P, loss"),
        ({"weights": "w"}, "weights='w': no such column"),
        ({"groups": ["a"]}, r"groups has shape \(1,\) for 20 rows"),
        ({"groups": ["a"] * 19 + [None]}, "groups: row 20 has no label"),
        ({"start": 0}, "start=0: give a whole number of starting points, at least 1"),
    ],
)
def test_refused_keywords(keywords: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scaling.fit(ParallelLaw, runs(), **keywords)


def test_a_second_algorithm_that_stops_elsewhere_confirms_nothing(losses: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, losses[losses.corpus == "pile"], scaling.Asymmetric())
    notes = " ".join(fit.certificate.notes)
    assert ("does not confirm this optimum" in notes) == (abs(fit.certificate.second_gap) > 1e-3)
    assert abs(fit.certificate.second_gap) > 1e-3


def test_fits_are_compared_as_values_of_their_own() -> None:
    fit = scaling.fit(ParallelLaw, runs())
    assert fit == fit
    assert fit != scaling.fit(ParallelLaw, runs())
