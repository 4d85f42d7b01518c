"""Text that a run writes as it is trained: at each evaluation it goes on with the same validation beginnings.

`samples.jsonl` in the run's folder has a line a text: step, prompt, text. TensorBoard and Weights & Biases get them too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger

from scaling.data.atomic_files import replacing
from sweeps.corpora.corpus import Corpus
from sweeps.corpora.tokens import read_tokenizer
from sweeps.inspect.generate import Sampling, generate
from sweeps.model.parscale import ParScaleLM

PROMPT, NEW = 16, 64  # tokens of a beginning and of what is written
SAMPLING = Sampling(
    temperature=0.8, top_p=0.95
)  # with random numbers of its own, the same at each evaluation


class Samples:
    """Writes some texts of one run."""

    def __init__(self, folder: Path, corpus: Corpus, count: int, step: int = 0) -> None:
        """A run that goes on from `step` writes what came after it once more."""
        self.path = folder / "samples.jsonl"
        self.decode = _decoder(corpus.tokenizer)
        length = len(corpus.valid)
        starts = [place * max(0, length - PROMPT) // count for place in range(count)]
        self.prompts = [[int(one) for one in corpus.valid[start : start + PROMPT]] for start in starts]
        written = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        self.lines = [line for line in written if json.loads(line)["step"] <= step]

    def write(
        self,
        model: ParScaleLM,
        step: int,
        context: Callable[[], AbstractContextManager[object]],
        loggers: Sequence[Logger],
    ) -> None:
        """Go on with every beginning. The file is whole or as it was."""
        training = model.training
        model.eval()
        with torch.no_grad(), context(), torch.compiler.set_stance("force_eager"):
            made = generate(model, self.prompts, NEW, SAMPLING)
        model.train(training)
        texts = [
            (self.decode(prompt), self.decode(ids)) for prompt, ids in zip(self.prompts, made, strict=True)
        ]
        self.lines += [
            json.dumps({"step": step, "prompt": a, "text": b}, ensure_ascii=False) for a, b in texts
        ]
        with replacing(self.path) as temporary:
            temporary.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        for logger in loggers:
            _log(logger, texts, step)


def _decoder(tokenizer: Path | None) -> Callable[[Sequence[int]], str]:
    """From tokens to text. Numbers where the corpus has no tokenizer."""
    if tokenizer is None:
        return lambda ids: " ".join(map(str, ids))
    known = read_tokenizer(tokenizer)
    return lambda ids: str(known.decode(list(ids)))


def _log(logger: Logger, texts: Sequence[tuple[str, str]], step: int) -> None:
    if isinstance(logger, TensorBoardLogger):
        shown = "\n\n".join(f"**{prompt}**{text}" for prompt, text in texts)
        logger.experiment.add_text("samples", shown, step)
    elif isinstance(logger, WandbLogger):
        logger.log_text("samples", columns=["prompt", "text"], data=[list(pair) for pair in texts], step=step)
