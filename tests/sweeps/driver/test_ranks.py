"""Ranks of a run: nodes that belong to no group and batches that cannot be shared are refused."""

from dataclasses import replace

import pytest

from sweeps.driver.clusters.node_mailbox import VARIABLE
from sweeps.training.train import train
from tests.sweeps import small_run
from tests.sweeps.small_run import ONE


def config(corpus, **changes):
    return small_run.config(corpus, P=2, **{"steps": 20} | changes)


def test_a_node_that_belongs_to_no_group_says_so(corpus, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ValueError, match="only --launcher slurm starts a run on several nodes"):
        train(config(corpus), tmp_path, execution=replace(ONE, num_nodes=2))


def test_a_batch_that_devices_cannot_share_is_refused(corpus, tmp_path):
    with pytest.raises(ValueError, match=r"batch=4 of 32x2 P=2 does not divide by 3 devices; 1, 2, 4 would do"):
        train(config(corpus), tmp_path, execution=replace(ONE, devices=3))
