"""Configurations of runs: JSON, identity, what cannot be."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pandas as pd
import pytest

from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig

MODEL = ModelConfig(vocab=300, width=32, ffn=96, layers=2, heads=2, kv_heads=1)
RUN = RunConfig(MODEL, sweep="s", size="32x2", seed=1, corpus="stdlib", steps=7, batch=4, seq_len=16)


def test_a_configuration_survives_json_and_every_field_counts():
    assert RunConfig.from_json(RUN.to_json()) == RUN
    parted = replace(RUN, model=replace(MODEL, prefix_std=1.0))
    assert RunConfig.from_json(parted.to_json()) == parted
    assert replace(RUN, seed=2).run_id != RUN.run_id
    assert parted.run_id != RUN.run_id
    assert replace(RUN, model=replace(MODEL, rope_base=5e3)).run_id != RUN.run_id
    with pytest.raises(FrozenInstanceError):
        RUN.seed = 3


def test_unknown_fields_are_named():
    with pytest.raises(ValueError, match=r"RunConfig.*'speed'"):
        RunConfig.from_json(RUN.to_json().replace('"seed"', '"speed":1,"seed"'))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps=0.*1"),
        ({"lr": -1.0}, "lr=-1.0"),
        ({"accumulate": 3}, "accumulate=3.*batch=4"),
        ({"schedule": "step"}, "schedule='step'"),
        ({"lr": "1e-3"}, "lr='1e-3'"),
        ({"steps": 7.0}, "steps=7.0"),
        ({"seed": True}, "seed=True"),
        ({"corpus": 3}, "corpus=3"),
        ({"compile": 1}, "compile=1.*True.*False"),
    ],
)
def test_impossible_configurations_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(RUN, **change)


def test_runs_trained_before_a_field_was_added_keep_their_ids():
    runs = pd.read_parquet(Path(__file__).parents[3] / "results/demo/runs.parquet")
    assert len(runs)
    for run_id, config in zip(runs["run_id"], runs["config"], strict=True):
        assert RunConfig.from_json(config).run_id == run_id
