"""What tests of models and of whole sweeps share."""

import random

import pytest


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


@pytest.fixture(scope="module")
def corpus(documents, tmp_path_factory):
    """The same, built with a vocabulary of 300 in a cache of the module's own."""
    from sweeps import corpora

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSCALE_CACHE", str(tmp_path_factory.mktemp("cache")))
        corpora.load(documents, 300, lambda line: None)
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
