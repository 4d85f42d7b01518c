"""Where training of the streams starts: at the backbone's own loss, or with reparameterised prefixes.

Shapes: P streams, K prefix tokens, n query heads, m key and value heads, d head dimension, X samples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from sweeps.checkpoint.stream_bank import view
from sweeps.model.blocks import Attention
from sweeps.model.parscale import ParScaleLM

NOISE = 0.005  # std of what is added to the quiet keys and values
TRIMS = 4  # steps of Newton's method
RIDGE = 1e-5  # on the squared norm of the quiet key: ends the descent once no attention is left


@dataclass(frozen=True)
class HeadSample:
    """What the queries of one key-value head meet in the backbone, over some text."""

    queries: Tensor  # (X, d) after the rotation, scaled by 1/sqrt(d)
    log_Z: Tensor  # (X,) log of the softmax's partition over the real tokens
    outputs: Tensor  # (X, d) what attention returns there


@torch.no_grad()
def sample_heads(attention: Attention, x: Tensor, rope: tuple[Tensor, Tensor]) -> list[HeadSample]:
    """Queries, partitions and outputs of every key-value head for the normed input x (B, T, h)."""
    q, k, v = (part.float() for part in attention.project(x, rope))
    m, d, T = attention.kv_heads, q.shape[-1], q.shape[2]
    group = attention.heads // m
    q = q.view(q.shape[0], m, group, T, d) / math.sqrt(d)
    scores = torch.einsum("bmgtd,bmsd->bmgts", q, k)
    future = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1)
    scores = scores.masked_fill(future, float("-inf"))
    out = torch.einsum("bmgts,bmsd->bmgtd", scores.softmax(dim=-1), v)
    log_Z = scores.logsumexp(dim=-1)
    by_head = zip(q.transpose(0, 1), log_Z.transpose(0, 1), out.transpose(0, 1), strict=True)
    return [HeadSample(q.reshape(-1, d), z.reshape(-1), o.reshape(-1, d)) for q, z, o in by_head]


def quiet_prefix(sample: HeadSample, K: int) -> tuple[Tensor, Tensor, Tensor]:
    """Key and value (d,) of K prefix tokens that change the head's output little, and their mean share.

    The share of query q is s = sigmoid(log K + q.k - log Z), and the output o moves by s (v - o). The
    mean of -log(1 - s) plus a ridge is convex in k: a logistic regression with one class. Where the
    queries leave no way out some share remains. v is what moves the outputs least there, in mean square.
    """
    offset = math.log(K) - sample.log_Z
    key = nn.Parameter(torch.zeros_like(sample.queries[0]))
    solver = torch.optim.LBFGS([key], max_iter=100, history_size=20, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        solver.zero_grad()
        value = F.softplus(offset + sample.queries @ key).mean() + RIDGE * key.square().mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(objective)  # type: ignore[no-untyped-call]
    share = torch.sigmoid(offset + sample.queries @ key).detach()
    weight = share.square()[:, None]
    value = (weight * sample.outputs).sum(dim=0) / weight.sum().clamp_min(1e-30)
    return key.detach(), value, share.mean()


def quiet_streams(model: ParScaleLM, input_ids: Tensor) -> Tensor:
    """Make a grown model start at its backbone's loss. Returns the mean share of attention, (layers, m).

    The prefix keys are those that draw least attention from this text's queries, the prefix values those
    that move the outputs least where some share is left, and what difference in loss is left is then
    trimmed away. The last aggregation layer is zero: equal weights. A little noise tells the streams
    apart, or they never would part.

    Args:
        model: P > 1, on a trained backbone.
        input_ids: text like the training text, (B, T).

    """
    if model.config.P == 1:
        raise ValueError("P = 1 has no streams to make quiet")
    backbone = view(model, P=1)
    shares = quiet_prefixes(model, backbone, input_ids)
    with torch.no_grad():
        for name, parameter in model.model.aggregate_layer.named_parameters():
            if name.startswith("2."):
                parameter.zero_()
    trim(model, backbone, input_ids)
    return torch.stack(shares)


@torch.no_grad()
def quiet_prefixes(model: ParScaleLM, backbone: ParScaleLM, input_ids: Tensor) -> list[Tensor]:
    """Write each layer's quiet prefixes from what the backbone's layer meets on this text, over all its loops.

    Returns each layer's shares of attention, as `set_prefixes` does.
    """
    quieted = dict(zip(backbone.attentions, model.attentions, strict=True))
    met: dict[nn.Module, list[list[HeadSample]]] = {layer: [] for layer in quieted}
    left = Counter(backbone.attentions[index] for index in backbone.model.order)
    shares: dict[nn.Module, Tensor] = {}

    def look(layer: Attention, given: tuple[Any, ...]) -> None:
        met[layer].append(sample_heads(layer, *given[:2]))
        left[layer] -= 1
        if not left[layer]:
            heads = zip(*met.pop(layer), strict=True)
            with torch.enable_grad():
                shares[layer] = set_prefixes(quieted[layer], [one_sample(head) for head in heads])

    hooks = [layer.register_forward_pre_hook(look) for layer in quieted]
    backbone.streams(input_ids)
    for hook in hooks:
        hook.remove()
    return [shares[layer] for layer in quieted]


def one_sample(samples: Sequence[HeadSample]) -> HeadSample:
    """The samples of one head's calls as one."""
    parts = ((one.queries, one.log_Z, one.outputs) for one in samples)
    return HeadSample(*(torch.cat(part) for part in zip(*parts, strict=True)))


