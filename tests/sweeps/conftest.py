"""What tests of models and of whole sweeps share."""

import io
import json
import random
from pathlib import Path

import pytest

from sweeps.store.store import Store
from tests.sweeps.stored_runs import config, finish


@pytest.fixture(scope="session")
def documents(tmp_path_factory):
    """A corpus name: 300 files of made-up words."""
    folder = tmp_path_factory.mktemp("documents")
    generator = random.Random(3)
    words = [f"{a}{b}" for a in "bdfgklm" for b in ("a", "en", "ir", "os", "ul")]
    for number in range(300):
        text = "\n".join(" ".join(generator.choices(words, k=12)) for _ in range(60))
        (folder / f"{number}.txt").write_text(text)
    return f"files:{folder}/*.txt"


@pytest.fixture(scope="session")
def cache_of_documents(documents, tmp_path_factory):
    """A cache that holds them, built with a vocabulary of 300."""
    from sweeps.corpora import build as corpora

    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSCALE_CACHE", str(folder))
        corpora.open_corpus(documents, 300, lambda line: None)
    return folder


@pytest.fixture(scope="module")
def corpus(documents, cache_of_documents):
    """The same, found in that cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSCALE_CACHE", str(cache_of_documents))
        yield documents


@pytest.fixture
def one_thread():
    """Torch on one thread, its generator seeded: sums come out the same on every machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Run part of the ci grid with the fake trainer, whose behaviour is {size/P: what to do}."""
    from rich.console import Console

    from sweeps.corpora import build as corpora
    from sweeps.driver.run_sweep import run_sweep
    from sweeps.grids.grids import Axes, find

    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setattr(corpora, "bind", lambda configs, **more: list(configs))
    monkeypatch.setattr("sweeps.driver.run_sweep.POLL_S", 0.05)  # these runs end sooner
    monkeypatch.setattr("sweeps.driver.process_pool.POLL_S", 0.02)

    def run(behaviour=None, axes=Axes(streams=(1, 2)), **more):  # noqa: B008 -- frozen
        monkeypatch.setenv("FAKE", json.dumps(behaviour or {}))
        console = Console(file=io.StringIO(), width=200)
        result = run_sweep(
            find("ci")(axes),
            tmp_path / "out",
            name="ci",
            console=console,
            trainer="fake_trainer:train",
            **more,
        )
        return result, console.file.getvalue()

    return run


@pytest.fixture
def gathered(tmp_path):
    """Three finished runs, gathered, with their losses by domain."""
    gathered = Store(tmp_path / "sweep")
    gathered.create("s", "a rule")
    runs = [config(seed=seed) for seed in range(3)]
    gathered.add(runs)
    for run in runs:
        finish(gathered, run)
        parts = [{"run_id": run.run_id, "domain": "a", "tokens": 3, "loss": 2.0, "bits_per_byte": 1.0}]
        (gathered.checkpoint(run.run_id) / "domains.json").write_text(json.dumps(parts))
    gathered.gather(curves=True)
    return gathered
