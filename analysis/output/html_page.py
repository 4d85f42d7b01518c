"""One self-contained HTML page: headings, tables, figures inside. Readable on screen and on paper."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from analysis.output import figure_style
from analysis.output.formatted_tables import Formats
from analysis.output.html_table import html_table
from analysis.output.html_words import html_words
from scaling.data.atomic_files import replacing
from scaling.data.query import slug
from scaling.laws.base import LawForm
from scaling.selection.verdict import Verdict

_CSS = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #57606a; --line: #d8dee4; --back: #fff; --card: #f6f8fa;
  --yes: #0b6b3a; --no: #a3250b; --tell: #7a5200; --warn: #fdf3ec; --shade: #0004; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --soft: #a4adb8; --line: #39414b; --back: #14171b;
  --card: #1d2228; --yes: #5bd08f; --no: #ff9b80; --tell: #f0c05a; --warn: #33241a; --shade: #fff5; }
  img { filter: invert(1) hue-rotate(180deg) brightness(1.25) contrast(.85); } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 76rem;
  margin: 1.5rem auto; padding: 0 1rem; }
p, li, pre { max-width: 52rem; } a { color: inherit; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
figure { display: inline-block; vertical-align: top; margin: .5rem 1.5rem 1rem 0; max-width: 100%; break-inside: avoid;
  overflow-x: auto; }
.beside figure { margin-right: 0; } .beside img { width: 100%; max-width: 32rem; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption { font-size: .9rem; color: var(--soft); width: 0; min-width: 100%; }
.wide { overflow-x: auto; max-width: 100%; background: linear-gradient(to left, var(--back) 40%, transparent) right / 3rem
  100% no-repeat local, linear-gradient(to left, var(--shade), transparent) right / 1.2rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .85rem; margin: .8rem 0; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .2rem .5rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { border-bottom: 1.5px solid var(--soft); } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n { white-space: nowrap; } th:first-child, td:first-child { position: sticky; left: 0; background: var(--back); }
.noted { display: flex; gap: 0 2.5rem; align-items: flex-start; } .noted > .wide { flex: none; }
.notes { flex: 1 1 0; min-width: 0; padding-top: .4rem; } .notes p { font-size: .9rem; margin: .5rem 0; }
.missing { border-left: 4px solid #D55E00; background: var(--warn); padding: .5rem .8rem; }
ul.missing { padding-left: 1.8rem; } code { font-size: .9em; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; background: var(--card); padding: .6rem .8rem; font-size: .85rem; }
.verdict { display: grid; grid-template-columns: repeat(3, 1fr); gap: .8rem; margin: .8rem 0; }
.answer { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .9rem; }
.answer h3 { font-size: .95rem; margin: 0; color: var(--soft); font-weight: 500; }
.answer b { font-size: 1.5rem; line-height: 1.3; } .answer p { margin: .2rem 0 0; font-size: .9rem; }
.answer .more { margin-top: .4rem; padding-top: .4rem; border-top: 1px solid var(--line); }
.yes b { color: var(--yes); } .no b { color: var(--no); } .tell b { color: var(--tell); }
.basis { color: var(--soft); font-size: .85rem; margin: .2rem 0 .5rem; max-width: none; }
dl.terms { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem .9rem; color: var(--soft);
  font-size: .85rem; } .terms dt { font-weight: 600; } .terms dd { margin: 0; }
nav { columns: 3; margin: 1rem 0; padding: .6rem .9rem; background: var(--card); border-radius: 6px; }
nav a { display: block; padding: .1rem 0; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1rem; }
@media (min-width: 1180px) { figure.broad { display: grid; grid-template-columns: 810px minmax(0, 1fr); gap: 1.5rem;
  margin-right: 0; } .broad figcaption { width: auto; min-width: 0; padding-top: .5rem; }
  .beside figure.broad { display: block; } }
details { border-top: 1px solid var(--line); } summary { cursor: pointer; padding: .5rem 0; font-weight: 600; }
footer { margin-top: 3rem; font-size: .8rem; color: var(--soft); border-top: 1px solid var(--line); }
@media (max-width: 1000px) { .noted { display: block; } }
@media (max-width: 700px) { .verdict { grid-template-columns: minmax(0, 1fr); } nav { columns: 1; }
  body { padding: 0 .7rem; margin: .8rem auto; } .broad img { max-width: max(100%, 34rem); }
  nav a, summary { padding: .5rem 0; } .wide, pre { font-size: .8rem; } th, td { padding: .2rem .35rem; } }
@media (max-width: 600px) { nav { display: none; } .terms dt { margin-top: .2rem; }
  dl.terms { grid-template-columns: minmax(0, 1fr); gap: 0; } }
@media print { :root { --ink: #000; --soft: #444; --line: #bbb; --back: #fff; --card: #fff; --yes: #0b6b3a;
  --no: #a3250b; --tell: #7a5200; --warn: #fff; } html { font-size: 12px; }
  body { max-width: none; margin: 0; font-size: 9.5pt; } .beside { grid-template-columns: repeat(3, 1fr); }
  h2 { break-after: avoid; } .wide { overflow: visible; } .noted { display: block; }
  table { font-size: 7.5pt; } tr { break-inside: avoid; }
  nav { display: none; } .answer, .missing { break-inside: avoid; } details:not([open]) { display: none; } }
"""


def page_path(out: Path, name: str) -> Path:
    """The path of a page: `out` if it ends in .html, else `name` in that folder."""
    return out if out.suffix == ".html" and not out.is_dir() else out / name


SHOWN = 120  # pixels an inch: letters of a figure are then nearly those of the page
CONTENTS = "<!-- contents -->"
_KIND = {"yes": "yes", "no": "no", "cannot tell": "tell"}


