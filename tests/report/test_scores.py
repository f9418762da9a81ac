"""Tables and figures from rows by hand."""

import numpy as np
import pytest

from rotkeras.report.classes import MOST_CLASSES, class_table, confusion_table
from rotkeras.report.collect import Evaluation
from rotkeras.report.efficiency import label_efficiency
from rotkeras.report.scores import chosen_rows, taps_by_probe, taps_figure


def row(
    tap="conv1",
    probe="ridge",
    mode="frozen",
    labels="all",
    seed=0,
    validation=0.5,
    test=0.5,
    classes=("a", "b"),
    confusion=None,
):
    def result(accuracy):
        return {
            "accuracy": accuracy,
            "per_class": dict.fromkeys(classes, accuracy),
            "confusion": confusion or np.eye(len(classes), dtype=int).tolist(),
        }

    return {
        "tap": tap, "probe": probe, "mode": mode, "labels_per_class": labels, "draw": "all" if labels == "all" else "seeded", "seed": seed,
        "budget": "closed form", "validation": result(validation), "test": None if test is None else result(test), "classifier": None,
    }  # fmt: skip


def evaluation(*rows):
    return Evaluation(
        "evaluation",
        {
            "rows": list(rows),
            "images": {"source": "things", "train": 10, "validation": 50, "test": 100},
        },
    )


def cells(table):
    return [[cell.text for cell in line] for line in table.cells]


def test_taps_by_probe_marks_what_validation_chooses_and_shows_test():
    table = taps_by_probe(evaluation(
        row("conv1", validation=0.6, test=0.50), row("conv2", validation=0.5, test=0.70),
        row("conv1", mode="random", validation=0.1, test=0.2), row("conv2", mode="random", validation=0.2, test=0.3),
    ))  # fmt: skip
    assert table.columns == ["tap", "ridge\nuntrained", "ridge\ntrained"]
    assert cells(table) == [["conv1", "20.0", "50.0"], ["conv2", "30.0", "70.0"]]
    assert [[cell.best for cell in line[1:]] for line in table.cells] == [
        [False, True],
        [True, False],
    ]  # not the best on test
    assert [cell.shade for cell in table.cells[1][1:]] == pytest.approx([0.2, 1.0])
    assert "100 test images of things" in table.caption


def test_seeds_are_averaged_and_missing_cells_are_empty():
    table = taps_by_probe(
        evaluation(
            row(seed=0, test=0.4), row(seed=1, test=0.6), row("conv2", mode="random", test=0.1)
        )
    )
    assert cells(table) == [["conv1", "", "50.0"], ["conv2", "10.0", ""]]
    assert table.cells[0][2].title.startswith(
        "±127.1"
    )  # Student's t with one degree of freedom: 12.706 · 0.1414 / √2


def test_while_a_row_lacks_test_validation_is_shown():
    table = taps_by_probe(
        evaluation(row(validation=0.6, test=None), row("conv2", validation=0.5, test=0.9))
    )
    assert cells(table) == [["conv1", "60.0"], ["conv2", "50.0"]]
    assert "50 validation images" in table.caption


def test_few_labels_do_not_take_test_from_the_others():
    few = row(labels=5, validation=0.3, test=None)
    assert "test images" in taps_by_probe(evaluation(row(test=0.4), few)).caption


def test_the_chosen_row_is_the_best_frozen_one_on_validation():
    rows = [
        row("conv1", validation=0.6),
        row("conv2", "conv", validation=0.7, test=0.1),
        row("conv3", mode="scratch", validation=0.9),
    ]
    assert chosen_rows(evaluation(*rows)) == [rows[1]]
    assert chosen_rows(evaluation(rows[2])) == [rows[2]]


def test_taps_figure_says_what_validation_chose():
    figure = taps_figure(
        evaluation(row("conv1", validation=0.6, test=0.5), row("conv2", validation=0.5, test=0.7)),
        "x",
    )
    assert (
        "Chosen on validation: ridge on conv1: accuracy 50.0 % on test images."
        in figure.description
    )
    assert figure.svg.count('class="point"') == 2
    assert "ridge, trained, conv2: 70.0 ±" in figure.svg
    assert taps_figure(evaluation(row()), "x") is None


