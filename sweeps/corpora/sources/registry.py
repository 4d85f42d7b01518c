"""The source of documents that a corpus name stands for."""

from __future__ import annotations

from sweeps.corpora.documents import Source
from sweeps.corpora.sources.debian import DebianPackages
from sweeps.corpora.sources.huggingface import HubDataset
from sweeps.corpora.sources.packages import StandardLibrary, Wheels
from sweeps.corpora.sources.user_files import UserFiles

PAPERS = ("stack-v2-python", "pile")  # corpora of the grid `paper`, which is planned, not trained


def source_of(corpus: str) -> Source:
    """The source a corpus name stands for; an unknown name is refused with the list of known ones."""
    named: dict[str, Source] = {
        "stdlib": StandardLibrary(),
        "code": Wheels(("code-small.txt",), "code"),
        "code-large": Wheels(("code-large.txt",), "code"),
        "text": Wheels(("text-pypi.txt",), "text"),
        "text-debian": DebianPackages("text-debian.tsv"),
    }
    if corpus in named:
        return named[corpus]
    kind, _, rest = corpus.partition(":")
    if kind == "files" and rest:
        return UserFiles(rest)
    if kind == "hf" and rest:
        return HubDataset(rest)
    if corpus in PAPERS:
        raise ValueError(
            f"corpus {corpus} is the paper's, too large to bring along: name a dataset that has it, "
            "--corpora hf:NAME, or files of yours, --corpora 'files:GLOB'"
        )
    known = ", ".join([*named, "files:GLOB", "hf:NAME"])
    raise ValueError(f"unknown corpus {corpus!r}; choose one of {known}")
