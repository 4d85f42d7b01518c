"""Results that are a table and a verdict: as text that fits the terminal, and as HTML in notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, ClassVar

import pandas as pd

from scaling import terminal_text


class ResultTable:
    """A result with a `table` and a `verdict` in words."""

    table: pd.DataFrame
    verdict: str
    number: ClassVar[str] = ""  # how numbers are printed; empty: a column with as many decimals each

    @property
    def shown(self) -> pd.DataFrame:
        """The table that is printed."""
        return self.table

    def __repr__(self) -> str:
        """Table and verdict."""
        room = terminal_text.width()
        if self.number:
            shown = terminal_text.table(self.shown, room, float_format=self.number.format)
        else:
            shown = terminal_text.table(terminal_text.aligned(self.shown), room)
        return f"{shown}\n\n{terminal_text.fold(self.verdict, room)}"

    def _repr_html_(self) -> str:
        words = escape(self.verdict).replace("\n", "<br>")
        return f"{self._html()}<p>{words}</p>"

    def _html(self) -> str:
        """The table as HTML."""
        if self.number:
            return str(self.shown.to_html(float_format=self.number.format))
        return str(terminal_text.aligned(self.shown).to_html())


class FrameResult(ResultTable):
    """A result that can be used in the place of its table: columns, rows and methods are the table's."""

    def __getattr__(self, name: str) -> Any:
        """An attribute that the result has not is its table's."""
        if name.startswith("__") or name == "table":
            raise AttributeError(name)
        return getattr(self.table, name)

    def __getitem__(self, key: Any) -> Any:
        return self.table[key]

    def __contains__(self, key: object) -> bool:
        return key in self.table

    def __iter__(self) -> Iterator[Any]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)
