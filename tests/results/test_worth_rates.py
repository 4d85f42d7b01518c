"""The rate of each arm: its best over both tasks."""

import pandas as pd
import pytest

from results.grids.worth_rates import chosen_rates, to_save, tried_rates


def test_an_arm_takes_its_best_over_both_tasks():
    losses = {  # size, P: (memory, reasoning) at half, once, twice the rate
        ("64x2", 1): ((2.0, 0.5), (1.0, 0.6), (1.5, 0.7)),
        ("64x2", 2): ((1.0, 0.5), (1.1, 0.6), (1.5, 0.7)),
        ("64x2r4", 1): ((2.0, 0.9), (1.9, 0.8), (0.1, None)),
    }
    rows = [
        {
            "size": size,
            "P": P,
            "sweep": sweep,
            "corpus": task,
            "loss": loss,
            "status": "ok" if loss else "diverged",
        }
        for (size, P), rates in losses.items()
        for sweep, pair in zip(("worth-half", "worth", "worth-double"), rates, strict=True)
        for task, loss in zip("ab", pair, strict=True)
    ]
    table = tried_rates(pd.DataFrame(rows))
    best, edges = chosen_rates(table)
    assert best == {"P1": 1.0, "P2": 0.5, "r4": 1.0}  # not 2.0: one task has no loss there
    assert edges == ["P2", "r4"]
    assert to_save({"r4": 1.0, "P4": 0.5}) == {"P4": 0.5, "P8": 0.5, "r4": 1.0}
    assert table.loc["P2", 0.5] == pytest.approx(-0.3466, abs=1e-4)
