"""`parscale explore`: one self-contained page that answers for any point under any fitted law.

explorer.write(["results/published/losses.csv"], "explore.html")

The page holds every law as numbers on a grid of its axes (`law_grid.py`), a user's own law too, and
evaluates the cost model itself (`cost.js`). Nothing it loads lies outside the file, and its content
policy forbids any request.
"""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

import scaling
from analysis.explorer.explored_runs import ExploredRuns, mixed_notes, read_sources
from analysis.explorer.explorer_page import page_text
from analysis.output.html_page import page_path
from analysis.paper.published_numbers import FOLDER
from scaling.data.atomic_files import replacing
from scaling.data.published_tables import published_file
from scaling.data.query import WHOLE, Asked
from scaling.laws.base import LawForm
from scaling.optimise.objectives import Objective

Source = Path | str | scaling.Fit
__all__ = ["open_in_browser", "page_notes", "read", "write", "write_explored"]


def write(
    sources: Sequence[Path | str | scaling.Fit] = (),
    out: Path | str = "explore.html",
    *,
    command: str = "parscale explore",
    asked: Asked = WHOLE,
    objective: Objective | None = None,
    laws: Sequence[LawForm] = (),
) -> Path:
    """Write the page of fits, fit files, sweep folders or runs tables.

    Args:
        sources: what to show. The paper's losses by default.
        out: the file, or a folder for explore.html.
        command: named on the page.
        asked: which columns and rows of a table to use.
        objective: of the fits made of a table, as of `scaling.fit`.
        laws: to fit to a table. By default the registered laws of its axes.

    Returns:
        The path of the page.

    Raises:
        ValueError: for a file that is not a fit or a runs table, a law that is not finite on the grid, and a sweep
            without a finished run.

    Examples:
        >>> import scaling
        >>> from analysis import explorer
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> explorer.write([scaling.fit("parallel", pile, objective="least-squares")], "pile.html").name
        'pile.html'
    """
    return write_explored(*read(sources, asked, objective, laws), out, command=command)


def read(
    sources: Sequence[Source],
    asked: Asked = WHOLE,
    objective: Objective | None = None,
    laws: Sequence[LawForm] = (),
) -> tuple[list[ExploredRuns], list[Source]]:
    """Read and fit what the page will show.

    Args:
        sources: fits, fit files, sweep folders or runs tables. The paper's losses by default.
        asked: which columns and rows of a table to use.
        objective: of the fits made of a table, as of `scaling.fit`.
        laws: to fit to a table. By default the registered laws of its axes.

    Returns:
        What was found in the sources, and the sources.
    """
    paper = Path(FOLDER) / "losses.csv"
    given: list[Source] = list(sources) or [paper if paper.is_file() else published_file("losses")]
    return read_sources(given, asked, objective, laws), given


def write_explored(
    found: Sequence[ExploredRuns],
    given: Sequence[Source],
    out: Path | str,
    *,
    command: str = "parscale explore",
) -> Path:
    """Write the page of what `read` found.

    Args:
        found: what is in the sources.
        given: the sources, named in the page's foot.
        out: the file, or a folder for explore.html.
        command: named on the page.

    Returns:
        The path of the page.
    """
    text = page_text(found, command=command, origin=", ".join(map(_origin, given)))
    target = page_path(Path(out), "explore.html")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as partial:
        partial.write_text(text, encoding="utf-8")
    return target


def page_notes(found: Sequence[ExploredRuns]) -> list[str]:
    """What the runs say against fitting them as one, by the law that each source is first shown with.

    Args:
        found: what `read` found.

    Returns:
        One line per note, which begins with the title of its source.
    """
    told = ((one.title, note) for one in found for note in mixed_notes(one.first))
    return [f"{title}: {note}" for title, note in told]


def _origin(given: Path | str | scaling.Fit) -> str:
    """What the page's foot says it was made from."""
    return f"a fit of {type(given.law).__name__}" if isinstance(given, scaling.Fit) else str(given)


def open_in_browser(page: Path) -> bool:
    """Show a page in the user's browser.

    Args:
        page: the file.

    Returns:
        False if there is no browser.
    """
    try:
        return webbrowser.open(page.resolve().as_uri())
    except webbrowser.Error:
        return False
