"""A small model and a text to train it on."""

import heapq
import math
import textwrap
from pathlib import Path

import torch

from sweeps.config.model import ModelConfig

TINY = ModelConfig(vocab=256, width=32, ffn=64, layers=2, heads=4, kv_heads=2, prefix_tokens=6)
TEXT = Path(textwrap.__file__).read_text() + Path(heapq.__file__).read_text()  # does not change with our code
DATA = torch.tensor(list(TEXT.encode()), dtype=torch.long)


def batch(rows=8, tokens=48):
    starts = torch.randint(len(DATA) - tokens - 1, (rows,)).tolist()
    return torch.stack([DATA[s : s + tokens + 1] for s in starts])


def train_on_text(model, steps, autocast=False, masked=False, lr=3e-3):
    """The losses of AdamW on the text. With `masked`, rows end in padding of every length."""
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    losses = []
    for _ in range(steps):
        ids, mask = batch(), None
        if masked:
            mask = torch.arange(48)[None] >= torch.randint(0, 47, (8, 1))  # one row may be nearly empty
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = model.loss(ids[:, :-1], ids[:, 1:], attention_mask=mask)
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        assert math.isfinite(norm)
        optimiser.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses))
    return losses


def gradients(model, ids, mask=None):
    model.zero_grad()
    loss = model.loss(ids[:, :-1], ids[:, 1:], attention_mask=mask)
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()} | {"loss": loss.detach()}
