"""The trained runs of a sweep whose weights are kept, and validation text to read with them.

What is read of them goes into a table of its own next to the sweep's runs.parquet, and is not read twice. Rows
of finished runs whose weights have since gone stay in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from sweeps.checkpoint import released_format
from sweeps.config.run import RunConfig
from sweeps.corpora import build as corpora
from sweeps.model.parscale import ParScaleLM
from sweeps.store.checksums import read_parquet, write_parquet
from sweeps.store.store import Store

BLOCK = 8  # windows read at once
Known = tuple[str, RunConfig, Path]


def runs(folder: Path) -> Iterator[Known]:
    """Every finished run whose weights are kept: run_id, configuration, checkpoint."""
    store = Store(folder)
    finished = store.finished()
    for run_id, config in store.configs().items():
        weights = store.checkpoint(run_id)
        if run_id in finished and (weights / "config.json").exists():
            yield run_id, _readable(config, weights), weights


def _readable(config: RunConfig, weights: Path) -> RunConfig:
    """The configuration with the tokenizer next to the weights, where the one it names is not here."""
    own = weights / "tokenizer.json"
    here = config.tokenizer == "bpe" or Path(config.tokenizer).is_file()
    return config if here or not own.is_file() else replace(config, tokenizer=str(own))


def load_trained(weights: Path) -> ParScaleLM:
    """A kept model, on the GPU where there is one."""
    model = released_format.load_checkpoint(weights).eval()
    return model.cuda() if torch.cuda.is_available() else model


def progress(several: list[Known]) -> Iterable[Known]:
    """The runs one after the other, with a bar on a terminal's stderr while they are read."""
    return track(several, "reading validation text", console=Console(stderr=True), transient=True)


def windows(config: RunConfig, tokens: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Held-out windows of the run's length, evenly spread, BLOCK at a time: inputs and targets (B, T)."""
    held = corpora.open_for(config).valid
    T = min(config.seq_len, len(held) - 1)
    count = max(1, min(tokens, len(held) - 1) // T)
    starts = np.linspace(0, len(held) - T - 1, count).astype(int)
    for block in np.array_split(starts, -(-count // BLOCK)):
        ids = torch.from_numpy(np.stack([held[a : a + T + 1] for a in block]).astype(np.int64))
        yield ids[:, :-1], ids[:, 1:]


def complete(
    folder: Path,
    table: str,
    asked: int | str,
    of_run: Callable[[Known], pd.DataFrame],
    several: list[Known],
    *,
    order: Sequence[str],
    column: str = "tokens_read",
) -> pd.DataFrame:
    """What `of_run` finds in each of `several` runs, in a table next to the sweep's, written run by run.

    A run that the table holds already, asked for the same (so many tokens, or whatever `column` says), is not read
    again. Rows of finished runs whose weights have gone stay. At the end the rows are sorted by the columns of `order`.
    """
    found = read_parquet(folder / table) if (folder / table).exists() else pd.DataFrame({"run_id": []})
    found = found[found["run_id"].isin(Store(folder).finished())]
    held = found["run_id"][found[column] == asked] if column in found else ()
    for known in progress([known for known in several if known[0] not in set(held)]):
        rows = of_run(known).assign(run_id=known[0], **{column: asked})
        found = pd.concat([found[found["run_id"] != known[0]], rows], ignore_index=True)
        write_parquet(folder / table, found)
    write_parquet(folder / table, found.sort_values(list(order), ignore_index=True))
    return read_parquet(folder / table)
