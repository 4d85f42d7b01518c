"""Limits as people write them."""

import pytest

from scaling.data.units import p_text, parse_bytes, parse_seconds, parse_size, value_text


def test_a_comma_that_may_be_either_is_refused():
    for text in ("1,100B", "2,1113", "0,500B", "2,800M", "0,125", "-0,125", "12,000k"):
        with pytest.raises(ValueError, match=text) as told:
            parse_size(text)
        assert repr(text) in str(told.value)


def test_commas_that_part_thousands():
    sizes = {"1,100": 1100.0, "1,100,000": 1.1e6, "1.1B": 1.1e9, "-1,000": -1e3}
    assert {text: parse_size(text) for text in sizes} == sizes


def test_bytes_and_seconds():
    memory = {
        "4GB": 4e9,
        "3.5 GiB": 3.5 * 2**30,
        "512mb": 5.12e8,
        "4096B": 4096,
        "1e3 KiB": 1024e3,
        "2TB": 2e12,
    }
    assert {text: parse_bytes(text) for text in memory} == pytest.approx(memory)
    times = {"0.6s": 0.6, "80 ms": 0.08, ".5": 0.5, "2min": 120}
    assert {text: parse_seconds(text) for text in times} == pytest.approx(times)


def test_what_is_not_understood_is_quoted():
    for text in ("", "4 apples", "-3GB", "GB", "1e999GB", "0GB", "4G B"):
        with pytest.raises(ValueError, match="4GB"):
            parse_bytes(text)
        with pytest.raises(ValueError, match=r"0\.6s"):
            parse_seconds(text.replace("GB", "s"))
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


def test_values_for_people():
    told = [value_text(axis, value) for axis, value in (("D", 1e9), ("bits", 4.0), ("router", "top1"))]
    assert told == ["1B", "4", "top1"]
    assert [p_text(p) for p in (0.0141, 0.5, 3e-8)] == ["p = 0.014", "p = 0.5", "p < 0.001"]
