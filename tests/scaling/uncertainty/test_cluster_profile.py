"""The sandwich over groups, thresholds and designs: held against matrices written out."""

import numpy as np
import pytest
from scipy import linalg

import scaling
from scaling.design.suggest import _information
from scaling.uncertainty import cluster_profile
from scaling.uncertainty.cluster_profile import Influence, _dof, cr2, variances
from scaling.uncertainty.interval_methods import at_points, slopes
from scaling.uncertainty.size_effects import explanations
from tests.scaling.uncertainty.test_tangent import runs

FAR = {"N": np.array([1e9, 5e10]), "P": np.array([2.0, 8.0])}


@pytest.fixture(scope="module")
def grouped() -> scaling.Fit:
    rows = runs(3).iloc[:480]
    return scaling.fit("parallel", rows, "log-least-squares", groups=(rows.run // 8).to_numpy())


def influence(fit: scaling.Fit) -> Influence:
    at = explanations(fit).at
    return Influence(at, slopes(fit.problem, fit.theta[None], at_points(FAR, ("N", "P"))), at.free)


def test_the_sandwich_is_the_textbooks(grouped: scaling.Fit) -> None:
    """CR2 of Bell and McCaffrey with every matrix written out."""
    why, h = explanations(grouped), influence(grouped)
    by, rho = why.by[0], 0.7
    r, J = grouped.problem.linearised(grouped.theta[None])
    X = J[0].T
    hat = X @ np.linalg.pinv(X)
    rows = np.matmul(h.along[0].T, h.J[0] * h.at.w[0])
    residual, V = r[0] - hat @ r[0], np.eye(r.size) + rho * (by.codes[:, None] == by.codes)
    scores, vectors = [], []
    for g in range(by.count):
        i = np.flatnonzero(by.codes == g)
        a = rows[:, i] @ np.real(linalg.inv(linalg.sqrtm(np.eye(i.size) - hat[np.ix_(i, i)])))
        scores.append(a @ residual[i])
        vectors.append(a @ (np.eye(r.size) - hat)[i])
    variance = (np.array(scores) ** 2).sum(0)
    found, dof = cr2(h, 0, by, rho)
    assert found == pytest.approx(variance, rel=1e-6)
    for k in range(2):
        M = np.array([v[k] for v in vectors])
        M = M @ V @ M.T
        assert dof[k] == pytest.approx(np.trace(M) ** 2 / (M * M).sum(), rel=1e-6)


def test_many_groups_take_the_diagonal_of_the_degrees_of_freedom(
    grouped: scaling.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    h, by = influence(grouped), explanations(grouped).by[0]
    exact = cr2(h, 0, by, 0.7)[1]
    monkeypatch.setattr(cluster_profile, "PAIRS", 1)
    assert cr2(h, 0, by, 0.7)[1] == pytest.approx(exact, rel=0.1)
    assert _dof(np.ones(4), np.zeros((4, 1)), np.zeros(4), np.zeros((1, 4)), 0.5) == pytest.approx(4.0)


def test_variances_need_no_array_of_quantities_by_rows(grouped: scaling.Fit) -> None:
    why, h = explanations(grouped), influence(grouped)
    rows = np.matmul(h.along.swapaxes(1, 2), h.J * h.at.w[:, None])
    own, more = variances(h, why)
    assert own == pytest.approx(why.alone[:, None] * (rows**2 / h.at.w).sum(-1), rel=1e-9)
    c = int(np.argmax(why.weight[0] * (why.rho > 0)))
    shared = (why.by[why.which[c]].sums(rows) ** 2).sum(-1)
    spread = h.at.growth(float(why.power[c]))
    expected = why.noise2[:, c, None] * ((rows**2 / h.at.w * spread).sum(-1) + why.rho[c] * shared)
    assert more[..., c] == pytest.approx(expected, rel=1e-9)


def test_offsets_of_groups_that_no_candidate_is_of_are_integrated_out() -> None:
    fit = scaling.fit("parallel", runs(1).iloc[::2], "log-least-squares")
    assert fit.grouping in ("size", "cell")
    every = fit.axes
    one = {"N": every["N"][:1], "P": every["P"][:1]}
    few, many = (_information(fit, x, True, fit.theta) for x in (one, every))
    p = fit.theta.size
    assert few[0].shape[0] < many[0].shape[0]
    np.testing.assert_allclose(few[0][:p, :p], many[0][:p, :p], rtol=1e-6)
    assert few[3][0] == pytest.approx(many[3][0], rel=1e-6)
