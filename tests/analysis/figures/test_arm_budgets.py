"""The figure of budgets: one panel per budget, one point per arm and task, arrows for open ends."""

import numpy as np
import pandas as pd

from analysis.figures import arm_budgets


def test_every_arm_has_its_point_and_open_ends_are_arrows():
    rows = [
        {"task": task, "budget": budget, "arm": arm, "factor": 2.0, "lower": low, "upper": high}
        for task in ("memory", "reasoning")
        for budget in ("parameters", "training FLOPs")
        for arm, low, high in (("P2", 1.5, 3.0), ("r4", 0.0, np.inf))
    ]
    panels = arm_budgets(pd.DataFrame(rows)).axes
    assert [axes.get_title(loc="left") or axes.get_title() for axes in panels] == [
        "parameters",
        "training FLOPs",
    ]
    for axes in panels:
        marks = {line.get_marker(): 0 for line in axes.lines}
        for line in axes.lines:
            marks[line.get_marker()] += len(line.get_xdata())
        assert (marks["o"], marks["<"], marks[">"]) == (4, 2, 2)
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["P2", "r4"]
