"""A corpus with something to learn."""

import numpy as np
import pytest

from sweeps.corpora import build as corpora

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


@pytest.fixture(scope="module")
def rhymes(tmp_path_factory):
    """A corpus with something to learn, built once."""
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
        name = f"files:{root}/*/*.txt"
        corpora.open_corpus(name, 300, lambda line: None)
        yield name
