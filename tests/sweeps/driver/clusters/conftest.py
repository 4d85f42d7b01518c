"""A sweep of two stages and two single runs, none of them begun."""

import pytest

from sweeps.driver.worker import Job
from sweeps.grids.grids import Axes, find

SINGLE = find("ci")(Axes(sizes=("32x1",), streams=(1, 2)))
STAGES = find("ci")(Axes(sizes=("32x1",), streams=(2,), recipe="two-stage", stage2_share=0.1))


@pytest.fixture
def job(store):
    """Stage 2 last."""
    runs = store.add(sorted([*SINGLE, *STAGES], key=lambda run: bool(run.parent)))
    return Job(str(store.folder), list(runs), "mine")
