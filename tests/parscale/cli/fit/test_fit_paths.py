"""Where fits are saved: no table's fit silently takes the place of another's."""

from pathlib import Path

import pandas as pd
import pytest

import parscale
import scaling
from parscale.cli.fit import fit_paths

QUICK = ("--objective", "least-squares")
LOSSES = Path(__file__).parents[4] / "results" / "published" / "losses.csv"


def fit(*words: str, capsys: pytest.CaptureFixture[str], save: tuple[str, ...] = ("--save",)) -> str:
    """What `parscale fit` prints."""
    assert parscale.main(["fit", *words, "--law", "dense", *save]) == 0
    return capsys.readouterr().out


@pytest.fixture
def tables(losses: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tables of other runs than the paper's, in the folder that commands work in."""
    other = losses.assign(loss=losses["loss"] + 0.1)
    other.to_csv(tmp_path / "mine.csv")
    other[other["corpus"] == "pile"].to_csv(tmp_path / "yours.csv")
    (tmp_path / "sweep").mkdir()
    other.to_parquet(tmp_path / "sweep" / "runs.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_each_table_has_its_own_files(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for table in ("mine.csv", "yours.csv", "sweep", "sweep/runs.parquet"):
        assert "(" not in fit(table, *QUICK, capsys=capsys).splitlines()[-1]
    for table in (str(LOSSES), "mine.csv"):
        assert "(" not in fit(table, "--by", "corpus", *QUICK, capsys=capsys).splitlines()[-1]
    assert sorted(file.name for file in (tables / "results" / "fits").iterdir()) == [
        "dense-mine-pile.json",
        "dense-mine-stack-v2-python.json",
        "dense-mine.json",
        "dense-pile.json",
        "dense-stack-v2-python.json",
        "dense-sweep.json",
        "dense-yours.json",
    ]


@pytest.mark.slow
def test_a_fit_of_other_runs_is_not_replaced_unsaid(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = "dense-mine.json ("
    assert said not in fit("mine.csv", *QUICK, capsys=capsys)
    assert said not in fit("mine.csv", "--objective", "log-least-squares", capsys=capsys)
    assert said in fit("mine.csv", "--where", "corpus=pile", *QUICK, capsys=capsys)
    (tables / "results/fits/dense-mine.json").write_text("{}")
    assert said not in fit("mine.csv", *QUICK, capsys=capsys)


def test_a_table_without_a_name_of_its_own_takes_its_folders() -> None:
    assert fit_paths.table_name("a/b/runs.parquet") == "b"
    assert fit_paths.table_name("a/b.csv") == "b"
    assert fit_paths.table_name("..") == Path("..").resolve().name


@pytest.mark.slow
def test_nothing_is_written_unless_told(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tables.rglob("*"))
    assert "saved" not in fit("mine.csv", capsys=capsys, save=())
    assert parscale.main(["compare", "mine.csv", "--laws", "dense"]) == 0
    assert sorted(tables.rglob("*")) == before


def test_out_may_name_the_file_of_one_fit(losses: pd.DataFrame, tmp_path: Path) -> None:
    one = scaling.fit("dense", losses, objective="least-squares")
    named = {"law": "dense", "source": "mine.csv", "out": str(tmp_path / "mine.json")}
    assert fit_paths.path_of(one, "all", by=None, **named) == tmp_path / "mine.json"
    with pytest.raises(ValueError, match=r"mine\.json .* corpus "):
        fit_paths.path_of(one, "pile", by="corpus", **named)
