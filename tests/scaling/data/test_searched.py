"""Of the runs at one point, those at the best settings are the sweep's result."""

import numpy as np
import pandas as pd
import pytest

from scaling.data.runs import finished_runs, left_out, usable
from scaling.data.searched import settings_searched, worse

# One size at two P, three learning rates, two seeds. The best mean is at 0.003 for P = 1 and at 0.001 for P = 2.
MEANS = {(1, 0.001): 3.2, (1, 0.003): 3.0, (1, 0.01): 3.1, (2, 0.001): 2.8, (2, 0.003): 2.9, (2, 0.01): 5.0}
ROWS = [
    {"N": 1e6, "P": P, "D": 1e8, "size": "a", "lr": lr, "seed": seed, "loss": mean + (-0.3, 0.3)[seed]}
    for (P, lr), mean in MEANS.items()
    for seed in (0, 1)
]
TABLE = pd.DataFrame(ROWS).assign(status="ok", searched="lr")


def test_the_best_setting_of_each_point_is_kept_with_all_its_seeds():
    kept = finished_runs(TABLE)
    assert set(zip(kept.P, kept.lr, strict=True)) == {(1, 0.003), (2, 0.001)}
    assert len(kept) == 4
    assert left_out(TABLE) == {"not at the best lr": 8}
    assert usable(TABLE.drop(columns="searched")).all()


def test_diverged_runs_and_settings_of_fewer_seeds_are_not_the_best():
    status = np.where((TABLE.P == 1) & (TABLE.lr == 0.003) & (TABLE.seed == 0), "diverged", "ok")
    kept = finished_runs(TABLE.assign(status=status))
    assert set(zip(kept.P, kept.lr, strict=True)) == {(1, 0.01), (2, 0.001)}


def test_a_batch_that_moves_D_by_less_than_a_step_is_one_point():
    table = TABLE.assign(searched="batch", batch=(TABLE.lr * 1000).astype(int), D=1e8 * (1 + TABLE.lr / 1e3))
    assert len(finished_runs(table)) == 4
    assert settings_searched(table) == ["batch"]


def test_a_table_without_what_it_searched_is_refused_by_name():
    with pytest.raises(ValueError, match=r"\blr\b"):
        worse(TABLE.drop(columns="lr"), np.ones(len(TABLE), dtype=bool))
