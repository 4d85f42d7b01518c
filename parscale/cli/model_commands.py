"""What `parscale generate`, `import` and `export` do with parsed arguments; each returns the exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table

from parscale.cli.sweep_commands import console
from sweeps.checkpoint import released_format
from sweeps.checkpoint.stream_bank import StreamBank, places, view
from sweeps.inspect.generate import Guided, Sampling, load_tokenizer, stream_text
from sweeps.model.parscale import ParScaleLM

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def generate(args: Any) -> int:
    """Continue a prompt, the text appearing as it is made."""
    model, tokenizer = with_streams(args), load_tokenizer(args.checkpoint)
    ends = [tokenizer.token_to_id(token) for token in (args.stop or ["<|endoftext|>"])]
    unknown = [token for token, known in zip(args.stop or [], ends, strict=False) if known is None]
    if unknown:
        raise ValueError(f"--stop {unknown[0]!r}: no such token in {args.checkpoint}/tokenizer.json")
    if args.temperature == 0 and (args.top_k or args.top_p < 1):
        raise ValueError("--top-k and --top-p change nothing at --temperature 0: it takes the likeliest")
    sampling = Sampling(args.temperature, args.top_k, args.top_p, args.seed)
    decoder = None if args.guidance is None else Guided(model, weight=args.guidance)
    stop = [end for end in ends if end is not None]
    for piece in stream_text(model, tokenizer, args.prompt, args.max_tokens, sampling, stop, decoder):
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()
    return 0


def with_streams(args: Any) -> ParScaleLM:
    """The checkpoint, its backbone alone (P = 1), or another of the stream sets beside it."""
    folder, P, dtype = args.checkpoint, args.streams, DTYPES.get(args.dtype)
    model = released_format.load(folder, dtype=dtype)
    if P is None or P == model.config.P:
        return model
    if P == 1:
        return view(model, 1).eval()
    if model.config.P == 1 and places(Path(folder)):
        return StreamBank.load(Path(folder)).at(P).eval().to(dtype or model.head.dtype)
    raise ValueError(f"--streams {P}: {folder} holds P = {model.config.P} (1 gives its backbone alone)")


def import_(args: Any) -> int:
    """Check a checkpoint, describe it, and with --out write it as one of ours, grown to --streams."""
    model = released_format.load(args.checkpoint, dtype=DTYPES.get(args.dtype))
    if args.streams is not None and args.streams != model.config.P:
        if model.config.P != 1:
            raise ValueError(
                f"--streams {args.streams}: only a checkpoint of P = 1 can be grown, not {model.config.P}"
            )
        kept = model.config.prefix_tokens if args.prefix_tokens is None else args.prefix_tokens
        model = released_format.grow(model, args.streams, kept, model.config.smoothing)
    describe(model, args.checkpoint)
    return write(model, args) if args.out else 0


def export(args: Any) -> int:
    """Write a run's model in the released format."""
    return write(released_format.load(args.checkpoint, dtype=DTYPES.get(args.dtype)), args)


def write(model: ParScaleLM, args: Any) -> int:
    """Save into args.out with the tokenizer that lies beside the source, if any."""
    if Path(args.out).resolve() == Path(args.checkpoint).resolve():
        raise ValueError(f"--out {args.out} is the checkpoint itself, which would be lost; choose another")
    tokenizer = Path(args.checkpoint) / "tokenizer.json"
    saved = released_format.save(model, args.out, tokenizer=tokenizer if tokenizer.exists() else None)
    print(f"written {saved}")
    return 0


def describe(model: ParScaleLM, source: str) -> None:
    """The configuration and the counts of a model."""
    c = model.config
    table = Table(box=SIMPLE_HEAD, title=source, show_header=False)
    heads, vocab = f"{c.heads}/{c.kv_heads} heads", f"vocabulary {c.vocab:,}"
    rows: dict[str, Any] = {
        "streams P": c.P,
        "non-embedding parameters N": f"{c.N:,}",
        "shape": f"{c.layers} layers x {c.width}, {heads}, ffn {c.ffn}, {vocab}",
        "ParScale": f"{c.prefix_tokens} prefix tokens, smoothing {c.smoothing}"
        if c.P > 1
        else "none (P = 1)",
        "embeddings": "tied" if c.tied_embeddings else "untied",
        "precision": str(model.head.dtype).removeprefix("torch."),
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    console().print(table)
