"""Memory and latency of generating text with a ParScale transformer: the roofline behind arXiv 2505.10475.

Legend: h width, f ffn, V vocabulary, b bytes a value, B = batch x P rows in the layers, S prompt
tokens (prefix included), F FLOP/s reached, W bytes/s reached. Every step takes the longer of its
arithmetic and its memory traffic; generation is one pass over the prompt and one pass a token. A GB in
the paper's figures is a GiB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.costs.hardware import (
    A100,
    DTYPE_BYTES,
    H100,
    H200,
    LAPTOP,
    Hardware,
    checked_hardware,
    read_hardware,
)

__all__ = ["A100", "GIB", "H100", "H200", "LAPTOP", "CostEstimate", "Hardware", "estimate", "read_hardware"]

GIB = 2.0**30
PREFIX_TOKENS = 48  # of a stream of the published models

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CostEstimate:
    """Memory and latency of one batch, with the parts they are the sums of. All have the same shape.

    Args:
        memory_bytes: weights, cache and activations, bytes.
        latency_s: prompt and generation, seconds.
        weight_bytes: of the weights, bytes.
        kv_cache_bytes: of the keys and values, bytes.
        activation_bytes: of the activations, bytes.
        prompt_s: to read the prompt, seconds.
        decode_s: to generate the tokens, seconds.
    """

    memory_bytes: Any
    latency_s: Any
    weight_bytes: Any
    kv_cache_bytes: Any
    activation_bytes: Any
    prompt_s: Any
    decode_s: Any

    @property
    def memory_gib(self) -> Any:
        """Memory in GiB, the "GB" of the paper's figures."""
        return self.memory_bytes / GIB


@dataclass(frozen=True)
class _Machine:
    """The model's shape and the machine's rates, as float64 arrays that broadcast."""

    h: Array
    f: Array
    layers: Array
    heads: Array
    kv_share: Array  # kv_heads / heads
    vocab: Array
    b: float
    flops: float
    bandwidth: float

    @property
    def attention_weights(self) -> Array:
        """Values of q, o (2 h^2) and k, v (2 h^2 n_kv / n_h) in one layer."""
        return 2 * self.h**2 * (1 + self.kv_share)

    @property
    def mlp_weights(self) -> Array:
        """Values of gate, up and down in one layer."""
        return 3 * self.h * self.f

    def attention_s(self, B: Array, s: Array) -> Array:
        """One layer's attention over B rows of s tokens."""
        arithmetic = 4 * B * s * self.h**2 * (1 + self.kv_share) + 4 * B * s**2 * self.h
        activations = np.maximum(3 * self.b * s * B * self.h, 2 * self.heads * s**2 * B * self.b)
        traffic = self.attention_weights * self.b + activations
        return np.maximum(arithmetic / self.flops, traffic / self.bandwidth)

    def mlp_s(self, B: Array, s: Array) -> Array:
        """One layer's gated feed-forward over B rows of s tokens."""
        arithmetic = 6 * B * s * self.h * self.f
        traffic = self.mlp_weights * self.b + self.b * self.f * s * B
        return np.maximum(arithmetic / self.flops, traffic / self.bandwidth)

    def norm_s(self, B: Array, s: Array) -> Array:
        """One normalisation over B rows of s tokens."""
        return np.maximum(5 * s * B * self.h / self.flops, 4 * s * B * self.h / self.bandwidth)

    def pass_s(self, B: Array, s: Array) -> Array:
        """One forward pass, embedding table and vocabulary projection included."""
        layer = self.attention_s(B, s) + self.mlp_s(B, s) + 2 * self.norm_s(B, s)
        table = self.vocab * self.h * self.b / self.bandwidth
        return self.layers * layer + table + 2 * s * B * self.vocab * self.h / self.flops

    def projection_correction_s(self, rows: Array, tokens: Array) -> Array:
        """What the vocabulary projection of `rows` streams takes, to count it once and not P times.

        The released script puts 16 V h / W here, bits where bytes belong. The term does not depend
        on `rows` and enters twice with opposite signs, so it cancels and is left out.
        """
        return 2 * tokens * rows * self.vocab * self.h / self.flops


