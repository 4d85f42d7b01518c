"""Documents that tests of whole sweeps share."""

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
