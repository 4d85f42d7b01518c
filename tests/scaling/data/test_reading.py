"""What reading guessed travels with the table, through selection and through a parquet file."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from scaling.data.reading import NATS, Guess, Reading, reading_of, with_reading

TAKEN = Guess("N", "params", "it counts parameters", "N from params")
SEEN = Guess("D", "tokens", "sizes of 2 to 100", "are tokens in billions?", doubt=True)


def test_a_guess_travels_with_the_rows_and_through_a_file(tmp_path: Path) -> None:
    table = with_reading(pd.DataFrame({"N": [1.0, 2.0]}), Reading((TAKEN, SEEN), "bits per byte"))
    assert reading_of(table[table["N"] > 1]) == Reading((TAKEN, SEEN), "bits per byte")
    table.to_parquet(tmp_path / "x.parquet")
    assert reading_of(pd.read_parquet(tmp_path / "x.parquet")).guesses == (TAKEN, SEEN)


def test_a_table_that_nothing_was_guessed_of() -> None:
    plain = with_reading(pd.DataFrame({"N": [1.0]}), Reading())
    assert plain.attrs == {}
    assert not reading_of(plain)
    assert reading_of({"N": [1.0]}).loss_unit == NATS


def test_the_line_tells_what_was_done_and_doubts_are_apart() -> None:
    reading = Reading((TAKEN,)).also([SEEN, TAKEN])
    assert reading.guesses == (TAKEN, SEEN)
    assert reading.line() == "N from params"
    assert reading.doubts == (SEEN,)
    assert reading.of("D") == (SEEN,)
    with pytest.raises(dataclasses.FrozenInstanceError):
        TAKEN.axis = "D"  # type: ignore[misc]
