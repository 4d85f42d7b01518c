"""Write one self-contained page to explore laws, and open it: any N and P, intervals, costs."""

from __future__ import annotations

from dataclasses import dataclass

from parscale.cli.options import argument, option, switch
from parscale.cli.table_options import RUNS, SweepFitOptions

EXAMPLES = (
    "explore",
    "explore results/fits/parallel-pile.json results/fits/additive-pile.json",
    "explore shapes.csv --laws depth.py:DepthLaw,chinchilla --columns width=d_model",
)


@dataclass(frozen=True, kw_only=True)
class Options(SweepFitOptions):
    """Options of `parscale explore`."""

    sources: tuple[str, ...] = argument(
        f"fit files, {RUNS} (default: the paper's)", nargs="*", metavar="SOURCE"
    )
    laws: str | None = option(
        None,
        "laws to fit to a table, a law of yours as FILE.py:CLASS (default: the registered ones of the axes that vary)",
        metavar="LAW,...",
    )
    no_open: bool = switch("do not open it in a browser")
    out: str | None = option(None, "file or folder (default results/explore.html)", metavar="PATH")


def run(options: Options) -> int:
    """Write the page, show it, and print where it is."""
    from analysis import explorer
    from parscale.cli.option_values import named_laws
    from parscale.cli.output import say
    from scaling.laws import by_name

    laws = [by_name(name) for name in named_laws(options.laws)] if options.laws else []
    found, given = explorer.read(options.sources, options.asked, options.fitted_by, laws)
    chosen = ["--laws", options.laws] if options.laws else []
    words = options.words("parscale explore", *options.sources, *chosen)
    page = explorer.write_explored(found, given, options.out or "results/explore.html", command=words)
    for one in found:
        say("\n".join((f"{one.title}:", *one.verdict.lines)))
    for note in explorer.page_notes(found):
        say(f"note: {note}")
    if not options.no_open and not explorer.open_in_browser(page):
        print(f"no browser could be opened. Open the file yourself: {page}")
    print(page)
    return 0
