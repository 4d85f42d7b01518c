"""`parscale cost`: a table whole at any width."""

import pytest

import parscale


def test_no_number_of_a_table_is_broken_on_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setattr("scaling.terminal_text.width", lambda: 80)
    words = "cost --N 1.6B --P 1,8 --train 42B --batch 1"
    assert parscale.main(words.split()) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for number in ("3.383", "0.1436", "4.833e+20", "73.51", "4414", "6.444e+20", "32.16", "5885"):
        assert number in out.split()
    assert out.count("1.6B") == 4  # each of two tables says whose its numbers are


def test_out_is_the_old_name_of_output_tokens_and_says_so(capsys):
    assert parscale.main(["cost", "--out", "128", "--json"]) == 0
    old = capsys.readouterr()
    assert parscale.main(["cost", "--output-tokens", "128", "--json"]) == 0
    assert capsys.readouterr().out == old.out
    assert "--output-tokens 128" in old.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--P inf", "--P inf: inf"),
        ("--P 1,nan", "--P 1,nan: nan"),
        ("--batch two", "--batch: 'two'"),
        ("--N 1.6B,foo", "--N: 'foo'"),
        ("--train foo", "--train: 'foo'"),
    ],
)
def test_a_wrong_option_of_cost_is_named(words, says, capsys):
    assert parscale.main(["cost", *words.split()]) == 2
    assert says in capsys.readouterr().err
