"""What a report adds to the three answers: cost with worth, why an interval has no end, what to train next."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.report import card_notes
from analysis.sweep import results
from scaling.selection.verdict import without_fit
from tests.analysis.sweep_of_runs import sweep


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweeps") / "s"
    table = sweep(folder, (51234, 181000, 702000, 2100000), (1, 2, 4))
    table.assign(seed=0, D=1e6, C=table["N"] * table["P"] ** 0.9).to_parquet(folder / "runs.parquet")
    return results.read_sweep(folder)


def test_the_first_answer_has_its_cost_beside_its_worth(seen):
    found = seen.verdicts["stdlib"]
    assert found.streams.P == 4
    said, law, why = card_notes.card_notes(found, seen.runs)
    assert f"{found.streams.number:.2f} times" in said
    assert re.search(rf"{4**0.9:.1f} times.*FLOPs", said)
    assert (law, why) == ("", "")
    assert "FLOPs" not in card_notes.card_notes(found, seen.runs.drop(columns="C"))[0]
    assert card_notes.card_notes(without_fit("no runs"), seen.runs) == ("", "", "")


def test_an_interval_without_an_end_says_why(seen):
    found = seen.verdicts["stdlib"]
    open_ = replace(found.extrapolates, answer="cannot tell", number=0.01, lower=-0.1, upper=np.inf)
    assert card_notes.card_notes(replace(found, extrapolates=open_), seen.runs)[2].endswith("upper end.")


def test_missing_runs_are_next_by_name_and_six_at_most(seen):
    names = tuple(f"{w}x8 at P = 2, seed 0" for w in range(8))
    said = card_notes.next_text(replace(seen, to_come=names))
    assert [name in said for name in names] == [True] * 6 + [False] * 2
    assert re.search(r"\b2\b", said)
    assert seen.source in said


def test_what_is_open_by_the_verdict_is_next_where_no_run_is_missing(seen):
    found = seen.verdicts["stdlib"]
    assert card_notes.SEEDS not in card_notes.next_text(seen)
    unsure = replace(found, streams=replace(found.streams, answer="cannot tell"))
    one = replace(seen)
    object.__setattr__(one, "verdicts", {"stdlib": unsure})
    assert card_notes.SEEDS in card_notes.next_text(one)


def test_the_price_of_streams_is_told_where_it_can_be():
    runs = pd.DataFrame(
        {"size": ["a", "a", "b", "b"], "D": 1e6, "P": [1, 4, 1, 4], "C": [1.0, 3.0, 2.0, 8.0]}
    ).assign(loss=1.0)
    assert re.search("3.5 .*P = 4", card_notes.price_text(runs))
    assert not card_notes.price_text(runs.drop(columns="C"))
    assert not card_notes.price_text(runs[runs["P"] == 4])
