"""Corpora: documents cleaned, de-duplicated, split, tokenised and cached."""

from sweeps.corpora.build import bind, load

__all__ = ["bind", "load"]
