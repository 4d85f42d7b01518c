"""The source of documents or tokens for a corpus name."""

from __future__ import annotations

import re
from collections.abc import Callable

from sweeps.corpora.documents import Source
from sweeps.corpora.mixture import PREFIX, parts_of
from sweeps.corpora.sources.debian import DebianPackages
from sweeps.corpora.sources.huggingface import HubDataset
from sweeps.corpora.sources.packages import StandardLibrary, Wheels
from sweeps.corpora.sources.token_shards import TokenShards
from sweeps.corpora.sources.user_files import UserFiles
from sweeps.corpora.tasks.alphabet import SIZE
from sweeps.corpora.tasks.task_names import TASK, task_of

PAPERS = ("stack-v2-python", "pile")  # corpora of the grid `paper`, which is planned, not trained
OPTIONS = {  # what may follow a name: hf:NAME#column=body#most=2GB
    "files": ("column",),
    "hf": ("column", "split", "most"),
    "tokens": ("vocab",),
}
SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def source_of(
    corpus: str, first: bool = False, say: Callable[[str], None] = lambda line: None
) -> Source | TokenShards:
    """The source for a corpus name. Raises ValueError with the known names for an unknown one.

    `first`: read a user's documents as format 1. `say` gets a line for a download.
    """
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
    rest, given = _options(corpus, kind, rest)
    if kind == "files" and rest:
        return UserFiles(rest, given.get("column", ""), first)
    if kind == "hf" and rest:
        most = _characters(corpus, given.get("most", "0"))
        return HubDataset(rest, given.get("column", ""), given.get("split", "train"), most, first, say=say)
    if kind == "tokens" and rest:
        return TokenShards(rest, _whole(corpus, given["vocab"]) if "vocab" in given else None)
    if corpus in PAPERS:
        raise ValueError(
            f"corpus {corpus} is the paper's, too large to bring along: name a dataset that has it, "
            "--corpora hf:NAME, or files of yours, --corpora 'files:GLOB'"
        )
    known = ", ".join([*named, "files:GLOB", "hf:NAME", "tokens:DIR", "task:NAME", "mix:W*NAME+W*NAME"])
    raise ValueError(f"unknown corpus {corpus!r}. Choose one of {known}")


def token_shards(corpus: str) -> TokenShards | None:
    """The shards of a name, or the first of its mixture. None for text alone."""
    names = [part.name for part in parts_of(corpus)] if corpus.startswith(PREFIX) else [corpus]
    found = (source_of(name) for name in names if name.startswith("tokens:"))
    return next((source for source in found if isinstance(source, TokenShards)), None)


def check_name(corpus: str) -> None:
    """Refuse an unknown name."""
    for name in [part.name for part in parts_of(corpus)] if corpus.startswith(PREFIX) else [corpus]:
        if name.startswith(TASK):
            task_of(name)
        elif "#answer=" in name:
            source_of(name.partition("#")[0])
        else:
            source_of(name)


def own_vocabulary(corpus: str) -> int | None:
    """Rows that an embedding needs for tokens that no tokenizer is learnt for: shards', a task's characters."""
    if shards := token_shards(corpus):
        return shards.vocabulary
    names = [part.name for part in parts_of(corpus)] if corpus.startswith(PREFIX) else [corpus]
    return SIZE if any(name.startswith(TASK) for name in names) else None


def _options(corpus: str, kind: str, rest: str) -> tuple[str, dict[str, str]]:
    """What is named, and the options behind it: NAME#key=value."""
    if kind not in OPTIONS or not re.search(r"#\w+=", rest):
        return rest, {}
    name, *items = re.split(r"#(?=\w+=)", rest)
    given = dict(item.split("=", 1) for item in items)
    if strange := set(given) - set(OPTIONS[kind]):
        raise ValueError(
            f"corpus {corpus}: unknown #{min(strange)}. {kind}: takes {', '.join(OPTIONS[kind])}"
        )
    return name, given


def _characters(corpus: str, text: str) -> int:
    """2000000000 from 2GB."""
    match = re.fullmatch(r"(\d+\.?\d*)([KMGT]?)B?", text.upper())
    if not match:
        raise ValueError(f"corpus {corpus}: most={text} is not a size. Write e.g. #most=2GB")
    return round(float(match[1]) * SIZES[match[2]])


def _whole(corpus: str, text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ValueError(f"corpus {corpus}: vocab={text} is no whole number above 0")
    return int(text)
