"""Parts of the text by what the context held, and the loss of each."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sweeps.inspect import loss_by_context


def test_what_was_read_is_safe_when_reading_stops_and_stays_when_weights_go(trained_sweep, monkeypatch):
    split = loss_by_context.loss_of_parts
    monkeypatch.setattr(
        loss_by_context, "loss_of_parts", lambda *given: split(*given) if given[0].config.P == 1 else 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        loss_by_context.measure_context(trained_sweep, 500)
    (kept_row,) = pd.read_parquet(trained_sweep / "context.parquet").to_dict("records")
    monkeypatch.setattr(loss_by_context, "loss_of_parts", split)
    for weights in (trained_sweep / "checkpoints").glob(f"{kept_row['run_id']}/config.json"):
        weights.unlink()
    table = pd.concat([pd.DataFrame([kept_row]), pd.DataFrame([kept_row]).assign(run_id="unfinished")])
    table.to_parquet(trained_sweep / "context.parquet")
    found = loss_by_context.measure_context(trained_sweep, 900)
    assert sorted(found["P"]) == [1, 4]
    assert found.set_index("P")["tokens_read"].to_dict() == {1: 500, 4: 900}


def by_hand(row):
    """Repeated, seen, new, start of each target of one window, token by token."""
    pairs, tokens, found = set(), {row[0]}, []
    for place, (last, target) in enumerate(pairwise(row)):
        repeated, seen = (last, target) in pairs, target in tokens
        found.append([repeated, seen and not repeated, not seen, place < loss_by_context.START])
        pairs.add((last, target))
        tokens.add(target)
    return found


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40))
def test_parts_are_what_counting_by_hand_gives(row):
    assert loss_by_context.parts_of_targets(torch.tensor([row]))[0].tolist() == by_hand(row)


def test_the_standard_error_is_that_of_a_ratio():
    total, count = np.array([3.0, 5.0, 1.0]), np.array([2.0, 2.0, 1.0])
    mean, se = loss_by_context.ratio(total, count)
    assert mean == pytest.approx(9 / 5)
    assert se == pytest.approx(np.sqrt(1.5 * ((3 - 3.6) ** 2 + (5 - 3.6) ** 2 + (1 - 1.8) ** 2)) / 5)
    assert np.isnan(loss_by_context.ratio(np.zeros(3), np.zeros(3))).all()
