"""A run as it is planned, of a corpus that nobody reads."""

from dataclasses import replace

from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig


def config(P=1, **changes):
    model = ModelConfig(vocab=300, width=32, ffn=96, layers=2, heads=2, kv_heads=1, P=P, prefix_tokens=4)
    run = RunConfig(model, "test", "32x2", seed=3, corpus="x", steps=24, batch=4, seq_len=32, lr=5e-3)
    return replace(run, **changes)
