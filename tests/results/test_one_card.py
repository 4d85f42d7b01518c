"""What one card would still decide: the order, and the time limit."""

from types import SimpleNamespace

import pandas as pd
import pytest

import scaling
from results.grids import one_card


@pytest.fixture(scope="module")
def plan():
    have = scaling.read_runs(one_card.HAVE / "runs.parquet")
    return one_card.planned(have, pd.read_parquet(one_card.HAVE / "curves.parquet"))


def test_controls_come_first_and_nothing_twice(plan):
    places = [one_card.place_of(run) for run, _, _ in plan]
    trained = scaling.read_runs(one_card.CONTROLS / "runs.parquet")["size"].tolist()
    controls = [size for size in one_card.SIZES if size not in trained]
    assert "64x8" in trained
    assert [size for size, *_, prefix in places if prefix] == controls
    assert [prefix for *_, prefix in places] == sorted((prefix for *_, prefix in places), reverse=True)
    assert len(set(places)) == len(places) == len(controls) + 23
    have = scaling.read_runs(one_card.HAVE / "runs.parquet")
    known = {(row.size, row.P, row.seed, False) for row in have.itertuples()}
    assert {place for place, (_, _, why) in zip(places, plan, strict=True) if place in known} == {
        ("128x8", 4, 0, False), ("256x8", 8, 0, False),  # their curves were lost
    }  # fmt: skip
    takes = {place: minutes for place, (_, minutes, _) in zip(places, plan, strict=True)}
    assert takes["64x8", 8, 0, False] >= takes["64x8", 4, 0, False] >= takes["64x8", 1, 1, False]


def test_nothing_is_begun_that_would_not_end(plan, monkeypatch, tmp_path):
    minutes = [takes for _, takes, _ in plan]
    assert one_card.next_runs(plan, set(), 0.5 * min(minutes), 4) == []
    first = one_card.next_runs(plan, set(), minutes[0] + 0.01, 4)
    assert one_card.place_of(first[0]) == one_card.place_of(plan[0][0])
    done: set = set()

    def pretend(runs, out, **_):
        done.update(map(one_card.place_of, runs))
        return SimpleNamespace(summary="", interrupted=len(done) > 5, failed=False)

    monkeypatch.setattr(one_card, "run_sweep", pretend)
    monkeypatch.setattr(one_card, "_done", lambda out: set(done))
    one_card.train(plan, tmp_path / "card", 14, 2)
    fitting = [one_card.place_of(run) for run, takes, _ in plan if takes < 14]
    assert done == set(fitting[:6])
