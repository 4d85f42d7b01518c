"""`parscale tuned`: laws and settings at a place, in text and JSON."""

import json

import pytest

from parscale.cli.decide import tuned_command
from tests.scaling.command_line import run

RUNS = "results/published/tables/learning_rate_batch.csv"


def test_text_and_json_tell_the_same_laws():
    text = run(tuned_command, runs=RUNS, at="N=1B,D=100B")
    body = json.loads(run(tuned_command, runs=RUNS, at="N=1B,D=100B", json=True))
    assert len(body["cells"]) == 42
    laws = {(row["setting"], row["parameter"]): row for row in body["laws"]}
    assert f"{laws['lr', 'N']['estimate']:.4g}" in text
    assert [row["setting"] for row in body["at"]] == ["lr", "batch_size"]


@pytest.mark.parametrize(("wrong", "word"), [
    ({"of": "dropout"}, "dropout"), ({"over": "width"}, "width"), ({"at": "N=1B"}, "N, D"), ({"near": -1.0}, "near"),
])  # fmt: skip
def test_wrong_options_are_refused(wrong, word):
    with pytest.raises(ValueError, match=word):
        run(tuned_command, runs=RUNS, **wrong)
