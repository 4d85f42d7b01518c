"""`parscale coordinates`: a table of exponents, the changes and their figure."""

import pandas as pd
import pytest

from parscale.cli.main import main

SIZES = ["--sizes", "32x1,64x1", "--streams", "1"]


def test_the_check_is_printed_and_drawn(tmp_path, capsys):
    out = tmp_path / "check"
    words = ["coordinates", "ci", *SIZES, "--mup-base", "32", "--steps", "1", "--out", str(out)]
    assert main(words) == 0
    assert "muP" in capsys.readouterr().out
    table = pd.read_csv(out / "coordinates.csv")
    assert set(table["width"]) == {32, 64}
    assert set(table["kind"]) == {"muP", "standard"}
    assert {path.suffix for path in out.iterdir()} == {".csv", ".png", ".pdf", ".svg"}


@pytest.mark.parametrize("words", [SIZES, [*SIZES[:1], "32x1", "--mup-base", "32"]])
def test_what_cannot_be_checked_is_refused(words, tmp_path, capsys):
    assert main(["coordinates", "ci", *words, "--out", str(tmp_path)]) != 0
    assert "mup" in capsys.readouterr().err