def as_sentence(words: str) -> str:
    """Words with a capital first and a point last."""
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}"


def basis_of(found: Verdict) -> str:
    """What a verdict rests on, and the formula of its law, which its name does not tell a stranger."""
    if found.fit is None:
        return found.basis
    form, rival = found.fit.form, found.rival
    laws = [f"{form.__name__}: {_formula(form)}"]
    if rival is not None:
        laws.append(f"{rival.__name__}: {_formula(rival).partition(': ')[0]}")
    return " ".join([found.basis, *map(as_sentence, laws)])


def _formula(form: LawForm) -> str:
    """A law's formula and what it means: the first sentence of its text."""
    return (form.whole.__doc__ or "").splitlines()[0].partition(". ")[0]


@dataclass
class Page:
    """A page that is filled from the top. `html` is the whole of it."""

    title: str
    origin: str
    parts: list[str] = field(default_factory=list)
    folded: list[tuple[str, str]] = field(default_factory=list)  # id and title of each folded part

    @contextmanager
    def fold(self, title: str) -> Iterator[None]:
        """Content added within is folded under a title, to be opened. Nothing is written if nothing is added."""
        outer, self.parts = self.parts, []
        try:
            yield
        finally:
            inner, self.parts = self.parts, outer
        if inner:
            name = slug(title).lower()
            target = f'<span id="{escape(name)}"></span>'  # inside: going there opens what is folded
            body = target + "\n".join(inner)
            self.parts.append(f"<details><summary>{escape(title)}</summary>{body}</details>")
            self.folded.append((name, title))

    @contextmanager
    def beside(self, columns: bool = True) -> Iterator[None]:
        """Content added within is laid out in columns as the page's width allows, if `columns`."""
        self.parts.append('<div class="beside">' if columns else "<div>")
        yield
        self.parts.append("</div>")

    @contextmanager
    def noted(self) -> Iterator[None]:
        """The first thing added within, a table, has what follows at its side, where the page is wide enough."""
        outer, self.parts = self.parts, []
        try:
            yield
        finally:
            inner, self.parts = self.parts, outer
        notes = f'<div class="notes">{"".join(inner[1:])}</div>' if inner[1:] else ""
        self.parts.append(f'<div class="noted">{"".join(inner[:1])}{notes}</div>')

    def contents(self) -> None:
        """Links to every folded part, wherever it is added."""
        self.parts.append(CONTENTS)

    def verdict(self, found: Verdict, name: str = "", more: Sequence[str] = ("", "", "")) -> None:
        """The three answers side by side, under a name, and what they rest on. more: said below each answer."""
        if name:
            self.heading(name)
        cards = "".join(
            f'<div class="answer {_KIND[one.answer]}"><h3>{escape(one.question)}</h3>'
            f"<b>{one.answer.capitalize()}</b><p>{html_words(as_sentence(one.text))}</p>"
            + (f'<p class="more">{html_words(words)}</p></div>' if words else "</div>")
            for one, words in zip(found.answers, more, strict=True)
        )
        self.parts.append(f'<div class="verdict">{cards}</div>')
        self.small(basis_of(found))

    def terms(self, meanings: Mapping[str, str]) -> None:
        """What each term means, in small letters. Nothing where there is none."""
        if meanings:
            listed = "".join(
                f"<dt>{html_words(term)}</dt><dd>{html_words(said)}</dd>" for term, said in meanings.items()
            )
            self.parts.append(f'<dl class="terms">{listed}</dl>')

    def heading(self, text: str) -> None:
        """A section."""
        self.parts.append(f"<h2>{html_words(text)}</h2>")

    def text(self, words: str) -> None:
        """A paragraph."""
        self.parts.append(f"<p>{html_words(words)}</p>")

    def small(self, words: str) -> None:
        """Words in small letters, as wide as the page."""
        if words:
            self.parts.append(f'<p class="basis">{html_words(words)}</p>')

    def verbatim(self, words: str) -> None:
        """Lines as given, without wrapping."""
        self.parts.append(f"<pre>{escape(words)}</pre>")

    def missing(self, lines: Sequence[str]) -> None:
        """What there is not, and why: a sentence a line, in a list where there are several."""
        told = [html_words(line if line.endswith(".") else f"{line}.") for line in lines]
        if len(told) == 1:
            self.parts.append(f'<p class="missing">{told[0]}</p>')
        elif told:
            self.parts.append(f'<ul class="missing">{"".join(f"<li>{line}</li>" for line in told)}</ul>')

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
        image = f'<img alt="{words}" width="{round(SHOWN * width)}" src="data:image/{kind};base64,{data}">'
        broad = ' class="broad"' if width > figure_style.COLUMN_WIDTH + 1 else ""  # scrolls on a phone
        said = html_words(caption)
        self.parts.append(f"<figure{broad}>{image}<figcaption>{said}</figcaption></figure>")

    def attempt(self, what: str, make: Callable[[], None]) -> None:
        """A part that may lack what it needs. The page then says so and continues."""
        try:
            make()
        except ValueError as error:
            self.missing([f"{what}: {error}"])

    @property
    def html(self) -> str:
        """The whole page. It needs no network."""
        head = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{_CSS}</style></head><body>"
        )
        foot = f"<footer>{escape(self.origin)}</footer></body></html>\n"
        links = "".join(f'<a href="#{escape(name)}">{escape(title)}</a>' for name, title in self.folded)
        body = "\n".join(self.parts).replace(CONTENTS, f"<nav>{links}</nav>" if links else "")
        return head + f"<h1>{html_words(self.title)}</h1>" + body + foot

    def write(self, path: Path) -> Path:
        """Write the page, making its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            partial.write_text(self.html, encoding="utf-8")
        return path
