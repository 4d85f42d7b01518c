"""Loading and writing checkpoints, for the commands `generate`, `import` and `export`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
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


def load_streams(
    folder: str, P: int | None = None, loops: int | None = None, dtype: torch.dtype | None = None
) -> ParScaleLM:
    """The checkpoint, its backbone alone (P = 1), or another of its stream sets, at a number of loops."""
    model = _with_streams(folder, P, dtype)
    return model if loops is None else model.set_loops(loops)


def _with_streams(folder: str, P: int | None, dtype: torch.dtype | None) -> ParScaleLM:
    from sweeps.checkpoint import released_format
    from sweeps.checkpoint.stream_bank import StreamBank, places, view

    model = released_format.load_checkpoint(folder, dtype=dtype)
    if P is None or P == model.config.P:
        return model
    if P == 1:
        return view(model, 1).eval()
    if model.config.P == 1 and places(Path(folder)):
        return StreamBank.load(Path(folder)).at(P).eval().to(dtype or model.head.dtype)
    raise ValueError(f"--streams {P}: {folder} holds P = {model.config.P} (1 gives its backbone alone)")
