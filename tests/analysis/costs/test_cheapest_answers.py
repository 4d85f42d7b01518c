"""The cheapest way of answering: measured points only, and no verdict beyond their intervals and random seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.costs.cheapest_answers import (
    ANSWERS,
    COSTS,
    agresti_coull,
    answers_table,
    answers_words,
    cheapest_answers,
    read_answers,
    task_and_work,
)

TASK = "task:hops#hops=3,4#nodes=5"


def way(accuracies, flops, P=1, r=1, work=0, way="greedy", m=1, trained_r=None, latency=None, **other):
    """The rows of one way of answering, one for each random seed."""
    latency = flops * 1e-9 if latency is None else latency
    costs = {"flops": flops, "latency_s_1": latency, "latency_s_8": 3 * latency}
    costs |= {"memory_bytes_1": 1e5 * P * m, "memory_bytes_8": 4e5 * P * m}
    row = {
        "corpus": f"{TASK}#steps={work}",
        "difficulty": 4.0,
        "steps": float(work),
        "size": "64x2",
        "N": 9e4,
    }
    row |= {"P": float(P), "trained_r": float(trained_r or r), "r": float(r), "way": way, "m": float(m)}
    rows = [{**row, "seed": i, "accuracy": a, "items": 256.0} for i, a in enumerate(accuracies)]
    return [one | costs | other for one in rows]


WAYS = [
    *way([0.23, 0.27, 0.25], 3.7e6),
    *way([0.99, 0.41, 0.98], 4.5e6, work=3),
    *way([0.97, 0.985, 0.98], 1.8e7, P=4, work=3, latency=0.002),
    *way([0.72, 0.73, 0.71], 9e6, way="vote", m=8, work=3),
    *way([1.0, 1.0, 1.0], 3.9e6, way="pass", m=32),  # needs a judge
]
TABLE = pd.DataFrame(WAYS)


def least(found):
    """Of each row: what it is least in, P, way, verdict."""
    return [*zip(found["least"], found["P"], found["way"], found["answer"], strict=True)]


def test_the_cheapest_for_each_cost_and_what_is_in_doubt():
    found = cheapest_answers(TABLE, 0.7)
    assert least(found) == [
        ("plain", 1, "greedy", "does not"),
        ("flops", 1, "greedy", "cannot tell"),  # a random seed in three fails
        ("flops", 4, "greedy", "reaches"),
        ("latency_s_1", 4, "greedy", "reaches"),
        ("memory_bytes_1", 1, "greedy", "cannot tell"),
        ("memory_bytes_1", 4, "greedy", "reaches"),
        ("latency_s_8", 4, "greedy", "reaches"),
        ("memory_bytes_8", 1, "greedy", "cannot tell"),
        ("memory_bytes_8", 4, "greedy", "reaches"),
    ]
    sure = found.iloc[2]
    assert sure["accuracy"] == pytest.approx((0.97 + 0.985 + 0.98) / 3)
    assert sure["times"] == pytest.approx(18 / 3.7)
    assert (sure["seeds"], sure["reaching"], sure["items"]) == (3, 3, 256)
    assert [sure["lower"], sure["upper"]] == pytest.approx(
        [float(end) for end in agresti_coull(sure["accuracy"], 256, 0.95)]
    )
    words = answers_words(found, 0.7, limited=False)
    assert len(words) == 1
    assert "cannot tell" in words[0]


def test_costs_are_medians_over_random_seeds():
    seeds = [way([0.9], flops)[0] for flops in (3e6, 4e6, 40e6)]
    (cost,) = {*cheapest_answers(pd.DataFrame(seeds), 0.7)["flops"]}
    assert cost == 4e6


def test_an_interval_that_includes_the_accuracy_cannot_tell():
    """All three seeds have 0.97 or more, and 256 questions do not separate that from 0.96."""
    assert {*cheapest_answers(TABLE, 0.96)["answer"]} == {"does not", "cannot tell"}
    assert "reaches" in {*cheapest_answers(TABLE, 0.96, level=0.6)["answer"]}


def test_limits_are_kept_and_are_those_of_one_batch():
    cheap = cheapest_answers(TABLE, 0.7, limits={"flops": 1e7})
    assert {*cheap["answer"][1:]} == {"cannot tell"}
    eight = cheapest_answers(TABLE, 0.7, limits={"memory_bytes_8": 1e6})
    assert {*eight["P"]} == {1}
    one = cheapest_answers(TABLE, 0.7, limits={"memory_bytes_1": 1e6})
    assert {*one["P"]} == {1, 4}


def test_where_none_reaches_it_the_most_accurate_is_named():
    found = cheapest_answers(TABLE, 0.99)
    assert least(found)[1:] == [("none", 4, "greedy", "cannot tell")]
    (words,) = answers_words(found, 0.99, limited=False)
    assert "0.99" in words
    assert "0.978" in words
    limited = cheapest_answers(TABLE, 0.9, limits={"flops": 1e7})
    assert limited["accuracy"].iloc[1] == pytest.approx((0.99 + 0.41 + 0.98) / 3)
    assert "within the limits" in answers_words(limited, 0.9, limited=True)[0]
    over = cheapest_answers(TABLE, 0.7, limits={"flops": 1e6, "latency_s_1": 1.0})
    assert least(over)[1:] == [("none", 1, "greedy", "over the limits")]
    assert "limits" in answers_words(over, 0.7, limited=True)[0]


def test_the_plain_way_may_be_the_answer_and_one_seed_is_said():
    table = pd.DataFrame([*way([0.96], 2e6), *way([0.99], 3e6, r=2), *way([0.95], 2e6, way="one")])
    found = cheapest_answers(table, 0.9)
    assert {*least(found)} == {(name, 1, "greedy", "reaches") for name in ("plain", *COSTS)}
    assert (found["times"][1:] == 1).all()
    assert found.set_index("least")["r"][["flops", "latency_s_1"]].tolist() == [1, 1]
    assert "seed" in answers_words(found, 0.9, limited=False)[0]


def test_of_several_sizes_the_plain_way_is_the_cheapest_that_reaches_it():
    sizes = [
        *way([0.5], 1e6, size="s"),
        *way([0.95], 4e6, size="m"),
        *way([0.99], 9e6, size="l"),
    ]
    table = pd.DataFrame([*sizes, *way([0.97], 8e6, P=2, size="s")])
    assert cheapest_answers(table, 0.9)["size"].tolist()[:2] == ["m", "m"]
    assert cheapest_answers(table, 0.995)["size"].tolist() == ["l", "l"]
    without = cheapest_answers(table[table["P"] == 2], 0.9)
    assert "plain" not in {*without["least"]}
    assert without["times"].isna().all()


def test_costs_that_are_equal_to_two_digits_go_to_the_surer_way():
    table = pd.DataFrame([*way([0.92], 2.0001e6, way="one"), *way([0.99], 2.0002e6)])
    assert {*cheapest_answers(table, 0.9)["way"]} == {"greedy"}


def test_difficulties_and_tasks_are_apart_and_named():
    other = [{**row, "difficulty": 3.0} for row in WAYS]
    sums = [{**row, "corpus": "task:arithmetic#digits=3#loss=all"} for row in WAYS]
    table = pd.DataFrame([*WAYS, *other, *sums])
    found = cheapest_answers(table, 0.7)
    assert [*found.groupby(["task", "difficulty"]).groups] == [
        ("arithmetic#digits=3", 4),
        ("hops#hops=3,4#nodes=5", 3),
        ("hops#hops=3,4#nodes=5", 4),
    ]
    assert {*cheapest_answers(table, 0.7, task="hops 3")["difficulty"]} == {3}
    for name in ("hops", "hops#hops=3,4#nodes=5", "task:hops#hops=3,4#nodes=5"):
        assert {*cheapest_answers(table, 0.7, task=name)["difficulty"]} == {3, 4}
    with pytest.raises(ValueError, match=r"'facts'.*arithmetic 4, hops 3, hops 4"):
        cheapest_answers(table, 0.7, task="facts")


@pytest.mark.parametrize("accuracy", [0.0, -0.1, 1.01, 90, float("nan")])
def test_an_accuracy_that_cannot_be_is_refused(accuracy):
    with pytest.raises(ValueError, match=f"accuracy={accuracy}"):
        cheapest_answers(TABLE, accuracy)


def test_other_questions_without_an_answer_are_refused():
    with pytest.raises(ValueError, match="latency_s_4"):
        cheapest_answers(TABLE, 0.7, limits={"latency_s_4": 1.0})
    with pytest.raises(ValueError, match=r"level=1\.5"):
        cheapest_answers(TABLE, 0.7, level=1.5)


def test_the_table_is_read_and_what_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"inference\.parquet.*parscale inference"):
        read_answers(tmp_path)
    TABLE.to_parquet(tmp_path / ANSWERS)
    assert len(read_answers(tmp_path)) == len(read_answers(tmp_path / ANSWERS)) == len(TABLE)
    TABLE.drop(columns=["way", "flops"]).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="flops, way"):
        read_answers(tmp_path / "other.parquet")


def test_the_file_is_the_one_that_is_written():
    from sweeps.inspect import inference_scaling

    assert ANSWERS == inference_scaling.TABLE


def test_a_share_has_the_interval_of_Agresti_and_Coull():
    lower, upper = agresti_coull([0.0, 0.7, 1.0], [256, 50, 256], 0.9)
    z = stats.norm.ppf(0.95)
    share = (35 + z**2 / 2) / (50 + z**2)
    half = z * np.sqrt(share * (1 - share) / (50 + z**2))
    assert [lower[1], upper[1]] == pytest.approx([share - half, share + half])
    assert lower[0] == 0 < upper[0]
    assert lower[2] < 1 == upper[2]


def test_it_is_shown_with_units_and_with_the_r_that_ran():
    looped = way([0.99, 0.99, 0.99], 2.1e6, r=2, trained_r=4, work=3, way="vote", m=4, latency=0.0021)
    table = answers_table(cheapest_answers(pd.DataFrame([*WAYS, *looped]), 0.9))
    row = table.iloc[1].to_dict()
    assert row["cost"] == "2.1M FLOPs"
    assert table["cost"].tolist()[2:4] == ["2.00 ms", "0.40 MB"]
    assert (row["trained_r"], row["r"], row["asked"], row["seeds"]) == ("4", "2", "vote of 4", "3 of 3")
    assert table["cost"].iloc[0] == ""
    assert "trained_r" not in answers_table(cheapest_answers(TABLE, 0.9))
    assert task_and_work("task:hops#hops=2#steps=3#loss=all") == ("hops#hops=2", 3)
