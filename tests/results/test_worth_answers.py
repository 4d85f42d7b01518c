"""Answers by the rules, on tables whose answer is known, and the tokens until sums are learnt."""

import numpy as np
import pandas as pd
import pytest

from results.grids import worth_answers, worth_table

ARMS = ("base", "P2", "P4", "r4", "e4", "prefix", "params", "compute")


def runs_with(gains: dict[tuple[str, str], float], noise: float = 0.02) -> pd.DataFrame:
    """Two sizes, three seeds, both tasks: what arms gain in log loss on a task, and 0 elsewhere."""
    random = np.random.default_rng(0)
    cells = [
        (task, size, arm, seed)
        for task in (worth_answers.MEMORY, worth_answers.REASONING)
        for size in ("32x2", "96x4")
        for arm in ARMS
        for seed in range(3)
    ]
    table = pd.DataFrame(cells, columns=["task", "size", "arm", "seed"])
    gain = np.array([gains.get((row.task, row.arm), 0.0) for row in table.itertuples()])
    return table.assign(loss=np.exp(-gain + noise * random.standard_normal(len(table))), D=1e5)


WORTH = pd.DataFrame(
    {
        "task": ["memory"],
        "axis": ["streams"],
        "worth": [2.0],
        "lower": [1.5],
        "upper": [3.0],
        "answer": ["helps"],
    }
)
SCORES = pd.DataFrame(
    {"task": ["memory"], "size": ["96x4"], "runs": [20], "inside": [19], "loss": [1.0], "observed": [1.01]}
)


def answers(runs: pd.DataFrame, scores: pd.DataFrame = SCORES) -> pd.DataFrame:
    table = worth_answers.answers_table(WORTH, runs, scores)
    return table.assign(number=table["question"].str[0].astype(int))


@pytest.mark.parametrize(
    ("gains", "answer"),
    [
        (
            {("memory", "e4"): 1, ("memory", "params"): 1, ("reasoning", "P4"): 1, ("reasoning", "r4"): 1},
            "yes",
        ),
        ({("memory", "e4"): 1, ("memory", "params"): 1, ("reasoning", "compute"): 3}, "no"),
        ({("memory", "P4"): 1, ("reasoning", "P4"): 1, ("reasoning", "r4"): 1}, "no"),
        ({}, "cannot tell"),
    ],
)
def test_memory_or_computation(gains, answer):
    table = answers(runs_with(gains))
    assert {*table.loc[table["number"] == 3, "answer"]} == {answer}


@pytest.mark.parametrize(
    ("gains", "answer"),
    [
        ({("memory", "prefix"): 1, ("memory", "P2"): 1}, "the prefix"),
        ({("memory", "P2"): 1}, "cannot tell"),
        ({}, "cannot tell"),
    ],
)
def test_streams_or_prefix(gains, answer):
    table = answers(runs_with(gains))
    asked = (table["number"] == 2) & (table["task"] == "memory")
    assert {*table.loc[asked, "answer"]} == {answer}


def test_the_arm_of_lower_loss_is_named():
    table = answers(runs_with({("memory", "P2"): 1, ("reasoning", "compute"): 1})).set_index(
        ["number", "task", "what"]
    )
    assert table.loc[(4, "memory", "P2 over r4"), "answer"] == "P2"
    assert table.loc[(4, "reasoning", "P4 over compute"), "answer"] == "compute"
    assert table.loc[(1, "memory", "streams"), ["value", "answer"]].tolist() == [2.0, "helps"]


@pytest.mark.parametrize(
    ("changed", "answer"), [({}, "kept"), ({"inside": 17}, "not kept"), ({"observed": 2.0}, "not kept")]
)
def test_a_law_is_kept_by_its_intervals_and_its_miss(changed, answer):
    table = answers(runs_with({}), SCORES.assign(**changed))
    assert {*table.loc[table["number"] == 5, "answer"]} == {answer}


def test_tokens_until_sums_are_learnt():
    runs = runs_with({}).assign(run_id=lambda t: t.index.astype(str))
    tokens = np.arange(0, 1e5 + 1, 1e3)
    ends = {"base": 4e4, "P4": 2e4, "e4": np.inf}
    curves = pd.concat(
        pd.DataFrame({"run_id": row.run_id, "tokens": tokens, "train_loss": np.where(tokens < ends.get(row.arm, 4e4), 1.0, 0.0)})
        for row in runs.itertuples()
    )  # fmt: skip
    table = worth_answers.learnt_table(runs, curves).set_index("arm")
    assert table.loc["P4", "factor"] == pytest.approx(0.5, rel=0.1)
    assert table.loc["e4", ["learnt", "cells"]].tolist() == [0, 6]
    assert table.loc["e4", "factor"] == pytest.approx(2.5, rel=0.1)  # it counts with all of its tokens
    assert table.loc["params", "factor"] == pytest.approx(1)


def test_the_committed_answers_are_those_of_the_committed_runs():
    tables = {
        name: pd.read_csv(f"results/tables/{name}.csv", comment="#")
        for name in ("worth", "worth_scores", "worth_answers")
    }
    runs = worth_table.whole_sizes(
        worth_table.named_arms(pd.read_parquet("results/sweeps/worth/runs.parquet"))
    )
    now = worth_answers.answers_table(tables["worth"], runs, tables["worth_scores"])
    pd.testing.assert_frame_equal(now, tables["worth_answers"], rtol=1e-6)
    learnt = worth_answers.learnt_table(runs, pd.read_parquet("results/sweeps/worth/curves.parquet"))
    pd.testing.assert_frame_equal(
        learnt, pd.read_csv("results/tables/worth_learnt.csv", comment="#"), rtol=1e-6
    )
