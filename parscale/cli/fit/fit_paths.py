"""Where `parscale fit` saves its fits: one file for each law, table and group."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scaling.fitting.result import Fit


def path_of(one: Fit, group: str, *, law: str, source: str, by: str | None, out: str | None) -> Path:
    """The file of a group's fit: `out` if it ends in .json, fits/LAW-GROUP.json in another `out`, by default
    results/fits/LAW-TABLE[-GROUP].json.

    The paper's losses by corpus keep LAW-CORPUS.json: they are the fits that `parscale reproduce` makes.
    """
    from scaling.data.query import slug
    from scaling.fitting import printed_constants
    from scaling.laws.law_files import short_name

    if out is not None and out.endswith(".json"):
        if by:
            raise ValueError(f"--out {out} is one file, and --by {by} makes several fits. Give a folder")
        return Path(out)
    law = short_name(law)
    names = [law, group]
    if out is None and printed_constants.corpus_of(one) != group:
        names = [law, table_name(source), *([group] if by else [])]
    return Path(out or "results") / "fits" / f"{'-'.join(map(slug, names))}.json"


def table_name(source: str) -> str:
    """The name of a table: its file's stem, or the folder's name for a folder or its runs.parquet."""
    path = Path(source).resolve()
    return path.parent.name if path.name == "runs.parquet" else path.name if path.is_dir() else path.stem


def replaced(path: Path, one: Fit) -> str:
    """What saving a fit to `path` overwrites, in words: a fit of other runs, or nothing."""
    from scaling.fitting.result import Fit

    try:
        other = Fit.load(path).data_hash != one.data_hash
    except (ValueError, OSError):  # no file, or not a fit file
        return ""
    return " (replaced a fit of other runs)" if other else ""
