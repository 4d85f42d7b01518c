"""Generation: prefill, then one token at a time behind a key and value cache.

Shapes: B prompts, T tokens of the longest one, V vocab.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from tokenizers import Tokenizer
from torch import Tensor

from sweeps.checkpoint.hf_config import CheckpointError, end_tokens
from sweeps.corpora.tokens import END, read_tokenizer
from sweeps.model.blocks import check_ids
from sweeps.model.parscale import ParScaleLM


class PromptError(ValueError):
    """A prompt, or a way of sampling, that cannot be used."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. The default, temperature 0, is greedy."""

    temperature: float = 0.0  # divides the logits. 0 takes the most likely token
    top_k: int = 0  # keep that many tokens. 0 keeps all
    top_p: float = 1.0  # keep the fewest tokens whose probabilities reach it
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise PromptError(f"temperature must be >= 0, got {self.temperature}")
        if self.top_k < 0:
            raise PromptError(f"top_k must be >= 0, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise PromptError(f"top_p must lie in (0, 1], got {self.top_p}")

    def chooser(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """A function from logits (B, V) to tokens (B,), with its own random numbers."""
        generator = torch.Generator(device).manual_seed(self.seed)

        def choose(logits: Tensor) -> Tensor:
            if self.temperature == 0:
                return logits.argmax(dim=-1)
            probability = self.kept(logits.float() / self.temperature).softmax(dim=-1)
            return torch.multinomial(probability, 1, generator=generator)[:, 0]

        return choose

    def kept(self, logits: Tensor) -> Tensor:
        """Logits (B, V) with all that top-k and top-p leave out at minus infinity."""
        if 0 < self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k, dim=-1).values[:, -1:]
            logits = logits.masked_fill(logits < least, float("-inf"))
        if self.top_p < 1:
            ordered, order = logits.sort(dim=-1, descending=True)
            share = ordered.softmax(dim=-1)
            above = share.cumsum(dim=-1) - share >= self.top_p  # reached before this token
            logits = logits.masked_fill(above.scatter(1, order, above), float("-inf"))
        return logits


class Stepper(Protocol):
    """What turns tokens into the next token's logits: a model behind its cache, or two of them."""

    def prefill(self, input_ids: Tensor, attention_mask: Tensor | None, capacity: int) -> Tensor:
        """Read the prompts (B, T). Returns the logits after them, (B, V)."""
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Read one more token each, (B,). Returns the logits after it, (B, V)."""
        ...


@dataclass
class Cached:
    """A model behind a cache."""

    model: ParScaleLM

    def prefill(self, input_ids: Tensor, attention_mask: Tensor | None, capacity: int) -> Tensor:
        """Read the prompts (B, T). Returns the logits after them, (B, V)."""
        self.cache = self.model.new_cache(input_ids.shape[0], capacity)
        return self._last(self.model.hidden(input_ids, attention_mask, self.cache))

    def step(self, tokens: Tensor) -> Tensor:
        """Read one more token each, (B,). Returns the logits after it, (B, V)."""
        return self._last(self.model.hidden(tokens[:, None], None, self.cache))

    def _last(self, hidden: Tensor) -> Tensor:
        """Only the last position meets the LM head."""
        return torch.nn.functional.linear(hidden[:, -1], self.model.head)


@dataclass
class Guided:
    """Classifier-free guidance, the paper's Eq 1: g(x) = w f(x) + (1 - w) f(x').

    x' is the prompt without its first part: the input degraded, as Sanchez et al. 2023
    (arXiv 2306.17806) do for language models. Two passes with fixed weights: what P = 2 streams learn.
    """

    model: ParScaleLM
    weight: float = 1.5  # w. 1 is the model itself
    keep: int = 1  # how many of the prompt's last tokens x' keeps
    passes: tuple[Cached, Cached] = field(init=False)

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise PromptError(f"guidance must keep at least one token of the prompt, got {self.keep}")
        self.passes = (Cached(self.model), Cached(self.model))

    def prefill(self, input_ids: Tensor, attention_mask: Tensor | None, capacity: int) -> Tensor:
        """Read the prompts and their ends. Returns the mixed logits, (B, V)."""
        full, degraded = self.passes
        tail = None if attention_mask is None else attention_mask[:, -self.keep :]
        first = full.prefill(input_ids, attention_mask, capacity)
        return self._mix(first, degraded.prefill(input_ids[:, -self.keep :], tail, capacity))

    def step(self, tokens: Tensor) -> Tensor:
        """One more token for both passes. Returns the mixed logits, (B, V)."""
        return self._mix(*(each.step(tokens) for each in self.passes))

    def _mix(self, full: Tensor, degraded: Tensor) -> Tensor:
        """The weighted sum of the two passes' log probabilities."""
        full, degraded = full.float().log_softmax(dim=-1), degraded.float().log_softmax(dim=-1)
        return self.weight * full + (1 - self.weight) * degraded


