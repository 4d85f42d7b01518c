"""The reference of the command line, made from the parsers: python docs/tools/commands.py writes its page."""

from __future__ import annotations

import argparse
from pathlib import Path

from parscale.cli.main import GROUPS, build_parser

PAGE = Path(__file__).parents[1] / "reference" / "commands.md"
TITLES = {"train": "Train", "fit": "Fit", "decide": "Decide", "publish": "Publish"}
HEAD = """# Command line

<!-- Written by `python docs/tools/commands.py`. -->

`parscale COMMAND --help` says the same. Exit codes: 0 done, 1 the work failed, 2 the call or its input is wrong.
"""


def page() -> str:
    """The whole page, in Markdown."""
    (commands,) = (
        action.choices for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    parts = [HEAD]
    for group, names in GROUPS.items():
        parts.append(f"## {TITLES[group]}\n")
        parts += [section(name, commands[name]) for name in names]
    return "\n".join(parts)


def section(name: str, parser: argparse.ArgumentParser) -> str:
    """One command: what it does, its examples, its options."""
    examples = "\n".join(line.strip() for line in (parser.epilog or "").splitlines()[1:])
    rows = [row(action) for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    shown = [line for line in rows if line]
    about = " ".join((parser.description or "").split())
    table = "\n".join(["| option | what |", "|---|---|", *shown])
    return f"### parscale {name}\n\n{about}\n\n```\n{examples}\n```\n\n{table}\n"


def row(action: argparse.Action) -> str:
    """One option or argument. Nothing for one that help does not show."""
    if action.help == argparse.SUPPRESS:
        return ""
    value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
    takes = value if isinstance(value, str) else " ".join(value)
    names = [f"{option} {takes}".strip() if action.nargs != 0 else option for option in action.option_strings]
    what = " ".join((action.help or "").replace("%%", "%").split()).replace("|", "\\|")
    return f"| {', '.join(f'`{name}`' for name in names or [takes])} | {what} |"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE)
