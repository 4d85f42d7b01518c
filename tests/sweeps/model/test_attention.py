"""Attention's mixed kernels against float32's, and when they are used."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from sweeps.config.model import ModelConfig
from sweeps.model import attention
from sweeps.model.blocks import visibility
from sweeps.model.parscale import ParScaleLM

R, T, D = 3, 40, 16


def parts(heads, kv_heads, K, dtype):
    made = torch.Generator().manual_seed(5)
    shapes = ((R, heads, T, D), (R, kv_heads, K + T, D), (R, kv_heads, K + T, D))
    return [torch.randn(s, generator=made).to(dtype).requires_grad_() for s in shapes]


def with_gradients(attend, q, k, v, *rest):
    out = attend(q, k, v, *rest)
    made = torch.Generator().manual_seed(6)
    out.backward(torch.randn(out.shape, generator=made).to(out.dtype))
    return [out.detach(), q.grad, k.grad, v.grad]


def off(found, exact):
    """Largest error of each result, in units of the exact one's largest value."""
    return [((a.float() - b).abs().max() / b.abs().max()).item() for a, b in zip(found, exact, strict=True)]


@pytest.mark.parametrize("K", [0, 7])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (6, 1)])
def test_mixed_kernels_are_as_exact_as_bfloat16_allows(heads, kv_heads, K):
    mask = visibility(T, 0, K, None, torch.device("cpu"))
    low = parts(heads, kv_heads, K, torch.bfloat16)
    wide = [part.detach().float().requires_grad_() for part in low]
    seen = torch.ones(T, T, dtype=torch.bool).tril() if mask is None else mask
    exact = with_gradients(partial(F.scaled_dot_product_attention, enable_gqa=True), *wide, seen)
    assert max(off(with_gradients(attention.attend, *low, mask), exact)) < 0.01


@pytest.mark.parametrize("P", [1, 3])
def test_bfloat16_training_takes_them_and_nothing_else_does(P, monkeypatch):
    calls = []
    apply = attention._MixedFlash.apply
    monkeypatch.setattr(attention._MixedFlash, "apply", lambda *args: calls.append(1) or apply(*args))
    config = ModelConfig(64, 32, 64, 2, 2, 1, P=P, prefix_tokens=3)
    model, ids = ParScaleLM(config), torch.randint(64, (2, 9))
    model.loss(ids, ids).backward()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        model.loss(ids, ids)
    assert calls == []
    with torch.autocast("cpu", torch.bfloat16):
        model.loss(ids, ids).backward()
    assert len(calls) == config.layers
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_padding_masks_go_to_torchs_own_attention(monkeypatch):
    monkeypatch.setattr(attention._MixedFlash, "apply", None)
    real = torch.tensor([[False, True, True], [True, True, True]])
    mask = visibility(3, 0, 0, real, torch.device("cpu"))
    q, k, v = (torch.randn(2, 2, 3, D).bfloat16().requires_grad_() for _ in range(3))
    assert attention.attend(q, k, v, mask).shape == q.shape
