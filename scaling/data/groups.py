"""Rows by corpus and by size: names of corpora, a table's parts, the sizes it has."""

from __future__ import annotations

import pandas as pd

from scaling.data.levels import size_levels

TITLES = {"stack-v2-python": "Stack-V2 Python", "pile": "The Pile"}  # the paper's corpora as headings


def corpus_name(corpus: str) -> str:
    """A corpus as a heading."""
    return TITLES.get(corpus, corpus)


def labelled(corpus: str, words: str, sep: str = ": ") -> str:
    """Words about a corpus, after its name if it has one."""
    name = corpus_name(corpus)
    return f"{name}{sep}{words}" if name else words


def split_by_corpus(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows by corpus in order of appearance. One nameless group if there is no such column."""
    if "corpus" not in table:
        return {"": table}
    return {str(name): rows for name, rows in table.groupby("corpus", sort=False)}


def backbones(table: pd.DataFrame) -> list[float]:
    """One N per size, that of its smallest run, ascending. `scaling.data.levels` decides which runs share a size."""
    return [float(N) for N in table["N"].groupby(size_levels(table)).min()]
