"""A compiled run whose process is killed goes on in another one, to the bit."""

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.store.checksums import read_row
from sweeps.training.compiling import cxx_compiler

ROOT = Path(__file__).parents[3]
RUN = """
import sys
from pathlib import Path
from torch._dynamo.utils import counters
from sweeps.config import RunConfig
from sweeps.config.execution import Execution
from sweeps.store.checksums import write_row
from sweeps.training.train import train

run, folder = RunConfig.from_json(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
execution = Execution(threads=1, accelerator="cpu", report_seconds=0.0, checkpoint_minutes=float(sys.argv[3]))
row = train(run, folder, execution=execution, report=print)
assert counters["stats"]["unique_graphs"] > 0  # it was compiled
write_row(folder / "row.json", row)
"""


def start(run, folder, minutes):
    """A process that trains the run and writes its state at a given interval."""
    folder.mkdir(exist_ok=True)
    (folder.parent / "run.json").write_text(run.to_json())
    command = [sys.executable, "-W", "ignore", "-c", RUN, folder.parent / "run.json", folder, str(minutes)]
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(list(map(str, command)), env=settings, stdout=subprocess.PIPE, text=True)


def ended(process):
    """What a process printed. It must not have failed."""
    try:
        said, _ = process.communicate(timeout=900)
    finally:
        process.kill()
    assert process.returncode == 0, said
    return said


@pytest.mark.slow
@pytest.mark.skipif(
    cxx_compiler() is None and "CI" not in os.environ, reason="torch.compile needs a C++ compiler"
)
def test_a_compiled_run_in_bfloat16_that_was_killed_ends_bit_identical(corpus, tmp_path):
    model = ModelConfig(vocab=300, width=32, ffn=96, layers=1, heads=2, kv_heads=1, P=2, prefix_tokens=4)
    run = RunConfig(model, "test", "32x1", seed=3, corpus=corpus, steps=300, batch=16, seq_len=16, lr=5e-3)
    # Evaluation and the look at the streams read as many windows as a step: one shape, compiled once.
    run = replace(run, eval_tokens=512, eval_batch=16, evaluations=2, compile=True, precision="bf16")
    ended(start(run, tmp_path / "whole", 60))
    killed = start(run, tmp_path / "killed", 0.0001)
    deadline = time.monotonic() + 900
    while not list((tmp_path / "killed").glob("step-*.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert not (tmp_path / "killed" / "row.json").exists()
    assert re.search(r"\bstep \d", ended(start(run, tmp_path / "killed", 60)))

    rows = [read_row(tmp_path / name / "row.json") for name in ("whole", "killed")]
    for name in ("loss", "loss_se", "train_loss"):
        assert rows[0][name] == rows[1][name], name
    weights = [load_checkpoint(tmp_path / name).state_dict() for name in ("whole", "killed")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    curves = [pd.read_parquet(tmp_path / name / "curve.parquet") for name in ("whole", "killed")]
    pd.testing.assert_frame_equal(*curves)
