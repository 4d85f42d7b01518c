"""Tables rebuilt from what is stored with the weights."""

import re
import shutil

import pandas as pd
import pytest

from sweeps.store.store import Store
from tests.sweeps.flipped_bits import flip
from tests.sweeps.stored_runs import config, finish


@pytest.mark.parametrize("name", ["runs", "curves", "domains"])
def test_a_gathered_table_is_made_anew_from_what_lies_beside_the_weights(gathered, name):
    path = gathered.folder / f"{name}.parquet"
    before = pd.read_parquet(path)
    flip(path, 40)
    again = Store(gathered.folder)
    again.gather(curves=True)
    assert len(again.said) == 1
    assert again.said[0].startswith(f"{path}.damaged: ")
    assert again.damaged() == {path.with_name(f"{path.name}.damaged")}
    pd.testing.assert_frame_equal(
        pd.read_parquet(path).sort_values("run_id", ignore_index=True),
        before.sort_values("run_id", ignore_index=True),
    )


def test_what_a_damaged_table_held_and_nobody_else_has_is_said(gathered):
    lost, *_ = sorted(gathered.finished())
    shutil.rmtree(gathered.checkpoint(lost))
    flip(gathered.folder / "runs.parquet", 40)
    flip(gathered.folder / "curves.parquet", 40)
    again = Store(gathered.folder)
    again.gather(curves=True)
    assert lost not in again.finished()
    assert len(again.finished()) == 2
    assert [re.findall(r"(\w+)\.parquet.* 2 runs", line) for line in again.said] == [["runs"], ["curves"]]
    assert lost not in set(pd.read_parquet(gathered.folder / "curves.parquet")["run_id"])


def test_a_damaged_row_or_curve_is_made_anew_or_its_run_is_to_be_trained_again(gathered):
    runs = [config(seed=seed) for seed in (3, 4)]
    for run in runs:
        finish(gathered, run)
    had, lost = (run.run_id for run in runs)
    (gathered.checkpoint(lost) / "row.json").unlink()
    (gathered.checkpoint(lost) / "curve.parquet").unlink()
    for run_id in (had, lost):
        flip(gathered.folder / "rows" / f"{run_id}.json", 90)
        flip(gathered.folder / "curves" / f"{run_id}.parquet", 90)
    gathered.gather(curves=True)
    told = {
        line.partition(": ")[0].rpartition("sweep/")[2]: line.rpartition(". ")[2] for line in gathered.said
    }
    assert told == {
        f"rows/{had}.json.damaged": "Made again",
        f"rows/{lost}.json.damaged": "Trained again",
        f"curves/{had}.parquet.damaged": "Made again",
        f"curves/{lost}.parquet.damaged": "Lost",
    }
    assert gathered.finished() == {config(seed=seed).run_id for seed in range(4)}
    assert len(pd.read_parquet(gathered.folder / "curves.parquet")) == 8


def test_a_run_that_was_forgotten_does_not_come_back(gathered):
    gone, *_ = sorted(gathered.finished())
    gathered.forget([gone])
    flip(gathered.folder / "runs.parquet", 40)
    gathered.gather()
    assert gone not in gathered.finished()
    assert len(gathered.finished()) == 2
