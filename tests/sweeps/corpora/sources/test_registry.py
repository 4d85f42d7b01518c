"""Names of corpora: known, and refused."""

import pytest

from sweeps.corpora import build as corpora
from sweeps.corpora.sources.registry import source_of, token_shards


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stdlob", "'stdlob'"),
        ("files:", "'files:'"),
        ("files:/nowhere/*.txt", "/nowhere/"),
        ("files:a#colum=b", "#colum\\b.*files:.*column"),
        ("hf:a#most=2XB", "most=2XB"),
        ("tokens:a#vocab=-3", "vocab=-3"),
        ("tokens:/nowhere", "tokens:/nowhere"),
        ("mix:1*stdlib+2*stdlob", "'stdlob'"),
    ],
)
def test_wrong_names_are_refused(cache, name, message):
    with pytest.raises(ValueError, match=message):
        corpora.open_corpus(name, 300)


def test_options_follow_a_name():
    source = source_of("hf:some/name:config#most=2.5GB#column=body#split=test")
    assert (source.name, source.most, source.column, source.split) == (
        "some/name:config",
        2_500_000_000,
        "body",
        "test",
    )
    assert source_of("files:a#b/*.txt").pattern == "a#b/*.txt"


def test_the_tokens_in_a_mixture_are_found():
    assert token_shards("mix:1*stdlib+3*tokens:a#vocab=9").vocab_option == 9
    assert token_shards("stdlib") is None
