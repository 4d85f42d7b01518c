"""A sweep of models that were trained for a moment."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sweeps.checkpoint import released_format
from sweeps.corpora import build as corpora
from sweeps.store.store import Store
from tests.sweeps.briefly_trained import run_of


@pytest.fixture
def trained_sweep(tmp_path, monkeypatch):
    """A folder with finished runs of P = 1 and 4 and an unfinished one of P = 2."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    text = np.tile(np.arange(61), 40).astype(np.int64)
    monkeypatch.setattr(corpora, "open_for", lambda run: SimpleNamespace(valid=text[:1000].astype(np.uint16)))
    store = Store(tmp_path / "s")
    store.create("test", "")
    for P in (1, 2, 4):
        model, config = run_of(P, text)
        (run_id,) = store.add([config])
        if P != 2:
            released_format.save_checkpoint(model, store.checkpoint(run_id))
            row = {"corpus": "x", "size": config.size, "N": config.model.N, "P": P, "seed": P, "loss": 3.0}
            store.finish(run_id, row)
    store.gather()
    yield tmp_path / "s"
    torch.set_num_threads(before)
