"""One self-contained HTML page: headings, tables, figures inside; readable on screen and on paper."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from analysis.output import figure_style
from analysis.output.formatted_tables import Formats, table_cell
from scaling.data.atomic_files import replacing

_CSS = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; }
h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
figure { margin: 1rem 0; break-inside: avoid; } img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; color: #555; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; margin: .8rem 0; }
caption { text-align: left; color: #555; padding-bottom: .3rem; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #e5e5e5; text-align: left; vertical-align: top; }
th { border-bottom: 1.5px solid #888; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.missing { border-left: 4px solid #D55E00; background: #fdf3ec; padding: .5rem .8rem; }
pre { white-space: pre-wrap; background: #f6f6f6; padding: .6rem .8rem; font-size: .85rem; }
footer { margin-top: 3rem; font-size: .8rem; color: #555; border-top: 1px solid #ddd; }
@media print { body { max-width: none; margin: 0; font-size: 10pt; } h2 { break-after: avoid; }
  .wide { overflow: visible; } table { font-size: 7.5pt; } tr { break-inside: avoid; } }
"""


def page_path(out: Path, name: str) -> Path:
    """Where a page goes: to `out` where that names one, ending in .html, else into that folder as `name`."""
    return out if out.suffix == ".html" and not out.is_dir() else out / name


def html_table(table: pd.DataFrame, caption: str = "", formats: Formats | None = None) -> str:
    """A table that scrolls where it is too wide; numbers on the right, what is unknown blank.

    formats: of numbers, by column.
    """
    forms = [(formats or {}).get(str(c), "") for c in table]
    marks = [' class="n"' if pd.api.types.is_numeric_dtype(table[c]) else "" for c in table]
    head = "".join(
        f'<th scope="col"{mark}>{escape(str(c))}</th>' for c, mark in zip(table, marks, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{mark}>{escape(table_cell(value, form))}</td>"
            for value, form, mark in zip(row, forms, marks, strict=True)
        )
        + "</tr>"
        for row in table.itertuples(index=False)
    )
    words = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="wide"><table>{words}{body}</table></div>'


@dataclass
class Page:
    """A page that is filled from above; `html` is the whole of it."""

    title: str
    origin: str
    parts: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """A section."""
        self.parts.append(f"<h2>{escape(text)}</h2>")

    def text(self, words: str) -> None:
        """A paragraph."""
        self.parts.append(f"<p>{escape(words)}</p>")

    def verbatim(self, words: str) -> None:
        """Lines as they are."""
        self.parts.append(f"<pre>{escape(words)}</pre>")

    def missing(self, lines: Sequence[str]) -> None:
        """What there is not, and why."""
        if lines:
            body = "<br>".join(escape(line) for line in lines)
            self.parts.append(f'<p class="missing">{body}</p>')

    def table(self, table: pd.DataFrame, caption: str = "", formats: Formats | None = None) -> None:
        """A table, as `html_table` writes it."""
        self.parts.append(html_table(table, caption, formats))

    def figure(self, figure: Figure, caption: str) -> None:
        """A figure as vector graphics inside the page."""
        buffer = BytesIO()
        with figure_style.house_style():
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "parscale"})
        self._image(buffer.getvalue(), "svg+xml", figure.get_figwidth(), caption)

    def picture(self, file: Path, width: float, caption: str) -> None:
        """A PNG that is already drawn, `width` inches wide, inside the page."""
        self._image(file.read_bytes(), "png", width, caption)

    def _image(self, content: bytes, kind: str, width: float, caption: str) -> None:
        """An image with its words, for those who cannot see it as well."""
        data = base64.b64encode(content).decode("ascii")
        words = escape(caption)
        image = f'<img alt="{words}" width="{round(96 * width)}" src="data:image/{kind};base64,{data}">'
        self.parts.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")

    def attempt(self, what: str, make: Callable[[], None]) -> None:
        """A part that may lack what it needs: then the page says so, and goes on."""
        try:
            make()
        except ValueError as error:
            self.missing([f"{what}: {error}"])

    @property
    def html(self) -> str:
        """The whole page; it asks nothing of the network."""
        head = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{_CSS}</style></head><body>"
        )
        foot = f"<footer>{escape(self.origin)}</footer></body></html>\n"
        return head + f"<h1>{escape(self.title)}</h1>" + "\n".join(self.parts) + foot

    def write(self, path: Path) -> Path:
        """Write the page, making its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            partial.write_text(self.html, encoding="utf-8")
        return path
