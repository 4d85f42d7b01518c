"""The write-up of our own experiments quotes commands: each is run here and must print what it quotes."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import parscale
from benchmarks.refresh_quotes import BLOCK, quoted

ROOT = Path(__file__).parents[2]
README = (ROOT / "results/README.md").read_text(encoding="utf-8")
SHORT = README.partition("<!-- begin: parscale reproduce -->")[0]
TEXT = (ROOT / "docs/first-experiment.md").read_text(encoding="utf-8")
FOLDERS = sorted({ROOT / found for found in re.findall(r"results/sweeps/(?:laptop|gpu)[\w-]*", TEXT)})
NUMBER = re.compile(r"(?<![\w.])[+-]?\d*\.\d{2,}")  # at least two decimals: measured, not chosen
PRINTED = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The committed runs where the commands look for them, so that what they write lands elsewhere."""
    place = tmp_path_factory.mktemp("write-up")
    for folder in FOLDERS:
        shutil.copytree(folder, place / folder.relative_to(ROOT))
    return place


def run(words: list[str], capsys) -> str:
    """What a command prints."""
    capsys.readouterr()
    assert parscale.main(words) == 0
    return capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("command", [block[2] for block in BLOCK.finditer(TEXT)])
def test_a_quoted_command_prints_what_is_quoted(command, copied, monkeypatch, capsys):
    monkeypatch.chdir(copied)
    (block,) = (found[0] for found in BLOCK.finditer(TEXT) if found[2] == command)
    assert_alike(quoted(block, lambda words: run(words, capsys)), block)


def assert_alike(now: str, quote: str) -> None:
    """The same words, and numbers that differ no more than the arithmetic of two kinds of processor."""
    assert [PRINTED.sub("#", line).split() for line in now.splitlines()] == [
        PRINTED.sub("#", line).split() for line in quote.splitlines()
    ]
    for one, other in zip(PRINTED.findall(now), PRINTED.findall(quote), strict=True):
        a, b = (float(number.replace(",", "")) for number in (one, other))
        decimals = len(other.partition("e")[0].partition(".")[2])  # a count has none, and is exact
        assert abs(a - b) <= (max(1.01 * 10.0**-decimals, 2e-3 * abs(b), 1e-6) if decimals else 0), (
            one,
            other,
        )


@pytest.mark.parametrize("now", ["3 runs: k 0.3026", "3 runs:  k 0.3024"])
def test_a_quote_may_differ_in_its_last_digit(now):
    assert_alike(now, "3 runs: k 0.3025")


@pytest.mark.parametrize(
    "now", ["3 rows: k 0.3125", "4 rows: k 0.3025", "3 rows: A 0.3025", "3 rows: k -0.3025"]
)
def test_a_quote_may_differ_in_nothing_else(now):
    with pytest.raises(AssertionError):
        assert_alike(now, "3 runs: k 0.3025")


def test_every_number_of_the_prose_stands_in_a_quoted_output_or_is_a_loss():
    outputs = "\n".join([*(found[0] for found in BLOCK.finditer(TEXT)), README.removeprefix(SHORT)])
    known = {float(number) for number in NUMBER.findall(outputs)}
    for folder in FOLDERS:
        known |= set(pd.read_parquet(folder / "runs.parquet")["loss"])
    first, second, _ = re.split(r"^## (?:The second experiment|What lies)", SHORT, flags=re.MULTILINE)
    assert_known(BLOCK.sub("", TEXT) + first, known)
    worth = pd.read_csv(ROOT / "results/tables/worth.csv", comment="#")[["worth", "lower", "upper"]]
    budgets = pd.read_csv(ROOT / "results/tables/worth_budgets.csv", comment="#")[
        ["factor", "lower", "upper"]
    ]
    answers = pd.read_parquet(ROOT / "results/sweeps/worth-thinking/inference.parquet")["accuracy"]
    assert_known(second, {*worth.to_numpy().ravel(), *budgets.to_numpy().ravel(), *answers})


def assert_known(prose: str, known: set[float]) -> None:
    """Every measured number of the prose is one of these, rounded."""
    for number in NUMBER.findall(prose):
        digits = len(number.rpartition(".")[2])
        assert any(round(value, digits) == float(number) for value in known), number
