"""`parscale streams` and `context`: from a trained model's folder to the tables that figures draw."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import scaling  # noqa: E402
from parscale.cli.decide import context_command, streams_command  # noqa: E402
from sweeps.checkpoint import released_format  # noqa: E402
from sweeps.checkpoint.stream_bank import view  # noqa: E402
from sweeps.config.model import ModelConfig  # noqa: E402
from sweeps.config.run import RunConfig  # noqa: E402
from sweeps.corpora import build as corpora  # noqa: E402
from sweeps.inspect import loss_by_context, stream_ensembles, trained_runs  # noqa: E402
from sweeps.model.parscale import ParScaleLM  # noqa: E402
from sweeps.store.store import Store  # noqa: E402

MODEL = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5, init_std=0.3)


def run_of(P, text, **more):
    """A model of P streams trained for a moment on `text`, and its configuration."""
    torch.manual_seed(P)
    config = RunConfig(
        replace(MODEL, P=P), "test", "24x2", seed=P, corpus="x", steps=1, batch=4, seq_len=16, **more
    )
    model = ParScaleLM(config.model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(3):
        ids = torch.from_numpy(text[step * 64 : step * 64 + 65])
        optimizer.zero_grad()
        model.loss(ids[None, :-1], ids[None, 1:]).backward()
        optimizer.step()
    return model, config


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """A folder with finished runs of P = 1 and 4 and an unfinished one of P = 2."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    text = np.tile(np.arange(61), 40).astype(np.int64)
    monkeypatch.setattr(corpora, "open_for", lambda run: SimpleNamespace(valid=text[:1000].astype(np.uint16)))
    store = Store(tmp_path / "s")
    store.create("test", "")
    for P in (1, 2, 4):
        model, config = run_of(P, text)
        (run_id,) = store.add([config])
        if P != 2:
            released_format.save_checkpoint(model, store.checkpoint(run_id))
            row = {"corpus": "x", "size": config.size, "N": config.model.N, "P": P, "seed": P, "loss": 3.0}
            store.finish(run_id, row)
    store.gather()
    yield tmp_path / "s"
    torch.set_num_threads(before)


def test_every_finished_run_of_several_streams_is_in_the_table(sweep, capsys):
    assert streams_command.run(streams_command.Options(sweep=str(sweep), tokens="500")) == 0
    table = pd.read_parquet(sweep / "streams.parquet")
    assert table["P"].tolist() == [4, 4, 4, 4]
    assert table["m"].tolist() == [1, 2, 3, 4]
    assert table["subsets"].tolist() == [4, 6, 4, 1]
    assert (table["gain"].diff().dropna() > 0).all()  # -log is convex: averaging never loses
    slope = table["line"].iloc[-1] / 0.75
    assert table["line"].to_numpy() == pytest.approx(slope * (1 - 1 / table["m"]))
    runs = pd.read_parquet(sweep / "runs.parquet")
    assert set(table["run_id"]) <= set(runs["run_id"])
    said = capsys.readouterr().out
    assert "streams.parquet" in said
    assert "24x2" in said


@pytest.mark.parametrize(
    ("module", "measure"),
    [
        (stream_ensembles, stream_ensembles.measure_ensembles),
        (loss_by_context, loss_by_context.measure_context),
    ],
)
def test_a_run_is_read_once_and_again_on_more_tokens(sweep, module, measure, monkeypatch):
    table, read, load = module.TABLE, [], trained_runs.load_trained
    monkeypatch.setattr(
        trained_runs, "load_trained", lambda weights: read.append(weights.name) or load(weights)
    )
    first = measure(sweep, 500)
    several = first["run_id"].nunique()
    assert len(read) == several
    pd.testing.assert_frame_equal(measure(sweep, 500), first)
    assert len(read) == several
    first.assign(size="wrong").drop(columns="tokens_read").to_parquet(sweep / table)
    pd.testing.assert_frame_equal(measure(sweep, 500), first)  # on how many is not known
    assert set(measure(sweep, 900)["tokens_read"]) == {900}
    assert len(read) == 3 * several
    assert set(pd.read_parquet(sweep / table)["tokens_read"]) == {900}


