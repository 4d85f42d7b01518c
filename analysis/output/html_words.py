"""Words of a page as HTML: escaped, with the signs of print and spaces that do not break."""

from __future__ import annotations

import re
from html import escape

KEPT = "\N{NO-BREAK SPACE}"
_MINUS = re.compile(r"(?:(?<![\w.\-/])|(?<=\de))-(?=\.?\d)|(?<= )-(?= )|(?<=\^)-")
_EQUAL = re.compile(r"(\w) ([=<]) (?=\S)")
_UNIT = re.compile(r"(\d) N\b")
_ENDS = re.compile(r"\(([^\s()]*\d) to (?=[^()]{1,20}\))")
_R2 = re.compile(r"\bR2\b(?: (?=\S?\d))?")


def typeset(words: str) -> str:
    """Words with minus signs and R², where "P = 8", "1.4 N" and "(0.1 to 0.5" do not break across lines."""
    words = _R2.sub(lambda found: "R²" + KEPT * found[0].endswith(" "), _MINUS.sub("\N{MINUS SIGN}", words))
    words = _EQUAL.sub(rf"\1{KEPT}\2{KEPT}", words)
    words = _UNIT.sub(rf"\1{KEPT}N", words)
    return _ENDS.sub(rf"(\1{KEPT}to{KEPT}", words)


def html_words(words: str) -> str:
    """Words as HTML. Words between backticks are code, as typed."""
    parts = words.split("`")
    if len(parts) % 2 == 0:  # a backtick that opens nothing
        return escape(typeset(words))
    return "".join(
        f"<code>{escape(part)}</code>" if place % 2 else escape(typeset(part))
        for place, part in enumerate(parts)
    )
