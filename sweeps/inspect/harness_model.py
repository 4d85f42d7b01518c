"""Any checkpoint of ours, at any P and r, as a model of the LM evaluation harness (the extra `eval`).

`sweeps.inspect.harness` runs it. Shapes: B requests, T tokens of the longest, V vocabulary.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from lm_eval import utils
from lm_eval.api.model import TemplateLM
from tokenizers import Tokenizer
from torch import Tensor

from sweeps.corpora.tokens import END
from sweeps.inspect.generate import Sampling, stream
from sweeps.model.parscale import ParScaleLM

TOKENS = 8192  # of a batch, about
LONGEST = 2048  # tokens of a rolling window where the model names no context


class HarnessModel(TemplateLM):  # type: ignore[misc]
    """A model and its tokenizer, answering the harness's three kinds of request."""

    def __init__(self, model: ParScaleLM, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.model, self.words = model.eval(), tokenizer
        self._device = model.head.device

    @property
    def eot_token_id(self) -> int:
        """What comes before a text of which nothing is known."""
        return int(self.words.token_to_id(END) or 0)

    def tok_encode(self, string: str, **more: Any) -> list[int]:
        """The tokens of a text."""
        return list(self.words.encode(string, add_special_tokens=False).ids)

    def _encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """The tokens of both. A completion that ends with END is of our pairs, read apart from its prompt."""
        if continuation.endswith(END):
            return self.tok_encode(context), self.tok_encode(continuation)
        context_ids, more = super()._encode_pair(context, continuation)
        return list(context_ids), list(more)

    @torch.inference_mode()
    def _loglikelihood_tokens(self, requests: list[Any], **more: Any) -> list[tuple[float, bool]]:
        """Log probability of each continuation in nats, and whether greedy text would be it."""
        found: list[tuple[float, bool]] = []
        for batch in _batches([(context, told) for _, context, told in requests]):
            longest = max(len(context) + len(told) for context, told in batch)
            ids = torch.zeros(len(batch), longest, dtype=torch.long)
            for row, (context, told) in enumerate(batch):
                ids[row, : len(context) + len(told)] = torch.tensor([*context, *told])
            logits = self.model(ids[:, :-1].to(self._device)).float().cpu()
            found += [_of(logits[row], *pair) for row, pair in enumerate(batch)]
        for (text, _, _), answer in zip(requests, found, strict=True):
            self.cache_hook.add_partial("loglikelihood", text, answer)
        return found

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Log probability of whole texts in nats, in windows that do not overlap."""
        longest, sums = self.model.config.context or LONGEST, []
        for request in requests:
            windows = utils.get_rolling_token_windows(
                self.tok_encode(request.args[0]), self.eot_token_id, longest, 1
            )
            pairs = [("", *utils.make_disjoint_window(window)) for window in windows]
            sums.append(sum(told for told, _ in self._loglikelihood_tokens(pairs)))
        return sums

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """The continuation of each context up to the first of its stops. A repeated request has another seed."""
        asked: Counter[str] = Counter()
        texts = []
        for context, how in (request.args for request in requests):
            which = repr((context, how))
            sampling = _sampling(how, zlib.crc32(context.encode()) + asked[which])
            asked[which] += 1
            texts.append(self._generated(context, how, sampling))
        return texts

    def _generated(self, context: str, how: dict[str, Any], sampling: Sampling) -> str:
        """The text up to a stop."""
        stops = how.get("until") or []
        stops = [stops] if isinstance(stops, str) else stops
        made: list[int] = []
        text = ""
        prompt = self.tok_encode(context) or [self.eot_token_id]
        for (token,) in stream(
            self.model, [prompt], int(how.get("max_gen_toks", 256)), sampling, [self.eot_token_id]
        ):
            made += [] if token is None else [token]
            text = self.words.decode(made)
            if ends := [text.index(stop) for stop in stops if stop in text]:
                return str(text[: min(ends)])
        return str(text)


def _sampling(how: dict[str, Any], seed: int) -> Sampling:
    """How a request wants its tokens chosen: greedily, or at a temperature (1 where it only says do_sample)."""
    wanted = how.get("do_sample")
    temperature = 0.0 if wanted is False else float(how.get("temperature", 1.0 if wanted else 0.0))
    return Sampling(temperature, max(0, int(how.get("top_k") or 0)), float(how.get("top_p") or 1.0), seed)


def _batches(pairs: list[Any]) -> Iterator[list[Any]]:
    """Requests in their order, about TOKENS tokens at a time."""
    batch: list[Any] = []
    for pair in pairs:
        longest = max(len(context) + len(told) for context, told in [*batch, pair])
        if batch and longest * (len(batch) + 1) > TOKENS:
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch


def _of(logits: Tensor, context: list[int], told: list[int]) -> tuple[float, bool]:
    """What the logits (T, V) of a row say of its continuation."""
    own = logits[len(context) - 1 : len(context) + len(told) - 1].log_softmax(dim=-1)
    target = torch.tensor(told)
    picked = own.gather(1, target[:, None]).double().sum()
    return float(picked), bool((own.argmax(dim=-1) == target).all())
