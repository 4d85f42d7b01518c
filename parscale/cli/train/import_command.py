"""Check and describe an official checkpoint. With --out convert it to the format of this package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parscale.cli.options import argument, option
from parscale.cli.train.checkpoints import WeightOptions, write_export

if TYPE_CHECKING:
    from sweeps.model.parscale import ParScaleLM

EXAMPLES = ("import base", "import base --streams 4 --out wide")


@dataclass(frozen=True, kw_only=True)
class Options(WeightOptions):
    """Options of `parscale import`."""

    checkpoint: str = argument("config.json and safetensors, Qwen2, Qwen3 or ParScale", metavar="DIR")
    streams: int | None = option(None, "grow a checkpoint of P = 1 to P streams", type=int, metavar="P")
    prefix_tokens: int | None = option(
        None, "of grown streams (default: as config.json says)", type=int, metavar="K"
    )
    out: str | None = option(None, "folder to write to (default: only check)", metavar="DIR")


def run(options: Options) -> int:
    """Check a checkpoint, describe it, and with --out write it as one of ours, grown to --streams."""
    from sweeps.checkpoint import released_format

    model = released_format.load_checkpoint(options.checkpoint, dtype=options.torch_dtype)
    if options.streams is not None and options.streams != model.config.P:
        if model.config.P != 1:
            has = model.config.P
            raise ValueError(
                f"--streams {options.streams}: only a checkpoint of P = 1 can be grown, not {has}"
            )
        kept = model.config.prefix_tokens if options.prefix_tokens is None else options.prefix_tokens
        model = released_format.grow(model, options.streams, kept, model.config.smoothing)
    show_model(model, options.checkpoint)
    return write_export(model, options.checkpoint, options.out) if options.out else 0


def show_model(model: ParScaleLM, source: str) -> None:
    """Print the configuration and the counts of a model."""
    import pandas as pd

    from parscale.cli.output import show

    c = model.config
    heads, vocab = f"{c.heads}/{c.kv_heads} heads", f"vocabulary {c.vocab:,}"
    streams = f"{c.prefix_tokens} prefix tokens, smoothing {c.smoothing}" if c.P > 1 else "none (P = 1)"
    facts = {
        "streams P": str(c.P),
        "non-embedding parameters N": f"{c.N:,}",
        "shape": f"{c.layers} layers x {c.width}, {heads}, ffn {c.ffn}, {vocab}",
        "ParScale": streams,
        "embeddings": "tied" if c.tied_embeddings else "untied",
        "context": "not limited" if c.context is None else f"{c.context:,} tokens",
        "precision": str(model.head.dtype).removeprefix("torch.") + other_dtypes(model, source),
        **facts_of_text(source, c.vocab),
    }
    show(pd.DataFrame({"": list(facts), " ": list(facts.values())}), source)


def other_dtypes(model: ParScaleLM, source: str) -> str:
    """The weights' type by config.json, if it differs from their own."""
    from pathlib import Path

    from sweeps.checkpoint.hf_config import read_hf_json

    found = read_hf_json(Path(source) / "config.json")
    said = {str(found[key]).removeprefix("torch.") for key in ("dtype", "torch_dtype") if found.get(key)}
    other = sorted(said - {str(model.head.dtype).removeprefix("torch.")})
    return f" (config.json says {', '.join(other)})" if other else ""


def facts_of_text(source: str, vocab: int) -> dict[str, str]:
    """The tokenizer files next to the weights. Raises ValueError if they are of another model."""
    from pathlib import Path

    from sweeps.checkpoint.hf_config import end_tokens
    from sweeps.inspect.generate import load_tokenizer

    tokens = [f"{token}{'' if token < vocab else ' (not in the vocabulary)'}" for token in end_tokens(source)]
    ends = ", ".join(tokens) or "not named"
    if not (Path(source) / "tokenizer.json").exists():
        return {"tokenizer": "none (no tokenizer.json)", "end of text": ends}
    entries = load_tokenizer(source, vocab).get_vocab().values()
    beyond = sum(number >= vocab for number in entries)
    unusable = f", {beyond:,} of them beyond the embedding" if beyond else ""
    return {"tokenizer": f"{len(entries):,} entries{unusable}", "end of text": ends}
