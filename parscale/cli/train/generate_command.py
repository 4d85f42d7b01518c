"""Continue a prompt with a checkpoint, the text appearing as it is made."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parscale.cli.options import argument, option, required
from parscale.cli.train.checkpoints import WeightOptions, load_streams

if TYPE_CHECKING:
    from tokenizers import Tokenizer

EXAMPLES = ("generate results/sweeps/demo/checkpoints/RUN --prompt 'def main' --streams 2",)


@dataclass(frozen=True, kw_only=True)
class Options(WeightOptions):
    """Options of `parscale generate`."""

    checkpoint: str = argument("folder with config.json, weights, tokenizer.json", metavar="CHECKPOINT")
    prompt: str = required("text to continue")
    streams: int | None = option(
        None, "streams (default: the checkpoint's, 1: its backbone)", type=int, metavar="P"
    )
    loops: int | None = option(
        None, "times its looped layers are applied (default as trained)", type=int, metavar="R"
    )
    max_tokens: int = option(64, "new tokens at most (default 64)", type=int)
    temperature: float = option(0.0, "0 (default) takes the most likely token", type=float)
    top_k: int = option(0, "sample from the k most likely tokens (default all)", type=int)
    top_p: float = option(
        1.0, "sample from the most likely tokens with this total probability (default 1)", type=float
    )
    seed: int = option(0, "random seed of the sampling (default 0)", type=int)
    stop: tuple[str, ...] | None = option(
        None,
        "end at this token, not at those the checkpoint names (may be repeated)",
        action="append",
        metavar="TOKEN",
    )
    guidance: float | None = option(None, "classifier-free guidance of weight W", type=float, metavar="W")


def run(options: Options) -> int:
    """Write the continuation piece by piece."""
    from sweeps.inspect.generate import Guided, Sampling, load_tokenizer, stream_text

    model = load_streams(options.checkpoint, options.streams, options.loops, options.torch_dtype)
    tokenizer = load_tokenizer(options.checkpoint, model.config.vocab)
    stop = stop_tokens(options, tokenizer)
    if options.temperature == 0 and (options.top_k or options.top_p < 1):
        raise ValueError("--top-k and --top-p change nothing at --temperature 0: it takes the likeliest")
    sampling = Sampling(options.temperature, options.top_k, options.top_p, options.seed)
    decoder = None if options.guidance is None else Guided(model, weight=options.guidance)
    pieces = stream_text(model, tokenizer, options.prompt, options.max_tokens, sampling, stop, decoder)
    ended = write_pieces(pieces)
    print()
    if ended == "context":
        print(f"ended at the model's context of {model.config.context:,} tokens", file=sys.stderr)
    return 0


def write_pieces(pieces: Generator[str, None, str]) -> str:
    """Write each piece as it comes. Returns what ended the text."""
    while True:
        try:
            sys.stdout.write(next(pieces))
        except StopIteration as ended:
            return str(ended.value)
        sys.stdout.flush()


def stop_tokens(options: Options, tokenizer: Tokenizer) -> list[int]:
    """The tokens that end the text: those of --stop, else the checkpoint's own.

    Raises:
        ValueError: a token of --stop does not exist.

    """
    from sweeps.inspect.generate import ends_of_text

    if not options.stop:
        return ends_of_text(options.checkpoint, tokenizer)
    found = []
    for token in options.stop:
        known = tokenizer.token_to_id(token)
        if known is None:
            raise ValueError(f"--stop {token!r}: no such token in {options.checkpoint}/tokenizer.json")
        found.append(known)
    return found
