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


def save_beside_tokenizer(model: ParScaleLM, source: str, out: str) -> int:
    """Save a model to `out` with the tokenizer and the end of text of its source, where it has them."""
    from pathlib import Path

    from sweeps.checkpoint import released_format
    from sweeps.checkpoint.hf_config import end_tokens
    from sweeps.inspect.generate import ends_of_text, load_tokenizer

    if Path(out).resolve() == Path(source).resolve():
        raise ValueError(f"--out {out} is the checkpoint itself, which would be lost; choose another")
    path = Path(source) / "tokenizer.json"
    if path.exists():
        ends = ends_of_text(source, load_tokenizer(source))
        saved = released_format.save_checkpoint(model, out, tokenizer=path, ends=ends)
    else:
        saved = released_format.save_checkpoint(model, out, ends=end_tokens(source))
    print(f"written {saved}")
    return 0
