"""The prose of the pages stays plain."""

import pytest

from benchmarks import words


@pytest.mark.parametrize("group", ["README", "CHANGELOG", "CONTRIBUTING", "docs", "results/README"])
def test_the_pages_stay_within_the_limits(group):
    measured = words.rate(group)
    assert measured.words > 100
    assert measured.odd <= words.MOST_ODD
    assert measured.semicolons <= words.MOST_SEMICOLONS


def test_only_prose_is_read():
    page = "`code; anew` said;\n```\nanew; anew\n```\n| told; | told |\n\n[anew](beside.md)\n"
    assert [(n, line.split()) for n, line in words.markdown(page) if line.strip()] == [
        (1, ["said;"]),
        (7, ["[anew]"]),
    ]
    module = '"""One; line."""\n\nx = "a{color: red;}  is left out"  # anew\ny = "short; one"\n'
    assert sorted(words.python(module)) == [(1, "One; line."), (3, "anew")]
