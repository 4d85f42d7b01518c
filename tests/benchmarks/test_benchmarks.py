"""Benchmarks compare implementations that give the same result."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmarks.__main__ import PARTS
from benchmarks.model import plain, training
from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM

ROOT = Path(__file__).parents[2]
TINY = ModelConfig(vocab=61, width=32, ffn=48, layers=2, heads=4, kv_heads=2, prefix_tokens=5)


@pytest.mark.parametrize("P", [1, 2, 5])
def test_the_yardstick_is_the_same_model(P):
    torch.manual_seed(0)
    model, (ids, targets) = ParScaleLM(replace(TINY, P=P)), torch.randint(61, (2, 3, 12))
    found = []
    for loss in (ParScaleLM.loss, plain.loss):
        model.zero_grad()
        value = loss(model, ids, targets)
        value.backward()
        found.append([value.detach(), *(p.grad.clone() for p in model.parameters())])
    torch.testing.assert_close(*found, atol=1e-6, rtol=1e-4)


def test_the_page_of_training_steps_is_that_of_its_table():
    """results/benchmarks/model_training.md is what `python -m benchmarks.model.training` makes of the rows."""
    table = ROOT / "results/benchmarks/model_training.csv"
    assert table.with_suffix(".md").read_text() == training.page(pd.read_csv(table))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_make_bench_runs_when_it_is_run(part):
    assert (
        (ROOT / "benchmarks" / f"{part.replace('.', '/')}.py")
        .read_text()
        .endswith('if __name__ == "__main__":\n    main()\n')
    )
