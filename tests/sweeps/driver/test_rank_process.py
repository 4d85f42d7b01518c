"""A rank of a run: what it trains, and what rank 0 sends of it."""

import json
from dataclasses import asdict

import pytest

from sweeps.config.execution import Execution
from sweeps.driver import rank_process
from sweeps.training import train as train_module
from sweeps.training.interrupt import Interrupted
from tests.sweeps.small_run import config

RUN = config("x")


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """Serve as a rank with training replaced. Returns the exit code, what was sent, and what training was given."""
    (tmp_path / "run").mkdir()

    def serving(train, rank=0, snapshot="", execution=Execution(threads=4, devices=2)):  # noqa: B008 -- frozen
        given, sent = {}, []

        def trained(run, folder, **more):
            given.update(more, run=run, folder=folder)
            return train(more)

        monkeypatch.setattr(train_module, "train", trained)
        monkeypatch.setenv("PARSCALE_RANK", str(rank))
        spec = {"run": RUN.to_json(), "folder": str(tmp_path / "run"), "snapshot": snapshot}
        text = json.dumps({**spec, "execution": asdict(execution)})
        try:
            code = rank_process.run_rank(text, lambda: False, sent.append)
        except ValueError as error:
            code = error
        return code, sent, given

    return serving


def report(more):
    more["report"]("goes on")
    if more["progress"] is not None:
        more["progress"]({"step": 3})
    return {"loss": 2.5}


def test_rank_0_sends_reports_progress_and_the_row(serve):
    code, sent, given = serve(report)
    assert code == 0
    assert sent == [{"report": "goes on"}, {"progress": {"step": 3}}, {"row": {"loss": 2.5}}]
    assert given["run"] == RUN
    assert given["snapshot"] is None


def test_other_ranks_train_the_same_and_send_nothing(serve):
    code, sent, given = serve(report, rank=1, snapshot="step-7.ckpt")
    assert (code, sent, given["progress"]) == (0, [], None)
    assert given["snapshot"] == given["folder"] / "step-7.ckpt"


@pytest.mark.parametrize(("threads", "own"), [(4, 2), (1, 1), (None, 1)])
def test_ranks_share_the_threads_of_their_node(serve, threads, own):
    *_, given = serve(report, execution=Execution(threads=threads, devices=2))
    assert given["execution"].threads == own


def test_an_interrupted_run_is_no_error(serve):
    def stopped(_):
        raise Interrupted("stopped at step 4")

    assert serve(stopped)[:2] == (0, [{"interrupted": "stopped at step 4"}])


def test_an_error_is_sent_by_kind_and_ends_the_process_with_it(serve):
    def failed(_):
        raise ValueError("the model caught fire")

    code, sent, _ = serve(failed)
    assert isinstance(code, ValueError)
    assert sent == [
        {"error": {"kind": "ValueError", "text": "the model caught fire", "errno": 0, "place": None}}
    ]
