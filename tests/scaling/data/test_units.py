"""Limits as people write them."""

import pytest

from scaling.data.units import p_text, parse_bytes, parse_seconds, parse_size, value_text


@pytest.mark.parametrize("text", ["1,100B", "2,1113", "0,500B", "2,800M", "0,125", "-0,125", "12,000k"])
def test_a_comma_that_may_be_either_is_refused(text):
    with pytest.raises(ValueError, match=text) as told:
        parse_size(text)
    assert repr(text) in str(told.value)


@pytest.mark.parametrize(
    ("text", "value"), [("1,100", 1100.0), ("1,100,000", 1.1e6), ("1.1B", 1.1e9), ("-1,000", -1e3)]
)
def test_commas_that_part_thousands(text, value):
    assert parse_size(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4GB", 4e9),
        ("3.5 GiB", 3.5 * 2**30),
        ("512mb", 5.12e8),
        ("4096B", 4096),
        ("1e3 KiB", 1024e3),
        ("2TB", 2e12),
    ],
)
def test_bytes(text, value):
    assert parse_bytes(text) == pytest.approx(value)


@pytest.mark.parametrize(("text", "value"), [("0.6s", 0.6), ("80 ms", 0.08), (".5", 0.5), ("2min", 120)])
def test_seconds(text, value):
    assert parse_seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "4 apples", "-3GB", "GB", "1e999GB", "0GB", "4G B"])
def test_what_is_not_understood_is_quoted(text):
    with pytest.raises(ValueError, match="4GB"):
        parse_bytes(text)
    with pytest.raises(ValueError, match=r"0\.6s"):
        parse_seconds(text.replace("GB", "s"))


def test_a_bare_number_is_no_memory():
    with pytest.raises(ValueError, match=r"'4' .* 4GB"):
        parse_bytes("4")


@pytest.mark.slow
def test_advice_calls_the_memory_as_its_table_does(capsys):
    import parscale

    words = ["advise", "--loss", "1.05", "--memory", "1GB", "--out"]
    assert parscale.main([*words, "/dev/null/none"]) in (0, 1, 2)
    out = capsys.readouterr().out
    assert "memory_gib" in out
    assert "memory_bytes" not in out


@pytest.mark.parametrize(
    ("axis", "value", "text"), [("D", 1e9, "1B"), ("bits", 4.0, "4"), ("router", "top1", "top1")]
)
def test_values_of_axes_for_people(axis, value, text):
    assert value_text(axis, value) == text


def test_a_tiny_p_value_is_a_bound():
    assert [p_text(p) for p in (0.0141, 0.5, 3e-8)] == ["p = 0.014", "p = 0.5", "p < 0.001"]
