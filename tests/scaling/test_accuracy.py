"""Loss to accuracy: true parameters recovered, the paper's tables reproduced to the digit, units and chance named."""

import re

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.accuracy import accuracy_by_loss
from scaling.optimise.certificate import Status

LOSS = np.linspace(1.7, 2.6, 12)
TRUE = 0.25 + 0.75 / (1 + np.exp(3.1 * (LOSS - 1.93)))


def test_a_sigmoid_with_its_floor_is_recovered():
    made = accuracy_by_loss(pd.DataFrame({"loss": LOSS, "accuracy": TRUE}), chance=0.25)
    assert made.table["estimate"].to_dict() == pytest.approx({"slope": 3.1, "middle": 1.93}, rel=1e-5)
    far = made.predict([1.0, 9.0])
    assert far["accuracy"].to_numpy() == pytest.approx(
        [0.25 + 0.75 / (1 + np.exp(3.1 * -0.93)), 0.25], abs=1e-6
    )


def test_intervals_hold_the_truth_and_widen_with_the_error_of_a_forecast_loss():
    noisy = TRUE + 0.01 * np.random.default_rng(2).standard_normal(12)
    made = accuracy_by_loss(pd.DataFrame({"loss": LOSS, "accuracy": noisy}), chance=0.25)
    assert made.table.loc["slope", "lower"] < 3.1 < made.table.loc["slope", "upper"]
    known, guessed = made.predict(2.0).iloc[0], made.predict(2.0, se=0.05).iloc[0]
    assert known["lower"] < 0.25 + 0.75 / (1 + np.exp(3.1 * 0.07)) < known["upper"]
    assert guessed["upper"] - guessed["lower"] > 1.5 * (known["upper"] - known["lower"])


def test_the_papers_code_averages():
    table = scaling.published("loss-accuracy")
    made = accuracy_by_loss(table[table["tasks"] == "code"], groups="size")
    assert made.status == Status.CONVERGED
    assert made.table.loc["slope", "estimate"] == pytest.approx(3.798, abs=1e-3)
    assert "45.4" in made.verdict  # the largest accuracy, a per cent
    assert 0.4 < made.predict(1.0)["accuracy"].iloc[0] < 0.45
    assert "slope" in repr(made)


def test_models_that_answer_nothing_are_rows_too():
    sigmoid = np.where(LOSS > 2.5, 0.0, 1 / (1 + np.exp(30 * (LOSS - 2.2))))
    made = accuracy_by_loss(pd.DataFrame({"loss": LOSS, "accuracy": sigmoid}))
    assert made.fit.n == LOSS.size > (sigmoid > 0).sum()
    assert made.table.loc["middle", "estimate"] == pytest.approx(2.2, abs=0.01)


def test_a_task_below_chance_is_named():
    low = pd.DataFrame({"loss": LOSS, "accuracy": np.where(LOSS > 2.3, 0.2, TRUE)})
    assert re.search(r"4.*12.*chance.*0\.25", accuracy_by_loss(low, chance=0.25).verdict)


def test_a_model_counts_by_its_questions():
    table = pd.DataFrame({"loss": LOSS, "accuracy": TRUE, "questions": 500, "others": 1000})
    table.loc[3, ["accuracy", "questions"]] = 0.9, 5  # far off, of few questions
    plain = accuracy_by_loss(table, chance=0.25).table["estimate"]
    even = accuracy_by_loss(table, chance=0.25, items="others").table["estimate"]
    assert even.to_dict() == pytest.approx(plain.to_dict(), rel=1e-6)
    made = accuracy_by_loss(table, chance=0.25, items="questions")
    assert abs(plain["slope"] - 3.1) > 0.3 > 3 * abs(made.table.loc["slope", "estimate"] - 3.1)
    assert "questions" in made.verdict


@pytest.mark.parametrize(("changes", "options", "word"), [
    ({"accuracy": -TRUE}, {}, "row 1"), ({"accuracy": 900 * TRUE}, {}, "accuracy"), ({}, {"chance": 1.2}, "chance"),
    ({}, {"ceiling": 0.5}, "ceiling"), ({"loss": np.nan}, {}, "loss"), ({}, {"loss": "nll"}, "'nll'"),
    ({"n": 0}, {"items": "n"}, "n has 0 in row 1"), ({}, {"items": "n"}, "'n'"),
])  # fmt: skip
def test_wrong_tables_are_refused(changes, options, word):
    with pytest.raises(ValueError, match=word):
        accuracy_by_loss(pd.DataFrame({"loss": LOSS, "accuracy": TRUE}).assign(**changes), **options)
