"""Names of corpora: known, and refused."""

import pytest

from sweeps.corpora import build as corpora


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stdlob", "unknown corpus 'stdlob'; choose one of stdlib, code"),
        ("files:", "unknown corpus 'files:'"),
        ("files:/nowhere/*.txt", "matches no file"),
    ],
)
def test_wrong_names_are_refused(cache, name, message):
    with pytest.raises(ValueError, match=message):
        corpora.open_corpus(name, 300)