def test_what_was_read_is_safe_when_reading_stops_and_stays_when_weights_go(sweep, monkeypatch):
    split = loss_by_context.loss_of_parts
    monkeypatch.setattr(
        loss_by_context, "loss_of_parts", lambda *given: split(*given) if given[0].config.P == 1 else 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        loss_by_context.measure_context(sweep, 500)
    (kept_row,) = pd.read_parquet(sweep / "context.parquet").to_dict("records")
    monkeypatch.setattr(loss_by_context, "loss_of_parts", split)
    for weights in (sweep / "checkpoints").glob(f"{kept_row['run_id']}/config.json"):
        weights.unlink()
    table = pd.concat([pd.DataFrame([kept_row]), pd.DataFrame([kept_row]).assign(run_id="unfinished")])
    table.to_parquet(sweep / "context.parquet")
    found = loss_by_context.measure_context(sweep, 900)
    assert sorted(found["P"]) == [1, 4]
    assert found.set_index("P")["tokens_read"].to_dict() == {1: 500, 4: 900}


def test_a_frozen_backbone_is_read_beside_its_streams(sweep, capsys):
    store = Store(sweep)
    text = np.tile(np.arange(61), 40).astype(np.int64)
    model, config = run_of(3, text, recipe="peft", parent="base")
    (run_id,) = store.add([config])
    released_format.save_checkpoint(model, store.checkpoint(run_id))
    store.finish(run_id, {"corpus": "x", "size": "24x2", "N": 1, "P": 3, "seed": 3, "loss": 3.0})
    store.gather()
    assert streams_command.run(streams_command.Options(sweep=str(sweep), tokens="500")) == 0
    table = pd.read_parquet(sweep / "streams.parquet")
    assert table["backbone"].isna().tolist() == (table["P"] != 3).tolist()
    row = table[table["P"] == 3].iloc[0]
    inputs, targets = next(trained_runs.windows(config, 8 * 16))
    with torch.no_grad():
        alone = view(model, P=1).loss(inputs, targets).item()
    again = stream_ensembles._of_run(store.checkpoint(run_id), config, 8 * 16).iloc[0]
    assert again["backbone"] == pytest.approx(alone, rel=1e-5)
    assert row["over_backbone"] == pytest.approx(row["backbone"] - row["own"])
    assert 0 < row["over_backbone_se"] < 1
    assert "over_backbone" in capsys.readouterr().out


@pytest.mark.parametrize(("command", "which"), [(streams_command, "run of P > 1"), (context_command, "run")])
def test_what_has_no_weights_is_refused(sweep, tmp_path, command, which):
    with pytest.raises(ValueError, match="no sweep folder"):
        command.run(command.Options(sweep=str(tmp_path), tokens="500"))
    for weights in (sweep / "checkpoints").glob("*/config.json"):
        weights.unlink()
    with pytest.raises(ValueError, match=f"no finished {which} whose weights are kept"):
        command.run(command.Options(sweep=str(sweep), tokens="500"))


def by_hand(row):
    """Repeated, seen, new, start of each target of one window, token by token."""
    pairs, tokens, found = set(), {row[0]}, []
    for place, (last, target) in enumerate(pairwise(row)):
        repeated, seen = (last, target) in pairs, target in tokens
        found.append([repeated, seen and not repeated, not seen, place < loss_by_context.START])
        pairs.add((last, target))
        tokens.add(target)
    return found


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40))
def test_parts_are_what_counting_by_hand_gives(row):
    assert loss_by_context.parts_of_targets(torch.tensor([row]))[0].tolist() == by_hand(row)


def test_the_losses_of_the_parts_add_up_to_the_whole(sweep, capsys):
    assert context_command.run(context_command.Options(sweep=str(sweep), tokens="500")) == 0
    table = pd.read_parquet(sweep / "context.parquet")
    assert table["P"].tolist() == [1, 4]  # the run of P = 2 is not finished
    rng, row = np.random.default_rng(0), table.iloc[1]
    model = released_format.load_checkpoint(Store(sweep).checkpoint(row["run_id"]))
    ids = torch.from_numpy(rng.integers(0, 5, (6, 17)))
    found = loss_by_context.loss_of_parts(model, [(ids[:4, :-1], ids[:4, 1:]), (ids[4:, :-1], ids[4:, 1:])])
    assert sum(found[f"share_{part}"] for part in ("repeated", "seen", "new")) == pytest.approx(1)
    whole = model.loss(ids[:, :-1], ids[:, 1:]).item()
    parts = sum(found[f"share_{part}"] * found[f"loss_{part}"] for part in ("repeated", "seen", "new"))
    assert parts == pytest.approx(whole, rel=1e-5)
    assert found["loss_start"] == pytest.approx(whole, rel=1e-5)  # windows of 16: all of it is their start
    said = capsys.readouterr().out
    assert "context.parquet" in said
    assert "loss_new" in said


def test_the_standard_error_is_that_of_a_ratio():
    total, count = np.array([3.0, 5.0, 1.0]), np.array([2.0, 2.0, 1.0])
    mean, se = loss_by_context.ratio(total, count)
    assert mean == pytest.approx(9 / 5)
    assert se == pytest.approx(np.sqrt(1.5 * ((3 - 3.6) ** 2 + (5 - 3.6) ** 2 + (1 - 1.8) ** 2)) / 5)
    assert np.isnan(loss_by_context.ratio(np.zeros(3), np.zeros(3))).all()


def test_a_fit_reads_a_part_as_its_loss(sweep):
    context_command.run(context_command.Options(sweep=str(sweep), tokens="500"))
    runs = scaling.read_runs(sweep / "context.parquet", {"loss": "loss_start"})
    table = pd.read_parquet(sweep / "context.parquet")
    assert runs["loss"].tolist() == table["loss_start"].tolist()
