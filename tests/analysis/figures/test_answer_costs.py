"""Accuracy against the cost of an answer: what each panel shows."""

import re

import pandas as pd
import pytest

from analysis import figures
from tests.analysis.artists import text


def test_seeds_are_averaged_and_work_is_told_apart():
    row = {
        "corpus": "task:arithmetic#digits=4",
        "difficulty": 4,
        "N": 9,
        "P": 1,
        "trained_r": 1,
        "r": 1,
        "steps": 0,
    }
    row |= {
        "way": "greedy",
        "m": 1,
        "accuracy_se": 0.0,
        "flops": 2e6,
        "latency_s_1": 0.001,
        "latency_s_8": 0.002,
    }
    row |= {"memory_bytes_1": 3e6, "memory_bytes_8": 4e6}
    worked = row | {"corpus": "task:arithmetic#digits=4#steps=2", "steps": 4, "flops": 3e6}
    rows = [
        row | {"accuracy": 0.2, "seed": 0},
        row | {"accuracy": 0.4, "seed": 1},
        worked | {"accuracy": 0.9},
    ]
    rows += [row | {"way": way, "m": m, "accuracy": a} for way, m, a in (("one", 1, 0.1), ("vote", 2, 0.5))]
    figure = figures.accuracy_against_cost(pd.DataFrame(rows))
    assert len(figure.axes) == 5  # one task, one difficulty: work is not another task
    first = figure.axes[0]
    points = {c.get_label(): c.lines[0].get_xydata().tolist() for c in first.containers}
    assert points == {
        "_$P = 1$, r 1, work 0": [[2.0, pytest.approx(0.3)]],
        "_$P = 1$, r 1, work 2": [[3.0, 0.9]],
    }
    assert any([2.0, 0.5] in line.get_xydata().tolist() for line in first.lines)  # the vote of two
    assert re.search(r"MB.*\b8\b", figure.axes[4].get_xlabel())
    assert text(figures.accuracy_against_cost(pd.DataFrame(rows).iloc[:0]).axes[0])
