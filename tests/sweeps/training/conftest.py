"""A corpus with something to learn."""

import numpy as np
import pytest

from sweeps.corpora import build as corpora
from sweeps.training.train import train
from tests.sweeps.small_run import ONE, config

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


@pytest.fixture(scope="session")
def built_rhymes(tmp_path_factory):
    """The folder of a corpus with something to learn, and of the cache that holds it."""
    root = tmp_path_factory.mktemp("corpus")
    generator = np.random.default_rng(5)
    for domain in ("poems", "lists"):
        (root / domain).mkdir()
        for number in range(120):
            words = generator.choice(WORDS, 150)
            lines = [f"{w} {'rhymes' if domain == 'poems' else 'counts'} {number}" for w in words]
            (root / domain / f"{number}.txt").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSCALE_CACHE", str(root / "cache"))
        corpora.open_corpus(f"files:{root}/*/*.txt", 300, lambda line: None)
    return root


@pytest.fixture(scope="module")
def rhymes(built_rhymes):
    """That corpus."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSCALE_CACHE", str(built_rhymes / "cache"))
        yield f"files:{built_rhymes}/*/*.txt"


@pytest.fixture(scope="module")
def whole(rhymes, tmp_path_factory):
    """A run of that corpus that nothing disturbed: its folder and its row."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(config(rhymes), folder, execution=ONE)
