"""Models trained for a moment on a text."""

from dataclasses import replace

import torch

from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.model.parscale import ParScaleLM

MODEL = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5, init_std=0.3)


def run_of(P, text, **more):
    """A model of P streams trained for a moment on `text`, and its configuration."""
    torch.manual_seed(P)
    config = RunConfig(
        replace(MODEL, P=P), "test", "24x2", seed=P, corpus="x", steps=1, batch=4, seq_len=16, **more
    )
    model = ParScaleLM(config.model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(3):
        ids = torch.from_numpy(text[step * 64 : step * 64 + 65])
        optimizer.zero_grad()
        model.loss(ids[None, :-1], ids[None, 1:]).backward()
        optimizer.step()
    return model, config