def test_taps_figure_draws_the_rows_of_patches():
    of_patches = {"patches": {"probe": "ridge", "grid": 3, "crop": 0.75, "standardize": False}}
    patches = [
        row(tap, "ridge, 3×3 of 75 %", mode) | of_patches
        for tap in ("conv1", "conv2")
        for mode in ("frozen", "random")
    ]
    alone = taps_figure(evaluation(*patches), "x")
    assert alone.svg.count('class="point"') == 4
    assert "dash-dotted if trained, dotted if untrained" in alone.description
    whole = [row(tap) for tap in ("conv1", "conv2")]
    both = taps_figure(evaluation(*whole, *patches), "x")
    assert both.svg.count('class="point"') == 6
    assert "ridge, 3×3 of 75 %, trained, conv2" in both.svg
    assert "patches" not in taps_figure(evaluation(*whole), "x").description


def test_more_lines_than_colours_are_drawn():
    rows = [
        row(tap, f"{probe}, {grid}×{grid} of 75 %") | {"patches": {"probe": probe}}
        for tap in ("conv1", "conv2")
        for probe in ("ridge", "knn-20", "conv")
        for grid in (1, 2, 3, 4)
    ]
    assert taps_figure(evaluation(*rows), "x").svg.count('class="point"') == 24


def test_classes_beside_the_untrained_twin():
    table = class_table(evaluation(row(test=0.5), row(mode="random", test=0.75)))
    assert cells(table) == [["a", "50.0", "75.0", "−25.0"], ["b", "50.0", "75.0", "−25.0"]]
    assert cells(class_table(evaluation(row(test=0.5)))) == [["a", "50.0"], ["b", "50.0"]]


def test_the_confusion_matrix_is_in_shares_of_its_rows():
    table = confusion_table(evaluation(row(confusion=[[3, 1], [0, 5]])))
    assert cells(table) == [["a", "75", "25"], ["b", "", "100"]]
    assert table.cells[0][2].title == "true a, predicted b: 1"


def test_of_many_classes_the_pairs_confused_most():
    names = tuple(f"class {number}" for number in range(MOST_CLASSES + 1))
    matrix = np.eye(len(names), dtype=int) * 8
    matrix[3, 5], matrix[7, 1] = 2, 8
    table = confusion_table(evaluation(row(classes=names, confusion=matrix.tolist())))
    assert cells(table) == [
        ["class 7", "class 1", "50.0", "8"],
        ["class 3", "class 5", "20.0", "2"],
    ]


def test_label_efficiency_has_a_line_for_each_way():
    rows = [
        row(labels=count, seed=seed, mode=mode, test=0.1 * seed + count / 100)
        for count in (5, 20)
        for seed in (0, 1)
        for mode in ("frozen", "random")
    ]
    figure = label_efficiency(evaluation(*rows, row()), "x")
    assert figure.svg.count('class="point"') == 4
    assert "ridge, trained, 20 labels per class: 25.0 ±63.5 % (2 seeds)" in figure.svg
    assert figure.table.columns == ["method", "5 per class", "20 per class"]
    assert label_efficiency(evaluation(row()), "x") is None


def test_one_number_of_labels_is_a_table():
    table = label_efficiency(evaluation(row(labels=5, test=0.25)), "x")
    assert cells(table)[0][1].startswith("25.0 ±")


def test_the_confusions_of_seeds_are_added():
    rows = [row(seed=0, confusion=[[1, 1], [0, 2]]), row(seed=1, confusion=[[2, 0], [2, 0]])]
    table = confusion_table(evaluation(*rows))
    assert cells(table) == [["a", "75", "25"], ["b", "50", "50"]]
    assert "2 seeds together" in table.caption


def test_an_evaluation_that_was_interrupted_before_test():
    rows = [
        row("conv1", test=0.5),
        row("conv2", test=0.6),
        row("conv1", "linear", validation=0.9, test=None),
    ]
    assert (
        "Chosen on validation: linear on conv1: accuracy 90.0 % on validation images."
        in taps_figure(evaluation(*rows), "x").description
    )


def test_two_budgets_are_two_lines_with_names_of_their_own():
    rows = [row("conv1", "conv") | {"budget": budget} for budget in ("fast", "published")] + [
        row("conv2", "conv") | {"budget": "fast"}
    ]
    figure = taps_figure(evaluation(*rows), "x")
    assert "conv, trained, published, conv1" in figure.svg
    assert "var(--series-1)" in figure.svg
