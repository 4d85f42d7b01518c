"""The write-up of our own experiments quotes commands: each is run here and must print what it quotes."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import parscale
from benchmarks.refresh_quotes import BLOCK, TABLE, quoted, with_tables

ROOT = Path(__file__).parents[2]
README = (ROOT / "results/README.md").read_text(encoding="utf-8")
SHORT = README.partition("<!-- begin: parscale reproduce -->")[0]
TEXT = (ROOT / "docs/first-experiment.md").read_text(encoding="utf-8")
SECOND = (ROOT / "docs/second-experiment.md").read_text(encoding="utf-8")
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
    first = SHORT.partition("\n## The second experiment")[0]
    assert_known(BLOCK.sub("", TEXT) + first, known)


def test_the_prefix_has_the_part_of_the_gain_that_is_told():
    grid, control = (
        pd.read_parquet(ROOT / f"results/sweeps/{name}/runs.parquet") for name in ("gpu", "gpu-prefix-alone")
    )
    grid = grid[(grid["corpus"] == "code-large") & (grid["seed"] == 0)].set_index(["size", "P"])["loss"]
    shares = [
        100 * (grid[size, 1] - loss) / (grid[size, 1] - grid[size, 2])
        for size, loss in zip(control["size"], control["loss"], strict=True)
    ]
    seeds = float(re.findall(r"code-large: seeds scatter by (0\.\d+) ", TEXT)[0])
    gains = [grid[size, 1] - grid[size, 2] for size in control["size"]]
    errors = [
        seeds / gain * ((1 - share / 100) ** 2 + 1 + (share / 100) ** 2) ** 0.5
        for share, gain in zip(shares, gains, strict=True)
    ]
    assert "are {:.0%} and {:.0%}.".format(*errors) in TEXT
    for text in (TEXT, SHORT):
        told = [words for words in text.split("\n\n") if "sweeps/gpu-prefix-alone`" in words]
        assert told
        for share in shares:
            assert any(re.search(rf"(?<!\d){share:.0f}%", words) for words in told), (share, told)


def test_every_number_of_the_second_experiment_stands_in_a_table_that_is_named_beside_it():
    second = SHORT.partition("\n## The second experiment")[2].partition("\n## What lies")[0]
    for paragraph in re.split(r"\n(?:\n|(?=- ))", second):
        named = re.findall(r"`((?:tables|sweeps)/[\w/.-]+\.(?:md|parquet))`", paragraph)
        assert_known(paragraph, numbers(*(ROOT / "results" / name for name in named)))
    for section in re.split(r"\n(?=## )", SECOND):
        named = [
            *re.findall(r"<!-- table (\S+)\.csv:", section),
            *re.findall(r"`(\S+/tables/\w+)\.md`", section),
        ]
        assert_known(TABLE.sub("", section), numbers(*(ROOT / f"{name}.md" for name in named)) | PLANNED)


def numbers(*files: Path) -> set[float]:
    """Every number of these tables."""
    tables = [
        pd.read_parquet(file)
        if file.suffix == ".parquet"
        else pd.read_csv(file.with_suffix(".csv"), comment="#")
        for file in files
    ]
    return {float(x) for table in tables for x in table.select_dtypes("number").to_numpy().ravel()}


PLANNED = {
    0.13,
    1.45,
    0.12,
    1.33,
    0.25,
}  # the smallest effects, as results/LOG.md had them before, and a guess of five nodes


def test_every_count_of_the_second_experiment_comes_out_of_its_tables():
    tables = {
        name: pd.read_csv(ROOT / f"results/tables/worth_{name}.csv", comment="#")
        for name in ("scores", "accuracy")
    }
    facts = tables["accuracy"][tables["accuracy"]["task"] == "memory"]
    runs = pd.read_parquet(ROOT / "results/sweeps/worth/runs.parquet")
    harness = pd.read_csv(ROOT / "results/tables/worth_harness.csv", comment="#")
    counts = {
        (tables["scores"]["inside"].sum(), tables["scores"]["runs"].sum()),
        *((part["inside"].sum(), part["models"].sum()) for part in (tables["accuracy"], facts)),
    }
    second = SHORT.partition("\n## The second experiment")[2].partition("\n## What lies")[0]
    told = {
        tuple(map(int, found)) for found in re.findall(r"\b(\d+) of (?:the(?:se)? )?(\d+)\b", second + SECOND)
    }
    assert told == counts
    assert {int(found) for found in re.findall(r"(\d+) runs,", second)} == {len(runs)}
    asked = {int(found) for found in re.findall(r"(\d+) models of (?:32x4|the added)", second + SECOND)}
    assert asked == {harness["models"].sum()} == {harness["inside"].sum()}


def test_a_table_of_a_page_is_the_committed_one(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert len(TABLE.findall(SECOND)) > 5
    assert with_tables(SECOND) == SECOND


def assert_known(prose: str, known: set[float]) -> None:
    """Every measured number of the prose is one of these, rounded."""
    for number in NUMBER.findall(re.sub(r"arXiv [\d.]+", "", prose)):
        digits = len(number.rpartition(".")[2])
        assert any(round(value, digits) == float(number) for value in known), number
