"""`parscale accuracy`: the sigmoid and accuracies at losses, in text and JSON."""

import json

from parscale.cli.fit import accuracy_command
from tests.scaling.command_line import run

FILE = "results/published/tables/loss_and_accuracy.csv"


def test_text_and_json_tell_the_same():
    given = {"file": FILE, "where": "tasks=code", "groups": "size", "at": "0.95,1.0"}
    text, body = run(accuracy_command, **given), json.loads(run(accuracy_command, **given, json=True))
    assert [row["loss"] for row in body["at"]] == [0.95, 1.0]
    assert f"{body['at'][1]['accuracy']:.4g}" in text
    assert body["table"][0]["parameter"] == "slope"
    assert body["verdict"]
