from rotkeras.page import Cell, Table


def test_numbers_sort_as_numbers_and_text_as_text():
    table = Table(
        "what",
        ["name", "count", "share", "mixed"],
        [["a", 1200, Cell("9.5 %", 0.095), 3], ["b", None, Cell("10.0 %", 0.1), "x"]],
    )
    assert table.numeric == [False, True, True, False]
    assert [[cell.text for cell in row] for row in table.cells] == [
        ["a", "1,200", "9.5 %", "3"],
        ["b", "", "10.0 %", "x"],
    ]
    assert table.cells[0][1].value == 1200


def test_no_rows_no_numbers():
    assert Table("what", ["a", "b"], []).numeric == [False, False]


def test_truth_is_text():
    assert Table("what", ["a"], [[True]]).cells[0][0] == Cell("True")
