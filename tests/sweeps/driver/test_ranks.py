"""Ranks of a run: nodes that belong to no group and batches that cannot be shared are refused."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from sweeps.driver import ranks
from sweeps.driver.clusters.node_mailbox import VARIABLE
from sweeps.training.train import train
from tests.sweeps import small_run
from tests.sweeps.small_run import ONE


def config(corpus, **changes):
    return small_run.config(corpus, P=2, **{"steps": 20} | changes)


def test_a_node_that_belongs_to_no_group_says_so(corpus, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ValueError, match="--launcher"):
        train(config(corpus), tmp_path, execution=replace(ONE, num_nodes=2))


def test_a_batch_that_devices_cannot_share_is_refused(corpus, tmp_path):
    with pytest.raises(ValueError, match=r"batch=4.*32x2.*P=2.*3.*devices.*1.*2.*4"):
        train(config(corpus), tmp_path, execution=replace(ONE, devices=3))


@pytest.mark.parametrize(
    ("text", "kind"),
    [("gloo: Connection closed by peer [10.0.0.2]", ranks.RankDied), ("the loss is odd", RuntimeError)],
)
def test_a_rank_that_lost_another_is_no_failure_of_the_run(monkeypatch, text, kind):
    """Nobody reports the death of a node: only the connection shows it."""
    monkeypatch.setattr(ranks, "LOCAL_FAILURE_S", 0.0)
    error = {"kind": "RuntimeError", "text": text, "errno": 0, "place": None}
    group = ranks.Group.__new__(ranks.Group)
    group.mailbox, group.pool = None, SimpleNamespace(look=lambda: None)
    group.ranks = [SimpleNamespace(code=None, received=[{"error": error}])]
    with pytest.raises(RuntimeError) as caught:
        group.follow(lambda: False, print, print)
    assert type(caught.value) is kind
