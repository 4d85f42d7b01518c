"""The tangent at an optimum: rows and their cells agree, for every grouping."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.uncertainty import condensed, tangent
from scaling.uncertainty.size_effects import deviances, explain, group_test, growth_test
from scaling.uncertainty.tangent import Grouping, Tangent, groupings, joint


def runs(seed: int = 0, offset: float = 3e-3) -> pd.DataFrame:
    """Six sizes at four P, twenty runs each, two rows per run."""
    rng = np.random.default_rng(seed)
    N = np.repeat(np.tile(np.geomspace(5e7, 5e9, 6), 80), 2)
    P = np.repeat(np.repeat([1.0, 2.0, 4.0, 8.0], 120), 2)
    law = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
    off = offset * np.repeat(rng.standard_normal(480), 2) + 1e-3 * rng.standard_normal(960)
    return pd.DataFrame({"N": N, "P": P, "loss": law.predict(N=N, P=P) + off, "run": np.arange(960) // 2})


@pytest.mark.parametrize("objective", ["log-least-squares", "huber"])
def test_cells_say_what_their_rows_say(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = runs()
    fit = scaling.fit("parallel", table, objective, weights=1 + table.run % 3, groups=False)
    for told in (None, table.run):
        by = groupings(fit.problem, told)
        monkeypatch.setattr(tangent, "MANY", 10_000)
        whole = Tangent(fit.problem, fit.theta[None], by)
        monkeypatch.setattr(tangent, "MANY", 100)
        cells = Tangent(fit.problem, fit.theta[None], by)
        assert whole.r.shape[1] == 960
        assert cells.r.shape[1] == (24 if told is None else 480)
        for one in by:
            assert group_test(cells, one) == pytest.approx(group_test(whole, one), rel=1e-6)
        assert growth_test(cells, by) == pytest.approx(growth_test(whole, by), rel=1e-6)
        assert deviances(cells, by)[0] == pytest.approx(deviances(whole, by)[0], rel=1e-9)
        found = np.ones((1, len(by)), bool)
        some, same = (explain(at, by, found, np.ones(1, bool)) for at in (cells, whole))
        assert some.offset == pytest.approx(same.offset, rel=1e-6)
        assert some.noise == pytest.approx(same.noise, rel=1e-6)


def test_rows_that_no_cell_joins_stay_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = scaling.fit("parallel", runs().iloc[::2], groups=False)
    monkeypatch.setattr(tangent, "MANY", 100)
    alone = Grouping("run", np.arange(480))
    assert Tangent(fit.problem, fit.theta[None], [alone]).r.shape[1] == 480


def test_groupings_leave_rows_within_groups_and_keep_given_groups_whole() -> None:
    problem = scaling.fit("parallel", runs(), groups=False).problem
    assert [one.name for one in groupings(problem)] == ["size", "cell"]
    assert [(one.name, one.count) for one in groupings(problem, runs().run)] == [
        ("run", 480),
        ("size", 6),
        ("cell", 24),
    ]
    across = np.arange(960) % 7  # groups that no size keeps whole
    assert [one.name for one in groupings(problem, across)] == ["run"]
    assert groupings(problem, np.arange(960))[0].name == "size"


def test_rows_are_joined_where_they_agree_in_every_column() -> None:
    assert joint(np.array([2.0, 1.0, 2.0, 2.0]), np.array(["a", "a", "b", "a"])).tolist() == [0, 1, 2, 0]


def test_cells_keep_categories_and_take_axes_that_reach_zero() -> None:
    kind, share = np.tile([3.0, 7.0, 11.0], 10_000), np.linspace(0.0, 1.0, 30_000)
    cell, count = condensed.row_cells((kind, share))
    assert 100 < count < 5_000
    assert np.unique(np.stack([cell, kind]), axis=1).shape[1] == count
