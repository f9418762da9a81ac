import pytest

from rotkeras import UserError
from rotkeras.compare.budget import Budget, Rounds, divide, parse, steps_of


@pytest.mark.parametrize(
    ("text", "budget", "words"),
    [
        ("10min", Budget(10.0, "minutes"), "10 minutes"),
        ("1 min", Budget(1.0, "minutes"), "1 minute"),
        ("2h", Budget(120.0, "minutes"), "120 minutes"),
        ("90s", Budget(1.5, "minutes"), "1.5 minutes"),
        ("30s", Budget(0.5, "minutes"), "30 seconds"),
        ("2e6views", Budget(2e6, "views"), "2,000,000 views"),
        ("5epochs", Budget(5.0, "epochs"), "5 epochs"),
        ("0.5epochs", Budget(0.5, "epochs"), "0.5 epochs"),
    ],
)
def test_texts(text, budget, words):
    assert parse(text) == budget
    assert str(parse(text)) == words


@pytest.mark.parametrize(
    "text", ["10", "min", "0min", "-3min", "1e400views", "nanmin", "10 days", "", "1.2.3h"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(UserError, match="budget must be an amount above 0 with its unit"):
        parse(text)


def test_steps_by_hand():
    """128 images with four views are 512 views a step; 45,000 images make 351 batches."""
    settings = {"images_per_batch": 128, "views_per_image": 4}
    assert steps_of(Budget(51_200, "views"), **settings) == 100
    assert steps_of(Budget(2, "epochs"), **settings, images=45_000) == 702
    assert steps_of(Budget(10, "minutes"), **settings, steps_per_second=1.5) == 900


@pytest.mark.parametrize(
    ("steps", "rounds", "execution", "divided"),
    [
        (100, 5, 1, Rounds(5, 20)),
        (102, 5, 1, Rounds(3, 34)),  # five rounds of 20 and four of 26 miss it by two
        (104, 5, 1, Rounds(5, 21)),  # 105 is nearer than 100
        (3, 5, 1, Rounds(3, 1)),
        (7, 5, 1, Rounds(1, 7)),  # 4 rounds of 2 are 14 % more
        (8, 5, 1, Rounds(4, 2)),
        (49, 5, 1, Rounds(1, 49)),  # 50 are 2.04 % more
        (51, 5, 1, Rounds(5, 10)),
        (100, 5, 8, Rounds(4, 24)),  # 12 executions
        (0.4, 5, 1, Rounds(0, 0)),
        (3, 5, 8, Rounds(0, 0)),
    ],
)
def test_rounds_by_hand(steps, rounds, execution, divided):
    assert divide(steps, rounds, execution) == divided


@pytest.mark.parametrize("execution", [1, 8, 50])
def test_every_budget_is_kept(execution):
    for steps in range(execution, 400 * execution, 37):
        for rounds in (1, 2, 5, 20):
            made = divide(steps, rounds, execution)
            executions = round(steps / execution)
            assert 1 <= made.count <= rounds
            assert made.steps % execution == 0
            missed = abs(made.count * made.steps / execution - executions)
            assert missed <= min(1, 0.02 * executions)


def test_the_usual_five_rounds_become_at_least_three():
    assert {divide(steps, 5).count for steps in range(100, 1000)} == {3, 4, 5}
