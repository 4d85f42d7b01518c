"""Width transfer: learning rates tuned at one width hold at others (maximal update parametrisation, muP).

Yang et al. 2022 (arXiv 2203.03466), Table 3 for AdamW, in the form without multipliers, so that a checkpoint computes what it
always does. With m = width / base width: hidden matrices are drawn with a standard deviation 1/sqrt(m) times that of the base
and learn at 1/m times its rate. The head, a router and the aggregation's last matrix, whose outputs do not grow,
at 1/m and 1/m. Embeddings, biases, gains and prefixes as at the base. Where the head is the embedding, its 1/m is the
gain of the last norm. Decay times learning rate stays what it is at the base.

Under Muon a matrix moves by 0.2 lr sqrt(max(r, c)) in the spectral norm. That is to stay the same for hidden
matrices (Yang, Simon and Bernstein 2023, arXiv 2310.17813): they learn at 1/sqrt(m) times the base's rate, a router at 1/m.

Heads keep their size and grow in number: else the 1/sqrt(d) of attention would have to change with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sweeps.config.model import ModelConfig


@dataclass(frozen=True)
class WidthScale:
    """A parameter's factors, in units of what it has at the base width."""

    std: float = 1.0  # of its initial values. Of a gain, their value
    rate: float = 1.0  # learning rate under AdamW
    muon_rate: float = 1.0


def width_scale(name: str, dimensions: int, config: ModelConfig) -> WidthScale:
    """The factors of the parameter of this name and number of dimensions. 1 without a base width, or at it."""
    if not config.mup_base or config.width == config.mup_base:
        return WidthScale()
    m = config.width / config.mup_base
    if name.endswith("model.norm.weight"):
        return WidthScale(1 / m, 1 / m) if config.tied_embeddings else WidthScale()
    if name.endswith("aggregate_layer.0.weight") and config.tied_embeddings:
        return WidthScale(m**0.5)  # it reads what the last norm's gain has made small
    if dimensions != 2 or "embed_tokens" in name or "prefix_" in name:
        return WidthScale()
    if "lm_head" in name or name.endswith(("mlp.gate.weight", "aggregate_layer.2.weight")):
        return WidthScale(1 / m, 1 / m, 1 / m)
    return WidthScale(m**-0.5, 1 / m, m**-0.5)
