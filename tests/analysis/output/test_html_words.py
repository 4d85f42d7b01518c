"""Words of a page: minus signs, spaces that do not break, commands as they are typed."""

from html import unescape

import pytest

from analysis.output.html_words import html_words, typeset


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("P = 8, R2 -1.1 (p < 0.1), R2", "P\xa0=\xa08, R²\xa0\u22121.1 (p\xa0<\xa00.1), R²"),
        ("1.40 N (-0.2 to +0.5)", "1.40\xa0N (\u22120.2\xa0to\xa0+0.5)"),
        ("1.6e-05 of code-large, 2026-11-29, a/b-2", "1.6e\u221205 of code-large, 2026-11-29, a/b-2"),
        ("P^-gamma (1 - rho)", "P^\u2212gamma (1 \u2212 rho)"),
        ("1.07 N (0.9 to any number)", "1.07\xa0N (0.9\xa0to\xa0any number)"),
    ],
)
def test_words_are_set_as_in_print(words, shown):
    assert typeset(words) == shown
    assert unescape(html_words(words)) == shown


def test_commands_stay_as_they_are_typed():
    assert html_words("see `fit -0.5 <x>`; <b> -1") == (
        "see <code>fit -0.5 &lt;x&gt;</code>; &lt;b&gt; \u22121"
    )
    assert html_words("one ` alone") == "one ` alone"
