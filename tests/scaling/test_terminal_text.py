"""A terminal of 80 columns shows every number and no line too long. A pipe gets the full table."""

import re

import pandas as pd
import pytest

from parscale.cli.fit import backtest_command, compare_command, fit_command
from scaling import terminal_text
from scaling.terminal_text import aligned, column_texts
from tests.scaling.command_line import run

NUMBER = re.compile(r"[-+]?\d[\d.,e+-]*\d|\d")


def test_columns_stand_in_as_few_blocks_as_the_room_allows() -> None:
    assert terminal_text.blocks([5, 5, 5, 5], None, 1) == [[0, 1, 2, 3]]
    assert terminal_text.blocks([5, 5, 5, 5], 20, 1) == [[0, 1, 2, 3]]
    assert terminal_text.blocks([5, 5, 5, 5], 19, 1) == [[0, 1, 2], [0, 3]]
    assert terminal_text.blocks([9, 9, 30], 15, 1) == [[0, 1], [0, 2]]  # too wide for any room: alone


def test_each_block_begins_with_its_keys_and_index() -> None:
    frame = pd.DataFrame({"N": [111, 222], "long": ["x" * 20] * 2, "more": ["y" * 20] * 2}, index=["a", "b"])
    text = terminal_text.table(frame, 40, 1)
    assert [line.split() for line in text.splitlines()[::3][:2]] == [["N", "long"], []]
    assert max(map(len, text.splitlines())) <= 40
    assert text.count("111") == 2
    assert terminal_text.table(frame, None, index=False) == frame.to_string(index=False)


def test_a_line_is_broken_between_words_and_set_in() -> None:
    assert (
        terminal_text.fold("k       " + "word " * 4 + "\nshort", 20, 8)
        == "k       word word\n        word word\nshort"
    )
    assert terminal_text.fold("word " * 40, None) == "word " * 40


@pytest.mark.slow
@pytest.mark.parametrize("command", [fit_command, compare_command, backtest_command])
def test_eighty_columns_drop_no_number(command, tmp_path, monkeypatch) -> None:
    more = {
        fit_command: {"out": str(tmp_path)},
        compare_command: {"laws": "parallel,additive:beta=0.5,dense"},
    }
    given = {"where": "corpus=pile", "objective": "least-squares", **more.get(command, {})}
    wide = run(command, **given)
    monkeypatch.setattr(terminal_text, "width", lambda: 80)
    monkeypatch.setenv("NO_COLOR", "1")  # colours are not columns
    narrow = run(command, **given)
    assert max(len(line) for line in wide.splitlines() if str(tmp_path) not in line) > 80
    assert max(len(line) for line in narrow.splitlines() if str(tmp_path) not in line) <= 80
    assert set(NUMBER.findall(wide)) == set(NUMBER.findall(narrow))


def test_a_column_has_its_decimals_in_line_and_counts_in_short():
    assert column_texts("loss", [1.05, 2.123456]) == ["1.050", "2.123"]
    assert column_texts("N_lower", [2.5364e9, float("nan"), 9.3e8]) == ["2.54B", "", "930M"]
    assert column_texts("FLOPs", [4.8333e20]) == ["4.83e+20"]
    assert column_texts("delta_aicc", [0.0, 5.879, 25.6]) == ["0.00", "5.88", "25.60"]
    assert column_texts("rmse", [0.007492, 0.02148]) == ["0.00749", "0.02148"]
    assert column_texts("A", [1.5, 2e9]) == ["1.5", "2e+09"]
    assert column_texts("P", [1.0, 8.0]) == ["1", "8"]
    shown = aligned(pd.DataFrame({"bias": [0.1, -0.25]}, index=pd.Index([1.6e9, 2.8e9], name="up_to")))
    assert shown.index.tolist() == ["1.6B", "2.8B"]
    assert shown["bias"].tolist() == ["0.1000", "-0.2500"]
