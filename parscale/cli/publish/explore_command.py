"""Write one self-contained page to explore laws, and open it: any N and P, intervals, costs."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.options import argument, option, switch
from parscale.cli.table_options import RUNS, SweepFitOptions

EXAMPLES = ("explore", "explore results/fits/parallel-pile.json results/fits/additive-pile.json")


@dataclass(frozen=True, kw_only=True)
class Options(SweepFitOptions):
    """Options of `parscale explore`."""

    sources: tuple[str, ...] = argument(
        f"fit files, {RUNS}; without them the paper's", nargs="*", metavar="SOURCE"
    )
    no_open: bool = switch("do not open it in a browser")
    out: str | None = option(None, "file or folder (default results/explore.html)", metavar="PATH")


def run(options: Options) -> int:
    """Write the page, show it, and print where it is."""
    from analysis import explorer
    from parscale.cli.output import say

    found, given = explorer.read(options.sources, options.asked, options.fitted_by)
    words = options.words("parscale explore", *options.sources)
    page = explorer.write_explored(found, given, options.out or "results/explore.html", command=words)
    for one in found:
        say("\n".join((f"{one.title}:", *one.verdict.lines)))
    for note in explorer.page_notes(found):
        say(f"note: {note}")
    if not options.no_open and not explorer.open_in_browser(page):
        print(f"no browser could be opened; open the file yourself: {page}")
    print(page)
    return 0
