"""Messages between the nodes of one run, through files."""

import pytest

from sweeps.driver.clusters.node_mailbox import VARIABLE, NodeMailbox


@pytest.fixture
def mailbox(tmp_path):
    return NodeMailbox(tmp_path / "group")


def test_a_request_is_read_by_others_until_it_is_withdrawn(mailbox):
    other = NodeMailbox(mailbox.folder)
    assert other.requested() == {}
    mailbox.request({"key": "a", "ranks": 4})
    assert other.requested() == {"key": "a", "ranks": 4}
    mailbox.request({"key": "b"})
    assert other.requested() == {"key": "b"}
    mailbox.withdraw()
    mailbox.withdraw()  # twice is once
    assert other.requested() == {}


def test_half_a_message_is_none(mailbox):
    mailbox.request({"key": "a"})
    (mailbox.folder / "request.json").write_text('{"key"')
    assert mailbox.requested() == {}
    (mailbox.folder / "failed-a").write_text("")
    assert mailbox.failure("a") == 0


def test_a_failure_belongs_to_its_attempt(mailbox):
    mailbox.request({"key": "a"})
    assert mailbox.failure("a") == 0
    NodeMailbox(mailbox.folder).report_failure("a", -9)
    assert (mailbox.failure("a"), mailbox.failure("b")) == (-9, 0)


def test_a_closed_mailbox_stays_closed(mailbox):
    assert not mailbox.closed
    mailbox.close()  # also before any request
    assert NodeMailbox(mailbox.folder).closed


def test_a_node_finds_its_own_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert NodeMailbox.mine() == NodeMailbox(tmp_path)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ValueError, match="slurm"):
        NodeMailbox.mine()
