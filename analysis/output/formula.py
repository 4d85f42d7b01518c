"""Formulas as pictures inside a page: no script, no font of the reader's, no network.

fence() and with_formulas() take the text between ```math and ```, or $` and `$, which GitHub shows as formulas too.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from analysis.output.figure_style import house_style

SIZE = 16.0  # pixels of an em
_CODES = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
# What TeX writes and matplotlib's parser does not know.
_TEX = ((r"\\text\{", r"\\mathrm{"), (r"\\operatorname\{", r"\\mathrm{"), (r"\\bigl|\\bigr", ""))


def formula_svg(tex: str, size: float = SIZE) -> str:
    """A formula in TeX as an inline SVG in the colour and line of the text. `size`: pixels per em.

    Screen readers get the TeX. Raises ValueError for what matplotlib's parser cannot read.
    """
    plain = tex.strip()
    for pattern, word in _TEX:
        plain = re.sub(pattern, word, plain)
    with house_style():
        width, height, depth = MathTextParser("path").parse(f"${plain}$", dpi=72, prop=_font(size))[:3]
        vertices, codes = text_to_path.get_text_path(_font(size), f"${plain}$", ismath=True)
    at = np.asarray(vertices, dtype=float) * size / text_to_path.FONT_SCALE
    drawn = " ".join(
        _CODES[code] + ",".join(f"{x:.1f} {height - y:.1f}" for x, y in points)
        for points, code in Path(at, codes).iter_segments(simplify=False, curves=True)
        for points in [np.reshape(points, (-1, 2)) if code != Path.CLOSEPOLY else np.empty((0, 2))]
    )
    box = f"0 0 {width:.2f} {height + depth:.2f}"
    look = f"width:{width / size:.3f}em;height:{(height + depth) / size:.3f}em;vertical-align:{-depth / size:.3f}em"
    words = escape(tex.strip(), quote=True)
    return (
        f'<svg class="formula" role="img" aria-label="{words}" viewBox="{box}" style="{look}">'
        f'<title>{words}</title><path fill="currentColor" d="{drawn}"/></svg>'
    )


def _font(size: float) -> FontProperties:
    return FontProperties(size=size, math_fontfamily="cm")


def fence(source: str, *_: Any, **__: Any) -> str:
    """A block of formulas, one a line, for the Markdown extension pymdownx.superfences."""
    given = source.replace(r"\frac", r"\dfrac").splitlines()  # fractions of full size
    lines = [f"<p>{formula_svg(line, 1.1 * SIZE)}</p>" for line in given if line.strip()]
    return f'<div class="formula" style="text-align:center">{"".join(lines)}</div>'


def with_formulas(html: str) -> str:
    """A page with $`...`$, as Markdown leaves it, shown as formulas."""
    return re.sub(r"\$<code>(.*?)</code>\$", lambda m: formula_svg(_unescaped(m[1])), html)


def _unescaped(text: str) -> str:
    for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, letter)
    return text
