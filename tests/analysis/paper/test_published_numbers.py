"""The paper's numbers as tables."""

import shutil

import pytest

from analysis.paper.published_numbers import _FILES, CORPORA, PILE, STACK, read_published
from tests.analysis.conftest import PUBLISHED


def test_every_table_is_read_and_constants_have_our_names():
    published = read_published(PUBLISHED)
    assert published.folder == PUBLISHED
    assert all(len(getattr(published, name)) for name in _FILES)
    assert set(published.constants.index) == {STACK, PILE}
    for corpus, theirs in CORPORA.items():
        assert published.constants.loc[corpus, "dataset"] == theirs


@pytest.mark.parametrize("corpus", [STACK, PILE])
def test_each_corpus_has_six_sizes_at_four_numbers_of_streams(corpus):
    runs = read_published(PUBLISHED).corpus(corpus)
    assert set(runs["corpus"]) == {corpus}
    assert (runs["size"].nunique(), sorted(runs["P"].unique()), len(runs)) == (6, [1, 2, 4, 8], 24)


@pytest.mark.parametrize("gone", ["losses.csv", "fig6c_peft_partial.csv"])
def test_the_first_table_that_is_not_there_is_named(tmp_path, gone):
    for file in _FILES.values():
        shutil.copy(PUBLISHED / file, tmp_path)
    (tmp_path / gone).unlink()
    with pytest.raises(ValueError, match=str(tmp_path / gone)):
        read_published(tmp_path)
