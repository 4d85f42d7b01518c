"""Trained runs are read once, and again where more tokens are asked for."""

import pandas as pd
import pytest

from sweeps.inspect import loss_by_context, stream_ensembles, trained_runs


@pytest.mark.parametrize(
    ("module", "measure"),
    [
        (stream_ensembles, stream_ensembles.measure_ensembles),
        (loss_by_context, loss_by_context.measure_context),
    ],
)
def test_a_run_is_read_once_and_again_on_more_tokens(trained_sweep, module, measure, monkeypatch):
    table, read, load = module.TABLE, [], trained_runs.load_trained
    monkeypatch.setattr(
        trained_runs, "load_trained", lambda weights: read.append(weights.name) or load(weights)
    )
    first = measure(trained_sweep, 500)
    several = first["run_id"].nunique()
    assert len(read) == several
    pd.testing.assert_frame_equal(measure(trained_sweep, 500), first)
    assert len(read) == several
    first.assign(size="wrong").drop(columns="tokens_read").to_parquet(trained_sweep / table)
    pd.testing.assert_frame_equal(measure(trained_sweep, 500), first)  # on how many is not known
    assert set(measure(trained_sweep, 900)["tokens_read"]) == {900}
    assert len(read) == 3 * several
    assert set(pd.read_parquet(trained_sweep / table)["tokens_read"]) == {900}