def left_pad(
    prompts: Sequence[Sequence[int]], vocab: int, device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """Prompts of unequal length as (B, T) with zeros on the left, and their mask (None: all equal)."""
    if not prompts or any(len(prompt) == 0 for prompt in prompts):
        raise PromptError("empty prompt: every prompt needs at least one token")
    longest = max(map(len, prompts))
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros(len(prompts), longest, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.as_tensor(prompt)
        mask[row, longest - len(prompt) :] = True
    check_ids(ids, vocab)  # here, before a GPU has them: it could only say that something is wrong
    return ids.to(device), None if bool(mask.all()) else mask.to(device)


def rooms(prompts: Sequence[Sequence[int]], max_new_tokens: int, context: int | None) -> list[int]:
    """How many new tokens each prompt may have: `max_new_tokens`, or what the model's context leaves.

    Raises:
        PromptError: `max_new_tokens` is below 1, or a prompt fills the context.

    """
    if max_new_tokens < 1:
        raise PromptError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
    if context is None:
        return [max_new_tokens] * len(prompts)
    longest = max(map(len, prompts), default=0)
    if longest >= context:
        raise PromptError(
            f"a prompt of {longest:,} tokens leaves no room in the model's context of {context:,}. Shorten it"
        )
    return [min(max_new_tokens, context - len(prompt)) for prompt in prompts]


def refuse_not_finite_logits(logits: Tensor) -> Tensor:
    """The logits (B, V). CheckpointError where one is not finite, which would be taken for a choice."""
    if not bool(logits.isfinite().all()):
        wider = (
            "Take"
            if logits.dtype == torch.float32
            else "Load it with dtype=torch.float32 (--dtype float32), or take"
        )
        raise CheckpointError(
            f"the model's logits are not finite in {str(logits.dtype).removeprefix('torch.')}, its weights are too "
            f"large. {wider} another checkpoint"
        )
    return logits


@torch.inference_mode()
def stream(
    model: ParScaleLM,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    sampling: Sampling | None = None,
    stop: Sequence[int] = (),
    decoder: Stepper | None = None,
) -> Iterator[list[int | None]]:
    """Continue every prompt, a step at a time: one new token each, None for those that have ended.

    Args:
        model: any P. A prompt ends where it and its new tokens fill the model's context.
        prompts: token indices. Lengths may differ.
        max_new_tokens: at most that many each.
        sampling: greedy unless given.
        stop: tokens that end a prompt. The stop token is still given.
        decoder: `Guided(model)` for classifier-free guidance. The plain cached model unless given.

    """
    device = model.head.device
    left = rooms(prompts, max_new_tokens, model.config.context)
    ids, mask = left_pad(prompts, model.config.vocab, device)
    choose = (sampling or Sampling()).chooser(device)
    decoder = decoder or Cached(model)
    ending = torch.tensor(list(stop), device=device)
    logits = decoder.prefill(ids, mask, ids.shape[1] + max(left))
    while True:
        tokens = choose(refuse_not_finite_logits(logits))
        yield [token if room else None for token, room in zip(tokens.tolist(), left, strict=True)]
        ended = torch.isin(tokens, ending).tolist()
        left = [0 if end else max(room - 1, 0) for room, end in zip(left, ended, strict=True)]
        if not any(left):
            return
        logits = decoder.step(tokens)


def generate(
    model: ParScaleLM,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    sampling: Sampling | None = None,
    stop: Sequence[int] = (),
    decoder: Stepper | None = None,
) -> list[list[int]]:
    """The new tokens of every prompt. Arguments as in `stream`."""
    made: list[list[int]] = [[] for _ in prompts]
    for tokens in stream(model, prompts, max_new_tokens, sampling, stop, decoder):
        for row, token in zip(made, tokens, strict=True):
            row.extend([] if token is None else [token])
    return made


def load_tokenizer(folder: str | Path, vocab: int | None = None) -> Tokenizer:
    """The tokenizer.json next to a checkpoint.

    Args:
        folder: the checkpoint.
        vocab: rows of the model's embedding. None does not compare.

    Raises:
        PromptError: the file is missing, or its vocabulary has more than `vocab` entries (tokens that were
            added to it later, which a prompt need not use, are not counted).

    """
    path = Path(folder) / "tokenizer.json"
    if not path.exists():
        raise PromptError(f"{path} is missing: text needs the checkpoint's tokenizer. Copy it there")
    tokenizer = read_tokenizer(path)
    entries = tokenizer.get_vocab_size(with_added_tokens=False)
    if vocab is not None and entries > vocab:
        raise PromptError(
            f"{path} has {entries:,} entries, the model's embedding {vocab:,} rows: it is of another model. "
            "Put the checkpoint's own there"
        )
    tokenizer.no_truncation()  # some files say that texts are to be cut or filled up
    tokenizer.no_padding()
    return tokenizer


def ends_of_text(folder: str | Path, tokenizer: Tokenizer) -> list[int]:
    """The tokens that end a text: those that the checkpoint names, else the one that our corpora use."""
    end = tokenizer.token_to_id(END)
    return list(end_tokens(folder)) or ([] if end is None else [end])


def encode_prompt(tokenizer: Tokenizer, prompt: str, vocab: int) -> list[int]:
    """The prompt's tokens. PromptError where the model's embedding has no row for one."""
    ids: list[int] = tokenizer.encode(prompt).ids
    if ids and max(ids) >= vocab:
        word = tokenizer.id_to_token(max(ids))
        raise PromptError(
            f"the prompt's token {word!r} is number {max(ids):,}, the model's embedding has {vocab:,} rows. "
            "Leave it out, or put the checkpoint's own tokenizer.json next to it"
        )
    return ids


def stream_text(
    model: ParScaleLM,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int,
    sampling: Sampling | None = None,
    stop: Sequence[int] = (),
    decoder: Stepper | None = None,
) -> Generator[str, None, str]:
    """The continuation of one prompt in pieces of text, each as soon as its characters are whole.

    Returns what ended it: "stop" (a token of `stop`), "length" (`max_new_tokens`) or "context" (the model's).
    """
    made: list[int] = []
    shown = text = ""
    encoded, ended = encode_prompt(tokenizer, prompt, model.config.vocab), ""
    for (token,) in stream(model, [encoded], max_new_tokens, sampling, stop, decoder):
        if token is None or token in stop:
            ended = "stop"
            break
        made.append(token)
        text = tokenizer.decode(made)
        if not text.endswith("\ufffd"):  # the middle of a character of several bytes
            yield text[len(shown) :]
            shown = text
    if shown != text:
        yield text[len(shown) :]
    return ended or ("length" if len(made) == max_new_tokens else "context")
