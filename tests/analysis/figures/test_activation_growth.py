"""The figure of the coordinate check: one line per activation and step, one scale for both panels."""

import itertools

import pandas as pd
import pytest

from analysis.figures import activation_growth


def test_each_parametrisation_has_its_lines_on_one_scale():
    rows = [
        {
            "kind": kind,
            "width": width,
            "step": step,
            "seed": seed,
            "activation": name,
            "change": 0.1 * step + seed,
        }
        for kind, width, step, seed, name in itertools.product(
            ("muP", "standard"), (32, 64), (1, 2), (0, 1), ("block 1", "logits")
        )
    ]
    left, right = activation_growth(pd.DataFrame(rows)).axes
    assert left.get_ylim() == right.get_ylim()
    assert len(left.lines) == len(right.lines) == 4
    means = sorted(float(line.get_ydata()[0]) for line in left.lines)
    assert means == pytest.approx([0.6, 0.6, 0.7, 0.7])
