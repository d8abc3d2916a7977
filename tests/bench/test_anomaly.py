"""The comparison of anomaly scores: each row on each task, means and the worst difference, a run that
continues, and what is said if something is missing.
"""

import sys

import numpy as np
import pytest

from narrows.bench import anomaly as module
from narrows.bench.anomaly import COLUMNS, Plan, measure, read_results, write_results
from narrows.bench.anomaly_tables import best_peer, by_task, page, summary
from narrows.bench.anomaly_tasks import entries_of
from narrows.bench.anomaly_ways import PEERS, WAYS, ours, statistic
from narrows.errors import DataError, UnknownName

QUICK = ("pca", "brightness", "deviation")


def row(task, name, auroc, seed=0):
    seconds = {column: 0.5 for column in COLUMNS if column.endswith(", s")}
    names = {"task": task, "group": task.split()[0], "row": name, "seed": seed}
    names["way"] = name.partition(",")[0]
    counts = {"images": 20, "test images": 30, "limits": "all and all"}
    return {**names, **counts, "auroc": auroc, **seconds}


ROWS = [
    *(row("a 1", "anomaly", auroc, seed) for seed, auroc in enumerate((0.9, 0.8))),
    row("b 1", "anomaly", 0.7),
    *(row(task, "pyod-knn", 0.75) for task in ("a 1", "b 1")),
    *(row(task, "pyod-pca", auroc) for task, auroc in (("a 1", 0.99), ("b 1", 0.5))),
    row("a 1", "anomaly, patch", 0.6),
]


@pytest.fixture
def without_pyod(monkeypatch):
    for name, *_ in PEERS.values():
        monkeypatch.setitem(sys.modules, f"pyod.models.{name}", None)


@pytest.fixture
def plan():
    return Plan(entries_of(["digits"])[:2], (0, 1), QUICK, 40, 100)


def measured(plan, rows=()):
    """The rows of a plan, what was said, and how often results were kept."""
    said, kept = [], []
    found = measure(plan, rows, said.append, lambda rows: kept.append(list(rows)))
    return found, said, kept


def test_each_row_is_measured_on_each_task_and_seed(plan):
    rows, said, kept = measured(plan)
    assert len(rows) == len(said) == len(kept) == 2 * 2 * len(QUICK)
    assert all(set(found) == set(COLUMNS) for found in rows)
    assert {(found["images"], found["test images"]) for found in rows} == {(40, 100)}
    pca = [found["auroc"] for found in rows if found["row"] == "pca"]
    assert min(pca) > 0.9
    assert len(set(pca)) > 1


def test_a_second_call_continues_where_the_first_was_stopped(plan, tmp_path):
    rows, *_ = measured(plan)
    write_results(tmp_path, rows[:7])
    again, said, kept = measured(plan, read_results(tmp_path))
    assert again[:7] == rows[:7]
    assert len(said) == len(kept) == len(rows) - 7
    keys = [(found["task"], found["seed"], found["auroc"]) for found in rows]
    assert [(found["task"], found["seed"], found["auroc"]) for found in again] == keys
    assert measured(plan, again) == (again, [], [])


def test_what_is_named_twice_is_measured_once():
    plan = Plan(entries_of(["digits", "digits"]), (0, 0), ("deviation", "deviation"))
    rows, *_ = measured(plan)
    assert len({found["task"] for found in rows}) == len(rows) == 10


def test_results_are_read_as_they_were_written(tmp_path):
    assert read_results(tmp_path) == []
    write_results(tmp_path, ROWS)
    assert read_results(tmp_path) == ROWS
    (tmp_path / module.RESULTS).write_text("task,auroc\na,b\n")
    with pytest.raises(DataError, match="choose another folder"):
        read_results(tmp_path)


def test_without_pyod_one_sentence_says_so_and_its_rows_are_left_out(without_pyod):
    peers = tuple(way for way in WAYS if way.startswith("pyod-"))
    assert len(peers) == len(PEERS) == 6
    plan = Plan(entries_of(["digits"])[:1], (0,), (*peers, "deviation"))
    rows, said, _ = measured(plan)
    assert [found["row"] for found in rows] == ["deviation"]
    assert [sentence for sentence in said if "narrows[bench]" in sentence] == said[:1]


def test_a_recipe_that_is_not_known_is_left_out_with_a_sentence(plan, monkeypatch):
    monkeypatch.setitem(WAYS, "pca", lambda: ours("pcb"))
    rows, said, _ = measured(plan)
    assert {found["way"] for found in rows} == {"brightness", "deviation"}
    assert "no recipe called 'pcb'" in said[0]
    with pytest.raises(UnknownName):
        ours("pcb")


def test_a_way_that_fails_is_reported_and_tried_again(plan, monkeypatch):
    def fails(images, seed):
        raise ArithmeticError("no convergence")

    monkeypatch.setitem(WAYS, "pca", lambda: fails)
    rows, said, _ = measured(plan)
    assert "this is left out: ArithmeticError: no convergence" in said
    assert {found["way"] for found in rows} == {"brightness", "deviation"}
    monkeypatch.undo()
    assert len(measured(plan, rows)[0]) == len(rows) + 4


def test_every_kind_of_score_of_a_model_is_a_row():
    images = np.random.default_rng(0).random((60, 8, 8), dtype=np.float32)
    scores = ours("pca", every_kind=True)(images, 0)
    assert next(iter(scores)) == "pca"
    assert {"pca, error", "pca, patch", "pca, code"} <= set(scores)
    assert all(score(images[:9]).shape == (9,) for score in scores.values())


def test_a_statistic_scores_both_directions():
    images = np.linspace(0, 1, 11, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
    score = statistic("mean", lambda images: images.mean((1, 2)))(images, 0)["mean"]
    np.testing.assert_allclose(score(images), np.abs(np.linspace(-0.5, 0.5, 11)), atol=1e-6)


def test_means_are_of_seeds_then_tasks_and_the_worst_is_against_one_row_of_pyod():
    ours_, patch, _, knn = summary(ROWS)
    assert (ours_["a"], ours_["b"], ours_["mean"], ours_["tasks"]) == ("0.850", "0.700", "0.775", 2)
    assert ours_["worst against pyod-knn"] == "-0.050 (b 1)"
    assert knn["worst against pyod-knn"].startswith("+0.000")
    assert (patch["a"], patch["b"], patch["tasks"]) == ("0.600", "", 1)
    assert ours_["images scored a second"] == "60"


def test_the_best_row_of_pyod_is_one_for_all_tasks_and_has_all_tasks():
    assert best_peer({"pyod-a": {"1": 0.9, "2": 0.1}, "pyod-b": {"1": 0.6, "2": 0.6}}) == "pyod-b"
    assert best_peer({"pyod-a": {"1": 1.0}, "pyod-b": {"1": 0.6, "2": 0.6}}) == "pyod-b"
    assert best_peer({"anomaly": {"1": 1.0}}) == ""


def test_rows_of_one_way_are_next_to_one_another_in_the_order_of_the_ways():
    names = [line["row"] for line in summary(ROWS)]
    assert names == ["anomaly", "anomaly, patch", "pyod-pca", "pyod-knn"]
    assert names == by_task(ROWS).columns[1:]


def test_a_page_has_a_line_for_each_row_and_each_task():
    about, lines, tasks = page(ROWS).split("\n\n")
    assert "Seeds 0, 1" in about
    assert len(lines.strip().splitlines()) == 2 + 4
    assert len(tasks.strip().splitlines()) == 2 + len(by_task(ROWS)) == 2 + 2