def trim(model: ParScaleLM, backbone: ParScaleLM, input_ids: Tensor) -> None:
    """Bring the loss on this text to the backbone's by the smallest change of the prefix values.

    Newton's method for one equation: along its gradient g the loss reaches the target at difference / g.g.
    """
    inputs, targets = input_ids[:, :-1], input_ids[:, 1:]
    values = [attention.prefix_v for attention in model.attentions]
    with torch.no_grad():
        target = backbone.loss(inputs, targets)
    for _ in range(TRIMS):
        loss = model.loss(inputs, targets)
        gradients = torch.autograd.grad(loss, values)
        step = (loss.detach() - target) / torch.stack([g.square().sum() for g in gradients]).sum()
        with torch.no_grad():
            for value, gradient in zip(values, gradients, strict=True):
                value.sub_(step * gradient)


def set_prefixes(attention: Attention, samples: list[HeadSample]) -> Tensor:
    """Write one layer's quiet prefixes. Returns the mean share each key-value head still gives them."""
    keys, values, shares = [], [], []
    for sample in samples:
        key, value, share = quiet_prefix(sample, attention.prefix_k.shape[2])
        keys.append(key)
        values.append(value)
        shares.append(share)
    with torch.no_grad():
        for prefix, heads in ((attention.prefix_k, keys), (attention.prefix_v, values)):
            drawn = torch.randn(prefix.shape, device=prefix.device) * NOISE
            prefix.copy_(drawn + torch.stack(heads)[None, :, None, :])
    return torch.stack(shares)


class ResidualMLP(nn.Module):
    """z -> z + W2 tanh(W1 z): the prefix seen through a small network while it is trained.

    W2 starts at zero, so that wrapping a prefix changes nothing (Li & Liang 2021, arXiv 2101.00190,
    for the network, and Razdaibiedina et al. 2023, arXiv 2305.03937, for the residual path).
    """

    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(d, width), nn.Linear(width, d)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, z: Tensor) -> Tensor:
        """(P, m, K, d) -> (P, m, K, d)."""
        added: Tensor = self.outer(torch.tanh(self.inner(z)))
        return z + added


def reparameterise(model: ParScaleLM, width: int = 512) -> None:
    """Train the prefixes through a small network, one for the keys and one for the values of a layer."""
    for attention in model.attentions:
        for name in ("prefix_k", "prefix_v"):
            network = ResidualMLP(model.config.head_size, width).to(model.head.device)
            parametrize.register_parametrization(attention, name, network)


def network_width(model: ParScaleLM) -> int:
    """Inner width of the networks that the prefixes are seen through. 0: there are none."""
    first = model.attentions[0]
    if not parametrize.is_parametrized(first, "prefix_k"):
        return 0
    network = first.get_submodule("parametrizations.prefix_k.0.inner")
    return int(network.get_parameter("bias").shape[0])


def merge(model: ParScaleLM) -> None:
    """Replace reparameterised prefixes by what they evaluate to. `save_checkpoint` does so by itself."""
    for attention in model.attentions:
        for name in ("prefix_k", "prefix_v"):
            if parametrize.is_parametrized(attention, name):
                parametrize.remove_parametrizations(attention, name, leave_parametrized=True)
