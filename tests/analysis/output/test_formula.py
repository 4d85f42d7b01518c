"""Formulas as pictures: complete, on the baseline, with a text alternative."""

import re

import pytest

from analysis.output.formula import fence, formula_svg, with_formulas


def test_a_formula_is_drawn_inside_its_box_in_the_texts_colour():
    svg = formula_svg(r"L = E + \left(\frac{A}{N}\right)^{\alpha}")
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
    points = [tuple(map(float, pair)) for pair in re.findall(r"(-?[\d.]+) (-?[\d.]+)", svg.split(' d="')[1])]
    assert len(points) > 100
    assert all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in points)
    assert "currentColor" in svg
    assert 'aria-label="L = E + \\left' in svg
    assert (
        float(re.search(r"vertical-align:(-[\d.]+)em", svg)[1]) < -0.3
    )  # the bracket reaches below the line


def test_blocks_and_lines_are_found_and_other_code_is_left():
    assert fence("a = b\n\nc = d").count("<svg") == 2
    page = with_formulas("<p><code>$x</code> and $<code>k &lt; 1</code>$</p>")
    assert page.count("<svg") == 1
    assert 'aria-label="k &lt; 1"' in page
    assert "<code>$x</code>" in page
    with pytest.raises(ValueError, match="nonsense"):
        formula_svg(r"\nonsense")
