"""The table of costs at each size and P."""

import numpy as np
import pytest

from analysis.costs.cost_ratios import BATCHES, LENGTHS
from analysis.costs.cost_table import COST_COLUMNS, cost_table
from analysis.costs.hardware import H100
from analysis.inference_cost import estimate


def test_every_run_has_the_mean_cost_over_lengths_at_every_batch(stack, architectures):
    table = cost_table(stack, architectures)
    assert list(table) == COST_COLUMNS
    assert len(table) == len(stack) * len(BATCHES)
    row = table[(table["size"] == "1.6B") & (table["P"] == 4) & (table["batch"] == BATCHES[-1])].iloc[0]
    n = np.array(LENGTHS, dtype=float)
    cost = estimate(width=1536, ffn=8320, P=4, batch=BATCHES[-1], input_tokens=n, output_tokens=n)
    assert row["memory_gib"] == pytest.approx(cost.memory_gib.mean())
    assert row["latency_s"] == pytest.approx(cost.latency_s.mean())


def test_faster_hardware_costs_time_alone(stack, architectures):
    slow, fast = cost_table(stack, architectures), cost_table(stack, architectures, hardware=H100)
    assert (fast["latency_s"] < slow["latency_s"]).all()
    assert fast["memory_gib"].tolist() == slow["memory_gib"].tolist()


def test_a_size_without_a_shape_is_refused(stack, architectures):
    with pytest.raises(ValueError, match=r"'0\.5B'.*architectures"):
        cost_table(stack, architectures[1:])
