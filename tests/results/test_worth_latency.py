"""Every arm of the grid is timed, on the prompt and the answer of its task."""

import pytest

from results.grids import worth, worth_latency
from sweeps.grids.axes import Axes


@pytest.mark.slow  # builds 120 models
def test_every_arm_is_timed(monkeypatch):
    asked = set()

    def pretend(model, batch, prompt, tokens, samples):
        asked.add((batch, prompt, tokens))
        return 0.01 * batch, model.config.N

    monkeypatch.setattr(worth_latency, "time_answering", pretend)
    table = worth_latency.measured(rounds=2)
    assert len(table) == len(worth.grid(Axes(seeds=(0,)))) * 6 // 4
    assert set(table["size"]) == {*worth.SIZES, *worth.BETWEEN}
    assert not table.duplicated(["task", "size", "arm"]).any()
    assert (table["latency_s_8"] == 0.08).all()
    assert {batch for batch, _, _ in asked} == {1, 8}
    assert len({(prompt, tokens) for _, prompt, tokens in asked}) == 2  # of facts and of sums
