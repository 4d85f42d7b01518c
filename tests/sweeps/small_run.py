"""The run that tests of training train: 24 steps of a small model."""

from dataclasses import replace

from sweeps.config.execution import Execution
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig

ONE = Execution(threads=1, accelerator="cpu", report_seconds=0.0)


def config(corpus, P=1, **changes):
    model = ModelConfig(vocab=300, width=32, ffn=96, layers=2, heads=2, kv_heads=1, P=P, prefix_tokens=4)
    run = RunConfig(
        model, "test", "32x2", seed=3, corpus=corpus, steps=24, batch=4, seq_len=32, lr=5e-3, eval_tokens=4000
    )
    return replace(run, **changes)
