"""A table under our names: each guess is made once, recorded, and never where two columns may be meant."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.data.any_table import as_runs
from scaling.data.columns.recognise import OTHER_P
from scaling.data.reading import ASSUMED, reading_of
from scaling.data.runs import read_candidates, read_runs
from tests.scaling.tables import STREAMS, TABLES, TOKENS, same


def written(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "runs.csv", index=False)
    return folder / "runs.csv"


STREAM_NAMES = "parallel_size num_streams n_streams parscale_n streams P_streams p NumStreams config.streams"


@pytest.mark.parametrize("name", STREAM_NAMES.split())
@pytest.mark.parametrize("read", [read_runs, read_candidates])
def test_streams_under_another_name_are_asked_for(name: str, read, tmp_path: Path) -> None:
    path = written(STREAMS.rename(columns={"P": name}), tmp_path)
    with pytest.raises(ValueError, match=f"'{name}'.*--columns P={name}"):
        read(path)
    assert same(read_runs(path, {"P": name}))
    with pytest.raises(ValueError, match=f"'P'.* {name}\\b"):
        scaling.fit("parallel", STREAMS.rename(columns={"P": name}))


@pytest.mark.parametrize("name", ["config.P", "params.P", "P (streams)"])
def test_a_column_named_P_in_a_container_is_P(name: str, tmp_path: Path) -> None:
    runs = read_runs(written(STREAMS.rename(columns={"P": name}), tmp_path))
    assert same(runs)
    assert reading_of(runs).of("P")[0].column == name


def test_one_stream_is_assumed_and_said(tmp_path: Path) -> None:
    runs = read_runs(written(TOKENS, tmp_path))
    assert (runs["P"] == 1).all()
    assert reading_of(runs).line() == ASSUMED
    assert ASSUMED in repr(scaling.fit("chinchilla", runs))
    doubts = scaling.fit("dense", runs).reading.doubts
    assert doubts == ()
    assert "--columns P=COLUMN" in scaling.fit("parallel", runs).reading.doubts[0].action


def test_what_looks_like_streams_and_holds_none_is_left(tmp_path: Path) -> None:
    runs = read_runs(written(TOKENS.assign(p=0.1, stream_similarity=0.5, streaming=True), tmp_path))
    assert (runs["P"] == 1).all()


@pytest.mark.parametrize("value", [6.9982, 0.0, 0.25, 5e8, "pretrained"])
def test_a_column_P_of_another_meaning_is_no_count_of_streams(value: object, tmp_path: Path) -> None:
    given = TOKENS.assign(P=value)
    for table in (as_runs(given), read_runs(written(given, tmp_path))):
        assert OTHER_P in table
        assert same(table, TOKENS)
        assert [doubt.axis for doubt in reading_of(table).doubts] == ["P"]


def test_sparsity_changes_no_law_without_P() -> None:
    given = pd.read_csv(TABLES / "sparsity.csv")
    plain = scaling.fit("chinchilla", given.drop(columns="P"))
    for table in (given, read_runs(TABLES / "sparsity.csv")):
        fit = scaling.fit("chinchilla", table)
        assert fit.law == plain.law
        assert not fit.reading.doubts
    assert list(scaling.compare(["chinchilla", "no-floor"], given).fits) == ["ChinchillaLaw", "NoFloorLaw"]


def test_one_bad_count_is_still_refused(tmp_path: Path) -> None:
    wrong = STREAMS.assign(P=STREAMS["P"].where(STREAMS.index != 2, 2.5))
    with pytest.raises(ValueError, match=r"3.*4.*P.*2\.5"):
        read_runs(written(wrong, tmp_path))


NAMES = [
    {"N": "params", "loss": "val_loss"}, {"N": "num_params", "loss": "eval/loss"}, {"N": "N (non-embedding)", "loss": "Loss"},
    {"N": "n", "loss": "train_loss"}, {"N": "config/N", "loss": "c4_loss"}, {"N": "Params", "loss": "validation loss"},
]  # fmt: skip


@pytest.mark.parametrize("names", NAMES, ids=str)
def test_names_of_N_and_loss(names: dict[str, str], tmp_path: Path) -> None:
    given = STREAMS.rename(columns=names)
    for table in (as_runs(given), read_runs(written(given, tmp_path))):
        assert same(table)
        assert {guess.axis: guess.column for guess in reading_of(table).guesses} == names
        assert set(names.values()) <= set(table)  # the file's own columns stay


def test_a_validation_loss_goes_before_a_training_loss() -> None:
    found = as_runs(STREAMS.assign(train_loss=9.9).rename(columns={"loss": "val_loss"}))
    assert same(found)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (
            STREAMS.assign(total_params=STREAMS["N"] * 2).rename(columns={"N": "params"}),
            "params.*total_params",
        ),
        (STREAMS.assign(pile_loss=3.0).rename(columns={"loss": "c4_loss"}), "c4_loss.*pile_loss"),
        (STREAMS.rename(columns={"loss": "val_ppl"}), "--columns loss=val_ppl"),
        (STREAMS.rename(columns={"loss": "Accuracy (%)"}), "--columns 'loss=\"Accuracy (%)\"'"),
        (STREAMS[["N", "loss"]].rename(columns={"N": "P"}), "'N'.*--columns N=COLUMN.* P"),
        (STREAMS[["P", "loss"]], "'N'.*columns="),
        (STREAMS.rename(columns={"N": "n"}).assign(n=range(24)), "'N'"),
    ],
)
def test_two_that_may_be_meant_are_named(table: pd.DataFrame, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says.replace("(%)", r"\(%\)")):
        read_runs(written(table, tmp_path))


def test_two_token_counts_are_a_doubt(tmp_path: Path) -> None:
    table = TOKENS.rename(columns={"D": "train_tokens"}).assign(tokens_seen=TOKENS["D"] * 2)
    runs = read_runs(written(table, tmp_path))
    assert "D" not in runs
    assert "--columns D=" in reading_of(runs).doubts[0].action
    assert same(read_runs(written(table, tmp_path), {"D": "train_tokens"}), TOKENS)


@pytest.mark.parametrize(("name", "worth"), [("tokens (B)", 1e9), ("tokens_M", 1e6), ("D_billions", 1e9)])
def test_a_header_says_the_unit(name: str, worth: float, tmp_path: Path) -> None:
    path = written(TOKENS.rename(columns={"D": name}).assign(**{name: TOKENS["D"] / worth}), tmp_path)
    for columns in (None, {"D": name}):
        runs = read_runs(path, columns)
        assert same(runs, TOKENS)
        assert reading_of(runs).of("D")
    assert same(
        read_runs(written(TOKENS.rename(columns={"D": name}), tmp_path)), TOKENS
    )  # plain counts after all
    words = TOKENS.rename(columns={"D": name}).assign(**{name: [f"{d / 1e9:g}B" for d in TOKENS["D"]]})
    assert same(read_runs(written(words, tmp_path)), TOKENS)


def test_candidates_are_read_as_runs_are(tmp_path: Path) -> None:
    path = written(pd.DataFrame({"params_B": [1.0, 5.0], "P": [8, 8], "tokens (B)": [10, 10]}), tmp_path)
    found = read_candidates(path)
    assert found[["N", "P", "D"]].to_numpy().tolist() == [[1e9, 8, 1e10], [5e9, 8, 1e10]]
    assert {guess.axis for guess in reading_of(found).guesses} == {"N", "D"}


@pytest.mark.parametrize(
    ("name", "unit", "doubt"),
    [("bits_per_byte", "bits per byte", ""), ("loss_bits_per_token", "bits per token", ""), ("val_ppl", "val_ppl", "val_ppl"),
     ("Perplexity", "Perplexity", "Perplexity"), ("accuracy", "accuracy", "1 -"), ("metric", "metric", ""),
     ("val_loss", "nats per token", "")],
)  # fmt: skip
def test_the_unit_of_the_loss_follows_its_name(name: str, unit: str, doubt: str, tmp_path: Path) -> None:
    reading = reading_of(read_runs(written(STREAMS.rename(columns={"loss": name}), tmp_path), {"loss": name}))
    assert reading.loss_unit == unit
    assert all(doubt in one.action for one in reading.doubts)
    assert len(reading.doubts) == bool(doubt)


def test_a_fit_keeps_the_unit_of_its_loss(tmp_path: Path) -> None:
    path = written(STREAMS.rename(columns={"loss": "val_ppl"}), tmp_path)
    fit = scaling.fit("dense", read_runs(path, {"loss": "val_ppl"}), "least-squares")
    assert fit.reading.loss_unit == "val_ppl"
    assert " val_ppl\n" in repr(fit)
    fit.save(tmp_path / "fit.json")
    assert scaling.load(tmp_path / "fit.json").reading == fit.reading


def test_losses_that_only_a_perplexity_has() -> None:
    assert (
        "perplexities"
        in scaling.fit("dense", STREAMS.assign(loss=np.exp(STREAMS["loss"]) * 4)).reading.doubts[0].action
    )
    assert not scaling.fit("dense", STREAMS.assign(loss=STREAMS["loss"] * 3)).reading.doubts


def test_checkpoints_of_one_run_are_a_doubt_of_the_table_and_groups_of_its_fit() -> None:
    runs = read_runs(TABLES / "checkpoints.csv")
    (doubt,) = reading_of(runs).doubts
    assert (doubt.axis, doubt.column) == ("groups", "run_id")
    assert re.search(r"72.*6", doubt.action)
    fit = scaling.fit("chinchilla", runs)
    assert (fit.grouping, fit.clustered, fit.reading.doubts) == ("column run_id", True, ())


@pytest.mark.parametrize("name", ["experiment", "model", "run"])
def test_a_name_that_all_sizes_share_is_no_run(name: str) -> None:
    assert not reading_of(as_runs(TOKENS.assign(**{name: np.where(TOKENS["D"] > 1e10, "a", "b")}))).of(
        "groups"
    )


def test_rows_that_are_there_twice_are_a_doubt() -> None:
    doubts = reading_of(as_runs(pd.concat([STREAMS, STREAMS], ignore_index=True))).doubts
    assert [doubt.axis for doubt in doubts] == ["rows"]
    assert "24 rows" in doubts[0].action
    assert not reading_of(as_runs(STREAMS)).doubts


@pytest.mark.parametrize("name", ["loss", "N", "status", "tokens"])
def test_a_name_that_matters_may_stand_once(name: str, tmp_path: Path) -> None:
    table = STREAMS.assign(status="ok", tokens=1e10)
    twice = pd.concat([table, table[[name]]], axis=1)
    with pytest.raises(ValueError, match=f"'{name}'"):
        scaling.fit("parallel", twice)
    twice.to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(ValueError, match=f"'{name}'"):
        read_runs(tmp_path / "runs.csv")


def test_a_name_that_does_not_matter_may_stand_twice(tmp_path: Path) -> None:
    twice = pd.concat([STREAMS.assign(note=1), STREAMS[["N"]].rename(columns={"N": "note"})], axis=1)
    assert same(as_runs(twice))
    runs = read_runs(written(twice, tmp_path))
    assert same(runs)
    assert (runs["note"] == 1).all()


def test_reading_again_adds_nothing() -> None:
    once = as_runs(
        pd.read_csv(TABLES / "crashed.csv")
        .rename(columns={"N": "params_B"})
        .assign(params_B=lambda t: t.params_B / 1e9)
    )
    assert reading_of(as_runs(once)) == reading_of(once)
    assert same(as_runs(once), once[["N", "P", "loss"]])
