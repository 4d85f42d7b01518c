"""Loading and writing checkpoints, for the commands `generate`, `import` and `export`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parscale.cli.options import option

if TYPE_CHECKING:
    import torch

    from sweeps.model.parscale import ParScaleLM


@dataclass(frozen=True, kw_only=True)
class WeightOptions:
    """The type of the weights."""

    dtype: str | None = option(None, "of the weights (default their own)", choices=("float32", "bfloat16"))

    @property
    def torch_dtype(self) -> torch.dtype | None:
        """The type that was asked for, as torch knows it."""
        import torch

        return None if self.dtype is None else getattr(torch, self.dtype)


def write(model: ParScaleLM, source: str, out: str) -> int:
    """Save a model to `out` with the tokenizer that lies beside its source, if any."""
    from pathlib import Path

    from sweeps.checkpoint import released_format

    if Path(out).resolve() == Path(source).resolve():
        raise ValueError(f"--out {out} is the checkpoint itself, which would be lost; choose another")
    tokenizer = Path(source) / "tokenizer.json"
    saved = released_format.save(model, out, tokenizer=tokenizer if tokenizer.exists() else None)
    print(f"written {saved}")
    return 0
