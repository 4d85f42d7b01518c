"""What `parscale figures`, `reproduce`, `gains`, `report` and `explore` do with parsed arguments."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.sweep.verdict import show, terminal
from scaling import terminal_text
from scaling.data.query import Asked
from scaling.fitting import save
from scaling.optimise.objectives import Objective, named
from scaling.uncertainty.base import check_level


def figures(args: Any) -> int:
    """Draw the paper's figures or a sweep's."""
    from analysis.report.sweep_figures import draw

    folder = Path("results")
    if args.source is not None:
        folder = Path(args.source) if Path(args.source).is_dir() else Path(args.source).parent
    words = [
        "parscale figures",
        *([args.source] if args.source else []),
        *(["--only", args.only] if args.only else []),
        *(["--objective", args.objective] if args.objective else []),
        *asked(args).words,
    ]
    target = Path(args.out) if args.out else folder / "figures"
    only = [name.strip() for name in args.only.split(",")] if args.only else None
    how: Any = {"command": " ".join(words), "objective": objective_of(args), "asked": asked(args)}
    for path in draw(args.source, out=target, only=only, **how):
        print(path)
    return 0


def objective_of(args: Any) -> Objective | None:
    """The objective of a sweep's fits, if one was named."""
    return named(args.objective) if args.objective else None


def asked(args: Any) -> Asked:
    """Which columns and rows of the table were asked for."""
    return Asked(args.columns, args.where)


def reproduce(args: Any) -> int:
    """Regenerate the paper, print published against ours."""
    from analysis.paper import reproduce as job

    console = terminal()
    with console.status("reproducing") as state:
        made = job.run(Path(args.out or "results"), progress=lambda step: state.update(step))
    show(made.constants, "published and ours", keys=2)
    show(made.claims, "claims")
    console.print(f"{len(made.files)} files in {made.out}, {made.seconds:.0f} s", highlight=False)
    return 0


def gains(args: Any) -> str:
    """Each size and P beside P = 1, in words and numbers."""
    from analysis.report import context_text
    from analysis.report import gains_text as known
    from scaling.selection import gains_by_context, paired_gains
    from scaling.selection.pooled_k import pooled_k

    check_level(args.level, "--level ")
    runs, context, streams = _measured(args.source, args.baseline, asked(args))
    table = paired_gains.gains(runs, args.level).table
    if not len(table):
        lacks = "no size was run at P = 1 and at more with the same seed and tokens"
        unnamed = "add a column size, one label for the runs that share a backbone: it pairs them"
        raise ValueError(f"{args.source}: {lacks if 'size' in runs else unnamed}")
    noise, pooled = paired_gains.noise_over_seeds(runs), pooled_k(runs, args.level)
    if args.json:
        tables = {"gains": table, "noise": noise, **({} if streams is None else {"streams": streams})}
        if context is not None:
            tables["parts"] = gains_by_context.changes(context, args.level)
            tables["k of parts"] = gains_by_context.worth(context, args.level)
        records = {name: known.to_dict("records") for name, known in tables.items()}
        return save.dumps(records | {"k": [asdict(one) for one in pooled]})
    scatter = "\n".join(map(known.scatter, noise.to_dict("records")))
    room = terminal_text.width()
    parts = [known.text(table, room), known.grounds(runs, args.level), *map(str, pooled), scatter]
    if context is not None:
        parts.append(context_text.text(context, args.level, room))
    if streams is not None:
        parts.append(known.averaged(streams, room))
    return terminal_text.fold("\n\n".join(parts), room)


def _measured(source: str, baseline: str | None, of: Asked) -> tuple[Any, Any, Any]:
    """Runs and what `parscale context` and `streams` wrote beside them, P = 1 from a baseline."""
    from analysis.sweep import sweep_folder
    from analysis.sweep.results import read_results
    from scaling.selection.paired_gains import beside

    runs = read_results(source, of)
    context: Any = sweep_folder.read_beside(Path(source), runs, sweep_folder.CONTEXT)
    if not baseline:
        return runs, context, sweep_folder.read_beside(Path(source), runs, sweep_folder.STREAMS)
    one, one_context, _ = _measured(baseline, None, of)
    both = context is not None and one_context is not None
    return beside(runs, one), beside(context, one_context) if both else None, None


def report(args: Any) -> int:
    """Write the page of a sweep."""
    from analysis.report.report import write

    words = f"parscale report {args.source}" + (f" --objective {args.objective}" if args.objective else "")
    words = " ".join([words, *asked(args).words])
    print(write(args.source, args.out, command=words, objective=objective_of(args), asked=asked(args)))
    return 0


def explore(args: Any) -> int:
    """Write the page to explore laws and show it."""
    from analysis import explorer

    named_as = ["--objective", args.objective] if args.objective else []
    words = ["parscale explore", *map(str, args.sources), *named_as, *asked(args).words]
    how: Any = {"command": " ".join(words), "objective": objective_of(args), "asked": asked(args)}
    page = explorer.write(args.sources, args.out or Path("results") / "explore.html", **how)
    if not args.no_open and not explorer.open_in_browser(page):
        terminal().print(f"no browser could be opened; open the file yourself: {page}", highlight=False)
    print(page)
    return 0