def estimate(
    *,
    width: ArrayLike,
    ffn: ArrayLike,
    P: ArrayLike = 1,
    batch: ArrayLike = 1,
    input_tokens: ArrayLike = 64,
    output_tokens: ArrayLike = 64,
    hardware: Hardware = A100,
    layers: ArrayLike = 36,
    heads: ArrayLike = 16,
    kv_heads: ArrayLike = 2,
    vocab: ArrayLike = 151936,
    prefix_tokens: ArrayLike | None = None,
    dtype: str = "bf16",
) -> CostEstimate:
    """Memory and latency of one batch: a prompt of `input_tokens`, then `output_tokens` generated.

    Arguments are numbers or arrays that broadcast. Widths may be fractions, for sizes between the published ones.

    Args:
        width: width of the model.
        ffn: width of the MLP.
        P: streams.
        batch: sequences at once.
        input_tokens: tokens of the prompt.
        output_tokens: tokens generated.
        hardware: rates and bandwidth of the machine.
        layers: number of layers.
        heads: attention heads.
        kv_heads: key and value heads.
        vocab: entries of the vocabulary.
        prefix_tokens: prefix tokens of each stream, at P = 1 too. By default 48 if P > 1 and none at P = 1.
        dtype: sets the bytes of weights, cache and activations.

    Returns:
        A `CostEstimate` with memory in bytes and latency in seconds, numbers if every argument is one.

    Raises:
        ValueError: for a number below 1 (below 0 for prefix_tokens) or not finite, an unknown dtype, and hardware
            that is not a `Hardware` or lacks the dtype.

    Source: the cost model of Figures 1(3) and 4 of arXiv 2505.10475.

    Examples:
        >>> from analysis.inference_cost import estimate
        >>> cost = estimate(width=2048, ffn=11008, P=8)
        >>> print(f"{cost.latency_s:.2f} s, {cost.memory_gib:.2f} GiB")
        0.24 s, 5.89 GiB
    """
    given: dict[str, ArrayLike] = {"width": width, "ffn": ffn, "P": P, "batch": batch}
    given |= {"input_tokens": input_tokens, "output_tokens": output_tokens, "layers": layers}
    given |= {"heads": heads, "kv_heads": kv_heads, "vocab": vocab}
    x = {name: _at_least(1, name, value) for name, value in given.items()}
    if prefix_tokens is None:
        prefix = np.where(x["P"] > 1, float(PREFIX_TOKENS), 0.0)
    else:
        prefix = _at_least(0, "prefix_tokens", prefix_tokens)
    checked_hardware(hardware)
    if dtype not in DTYPE_BYTES:
        raise ValueError(f"dtype={dtype!r} is not known; use one of {', '.join(DTYPE_BYTES)}")
    machine = _Machine(
        h=x["width"],
        f=x["ffn"],
        layers=x["layers"],
        heads=x["heads"],
        kv_share=x["kv_heads"] / x["heads"],
        vocab=x["vocab"],
        b=float(DTYPE_BYTES[dtype]),
        flops=hardware.reached_flops(dtype),
        bandwidth=hardware.reached_bandwidth,
    )
    return _generate(machine, x["P"], x["batch"], x["input_tokens"], x["output_tokens"], prefix)


def _at_least(least: int, name: str, value: ArrayLike) -> Array:
    """The argument as a float64 array, refused if any entry is no finite number of at least so much."""
    array = np.asarray(value, dtype=np.float64)
    wrong = array[~(np.isfinite(array) & (array >= least))]
    if wrong.size:
        raise ValueError(f"{name} is {wrong.flat[0]:g}; give a number of at least {least}")
    return array


def _generate(m: _Machine, P: Array, batch: Array, n_in: Array, n_out: Array, prefix: Array) -> CostEstimate:
    """The three memories and the two phases of one generation."""
    B, S = batch * P, n_in + prefix
    kv = 2 * B * (S + n_out) * m.h * m.kv_share * m.b * m.layers
    aggregation = np.where(P > 1, (m.h + 1) * m.h * P, 0.0)
    layer = m.attention_weights + m.mlp_weights + 2 * m.h
    weights = m.b * (m.layers * layer + m.h * m.vocab + m.h + aggregation)
    activations = np.maximum.reduce(
        np.broadcast_arrays(
            3 * m.b * S * B * m.h,
            (2 * S * B * m.h + 4 * m.heads * S * B) * m.b,
            m.b * m.f * S * B,
            m.vocab * batch * S * m.b,  # logits of the whole prompt, once and not P times
        )
    )
    once = m.projection_correction_s(B, n_in + n_out) - m.projection_correction_s(batch, n_in + n_out)
    mixing = aggregation / m.mlp_weights * m.mlp_s(batch, n_in + n_out)
    prompt = m.pass_s(B, S)
    decode = n_out * (m.pass_s(B, np.ones(())) + 2 * kv / m.bandwidth) + mixing - once
    parts = (kv + weights + activations, prompt + decode, weights, kv, activations, prompt, decode)
    return CostEstimate(*(v[()] for v in np.broadcast_arrays(*parts)))
