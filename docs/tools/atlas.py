"""The table of the atlas: python docs/tools/atlas.py writes it into its page, from results/atlas/atlas.csv."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.atlas.write import SHOWN
from analysis.output.formatted_tables import markdown
from scaling.data.atomic_files import write_between

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/atlas.md"
TABLE = ROOT / "results/atlas/atlas.csv"
MARKS = ("<!-- atlas -->", "<!-- end of the atlas -->")


def table() -> str:
    """The table in Markdown."""
    return markdown(pd.read_csv(TABLE)[[*SHOWN]].fillna("").rename(columns=SHOWN))


if __name__ == "__main__":
    write_between(PAGE, MARKS, table())
