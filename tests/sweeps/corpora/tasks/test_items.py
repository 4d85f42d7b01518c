"""Items of every task: verified, split without leaks, and drawn at 5 MB/s and more."""

import time

import numpy as np
import pytest

from sweeps.corpora.tasks.alphabet import text_of
from sweeps.corpora.tasks.items import HELD_OUT, Items, key_of, questions, training_items
from sweeps.corpora.tasks.task_names import task_of

NAMES = (
    "facts", "facts#facts=30#value=2", "hops", "hops#nodes=4#hops=1,3#steps=1", "hops#steps=9",
    "arithmetic", "arithmetic#steps=2", "arithmetic#mod=97#steps=3", "arithmetic#mod=7#terms=5", "copy",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_that_of_the_solver_and_none_leaks(name):
    task, _ = task_of(f"task:{name}")
    for level in task.difficulties:
        asked = questions(task, level)
        drawn = training_items(task, np.random.Generator(np.random.Philox(5)), 3000, level)
        split = task.prompt_length(level)
        assert drawn.shape == (3000, task.length(level))
        for row in np.concatenate([drawn[:60], asked.ids[:60]]):
            assert task.solve(text_of(row[:split])) == text_of(row[split:])
        again = questions(task, level)
        assert np.array_equal(asked.ids, again.ids)
        prompts = {row.tobytes() for row in drawn[:, :split].astype(np.int64)}
        shared = [row for row in asked.ids[:, :split] if row.tobytes() in prompts]
        assert bool(shared) == task.memory
        assert len({row.tobytes() for row in asked.ids}) == len(asked.ids)
        assert 0 < task.chance(level) < 1


def test_a_held_out_graph_is_trained_on_in_no_order_and_with_no_question():
    task, _ = task_of("task:hops#nodes=3#hops=1,2")
    drawn = training_items(task, np.random.default_rng(1), 20_000, 1)
    graphs = {frozenset(text_of(row).rsplit(",", 1)[0].split(",")) for row in drawn}
    asked = {frozenset(text_of(row).rsplit(",", 1)[0].split(",")) for row in questions(task, 2).ids}
    assert len(graphs) > 3000
    assert asked
    assert not graphs & asked


def test_items_are_drawn_at_five_megabytes_a_second():
    for name in NAMES:
        task, _ = task_of(f"task:{name}")
        random, level = np.random.default_rng(0), task.difficulties[0]
        training_items(task, random, 10, level)
        begun = time.process_time()
        size = sum(training_items(task, random, 5_000, level).size for _ in range(3))
        assert size / (time.process_time() - begun) > 5e6


def test_what_is_learnt_is_written_plainly_and_the_rest_as_complements():
    items = Items(np.array([[3, 4, 5, 0], [3, 4, 5, 6]]), np.array([1, 2]), np.array([3, 4]))
    assert items.masked(every=False).tolist() == [[~3, 4, 5, ~0], [~3, ~4, 5, 6]]
    assert items.masked(every=True).tolist() == [[3, 4, 5, ~0], [3, 4, 5, 6]]
    assert items.answers.sum() == 4
    assert len(items.first(1).ids) == 1


def test_keys_are_even_and_tell_rows_apart():
    rows = np.stack(np.meshgrid(np.arange(100), np.arange(100)), axis=-1).reshape(-1, 2)
    keys = key_of(rows)
    assert len(set(keys.tolist())) == 10_000
    assert (keys % np.uint64(HELD_OUT) == 0).mean() == pytest.approx(1 / HELD_OUT, abs=0.01)
