"""Corpora: documents cleaned, de-duplicated, split, tokenised and cached."""

from sweeps.corpora.build import bind, open_corpus

__all__ = ["bind", "open_corpus"]
