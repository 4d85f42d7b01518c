"""The table of the atlas: python docs/tools/atlas.py writes it into its page, from results/atlas/atlas.csv."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.output.formatted_tables import markdown
from scaling.data.atomic_files import write_between

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/atlas.md"
TABLE = ROOT / "results/atlas/atlas.csv"
MARKS = ("<!-- atlas -->", "<!-- end of the atlas -->")
COLUMNS = {
    "entry": "law", "constants": "constants", "certificate": "certificate", "better_rival": "rival",
    "forecast": "its largest runs",
}  # fmt: skip


def table() -> str:
    """The table in Markdown."""
    return markdown(pd.read_csv(TABLE)[[*COLUMNS]].fillna("").rename(columns=COLUMNS))


if __name__ == "__main__":
    write_between(PAGE, MARKS, table())
