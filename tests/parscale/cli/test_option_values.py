"""Values of options as people write them, and refusals that quote option and value."""

import pytest

from parscale.cli.option_values import (
    amount,
    axis_values,
    count,
    items,
    named_laws,
    number,
    one_of,
    points_given,
    tokens,
    whole_numbers,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [("a,b", ["a", "b"]), (" a , b ,", ["a", "b"]), ("a", ["a"]), (",", []), ("", None), (None, None)],
)
def test_items_of_a_list(text, found):
    assert items(text) == found


@pytest.mark.parametrize(
    ("text", "found"), [("1,2", [1, 2]), (" 3 ", [3]), ("-1", [-1]), (",", None), ("", None), (None, None)]
)
def test_whole_numbers_of_a_list(text, found):
    assert whole_numbers(text, "--seeds") == found


@pytest.mark.parametrize("text", ["1.5", "a", "1,b", "1e3"])
def test_what_is_no_list_of_whole_numbers_is_quoted(text):
    with pytest.raises(ValueError, match=f"--seeds {text}"):
        whole_numbers(text, "--seeds")


@pytest.mark.parametrize(
    ("read", "text", "found"),
    [
        (count, "3", 3),
        (count, None, None),
        (tokens, "10M", 10_000_000),
        (tokens, "1", 1),
        (tokens, "2.5k", 2500),
        (tokens, None, None),
    ],
)
def test_counts_and_tokens(read, text, found):
    value = read(text, "--x")
    assert value == found
    assert value is None or isinstance(value, int)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((count, text) for text in ("0", "-1", "1.5", "two", "")),
        *((tokens, text) for text in ("0", "-5", "inf", "nan", "1e18", "many")),
    ],
)
def test_what_is_no_count_is_quoted_with_its_option(read, text):
    with pytest.raises(ValueError, match=f"^--x {text}:"):
        read(text, "--x")


def test_a_number_says_what_is_wanted():
    share = ("--share", float, lambda value: 0 < value < 1, "a share between 0 and 1")
    assert number("0.5", *share) == 0.5
    assert number(None, *share) is None
    with pytest.raises(ValueError, match=r"^--share 2: .*0.*1"):
        number("2", *share)


def test_a_word_is_one_of_those_allowed_or_none_was_given():
    assert one_of("b", "--x", ("a", "b")) == "b"
    assert one_of(None, "--x", ("a", "b")) is None
    with pytest.raises(ValueError, match=r"--x c: .*a, b"):
        one_of("c", "--x", ("a", "b"))


def test_an_amount_is_read_as_a_size():
    assert amount("2.8B", "--N") == 2.8e9
    assert amount("1e-3", "--N") == 1e-3
    with pytest.raises(ValueError, match=r"^--N: 'big'"):
        amount("big", "--N")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dense,parallel", ["dense", "parallel"]),
        ("dense:E=1.6,A=2,my.py:Depth", ["dense:E=1.6,A=2", "my.py:Depth"]),
        ("", []),
    ],
)
def test_laws_keep_the_values_that_they_hold(text, found):
    assert named_laws(text) == found


def test_values_of_axes():
    assert axis_values("width=512,1024, depth=8", "--at") == {"width": ["512", "1024"], "depth": ["8"]}
    assert axis_values(None, "--at") == {}
    for wrong in ("512", "=3", "width="):
        with pytest.raises(ValueError, match=f"--at {wrong}"):
            axis_values(wrong, "--at")
    assert points_given({"N": "1B", "P": None}, "depth=8") == {"N": ["1B"], "depth": ["8"]}
    with pytest.raises(ValueError, match=r"N.*--N.*--at"):
        points_given({"N": "1B"}, "N=8")
