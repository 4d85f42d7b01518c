"""Loading and writing checkpoints, for the commands `generate`, `import` and `export`."""

from __future__ import annotations

import sys
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


def write_export(model: ParScaleLM, source: str, out: str) -> int:
    """Export a model to `out`, with the tokenizer and the end of text of its source, and say how it opens."""
    from sweeps.checkpoint.export import export_model
    from sweeps.checkpoint.hf_config import read_hf_json

    folder = export_model(model, source, out)
    about = read_hf_json(folder / "config.json")
    code = ", trust_remote_code=True" if "auto_map" in about else ""
    print(f"written {folder}: AutoModelForCausalLM.from_pretrained({str(folder)!r}{code}) opens it")
    if "max_position_embeddings" not in about:
        print("the longest text it is made for is not known: say so in config.json", file=sys.stderr)
    return 0
