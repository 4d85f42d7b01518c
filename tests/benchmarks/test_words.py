"""The prose stays plain."""

import pytest

from benchmarks import words

CODE = (2.2, 7.8)  # odd words and semicolons per 1,000 words of code, to be lowered to the goal


@pytest.mark.parametrize("group", words.GROUPS)
def test_prose_stays_within_the_limits(group):
    measured = words.rate(group)
    most_odd, most_semicolons = CODE if group == "code" else (words.MOST_ODD, words.MOST_SEMICOLONS)
    assert measured.words > 100
    assert measured.odd <= most_odd
    assert measured.semicolons <= most_semicolons


def test_only_prose_is_read():
    page = "`code; anew` said;\n```\nanew; anew\n```\n| told; | told |\n\n[anew](beside.md)\n"
    assert [(n, line.split()) for n, line in words.markdown(page) if line.strip()] == [
        (1, ["said;"]),
        (7, ["[anew]"]),
    ]
    module = '"""One; line."""\n\nx = "a{color: red;}  is left out"  # anew\ny = "short; one"\n'
    assert sorted(words.python(module)) == [(1, "One; line."), (3, "anew")]
