"""What is served, and on what hardware: options that `parscale cost` and `advise` share."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.options import option


@dataclass(frozen=True, kw_only=True)
class ServingOptions:
    """Options that say what is served, and on what."""

    batch: str = option("1", "batch size (default 1)")
    input_tokens: int = option(64, "input tokens (default 64)", "--in", type=int)
    output_tokens: int = option(64, "output tokens (default 64)", "--output-tokens", "--out-tokens", type=int)
    gpu: str = option("a100", "a100, h100, h200, laptop, or a JSON file (default a100)")
    dtype: str = option("bf16", "bf16 (default), fp32, ...")
