"""Whole fine-tunings compared: paired by draws, kept when interrupted, one sentence."""

import json
import math
import statistics

import pytest

from rotkeras.transfer.base import Score
from rotkeras.transfer.worth_it import verdict


class Goal:
    """Of a verdict, what it asks a goal."""

    name = "detect"
    score = Score("map", "mean average precision", "mAP")


def each(gain, margin, significant=True):
    return {"gain": gain, "margin": margin, "significant": significant}


@pytest.mark.parametrize(
    ("compared", "images", "seeds", "sentence"),
    [
        (
            {"50": each(0.05, 0.02), "all": each(0.01, 0.02, significant=False)},
            100,
            3,
            "Pre-training improved mAP by 5.0 ± 2.0 points with 50 training images; no measurable"
            " difference with all training images; pre-training took 1:00:00, once.",
        ),
        (
            {"all": each(-0.05, 0.02)},
            100,
            3,
            "Pre-training reduced mAP by 5.0 ± 2.0 points with all training images; pre-training"
            " took 1:00:00, once.",
        ),
        (
            {"20": each(0.05, 0.02), "all": each(-0.03, 0.01)},
            100,
            3,
            "Pre-training improved mAP by 5.0 ± 2.0 points with 20 training images, and reduced it"
            " by 3.0 ± 1.0 points with all training images; pre-training took 1:00:00, once.",
        ),
        (
            {"all": each(0.01, 0.034, significant=False)},
            100,
            3,
            "Pre-training made no measurable difference with 3 seeds: the 95 % interval of the gain"
            " is up to ±3.4 points; pre-training took 1:00:00, once.",
        ),
        (
            {"all": each(0.3, 0.1)},
            49,
            3,
            "Too few images to compare: mAP is measured on 49 images, and at least 50 are needed.",
        ),
        (
            {"all": each(0.3, 0.1)},
            100,
            1,
            "One seed cannot show a difference, because draws differ. Use --seeds 3; pre-training"
            " took 1:00:00, once.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(compared, images, seeds, sentence):
    assert verdict(Goal(), compared, images, seeds, 3600.0) == sentence


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Digits with a small encoder, five labels per class, two draws; and the pairs that were made
    at a second call."""
    import keras
    import tensorflow as tf
    from sklearn.datasets import load_digits

    import rotkeras
    from rotkeras.transfer.run import prepare
    from rotkeras.transfer.settings import load_recipe
    from rotkeras.transfer.worth_it import compare

    folder = tmp_path_factory.mktemp("worth-it")
    digits = load_digits()
    images = (digits.images * 15.9).astype("uint8").repeat(2, 1).repeat(2, 2)[..., None]
    import numpy as np

    np.savez(folder / "digits.npz", images=images.repeat(3, 3)[:600], labels=digits.target[:600])
    tf.config.run_functions_eagerly(True)  # tracing four models would take longer than all else
    keras.utils.set_random_seed(0)
    network = rotkeras.backbones.nin(blocks=3, width=0.0625, input_shape=(16, 16, 3))
    network.save(folder / "encoder.keras")
    recipe = load_recipe(
        "classify",
        str(folder / "digits.npz"),
        str(folder / "encoder.keras"),
        ["train.epochs=1", "train.schedule.warmup_epochs=0", "augmentation=null"],
    )
    goal, encoder, labelled = prepare(recipe, lambda _line: None)
    made = []

    def run():
        return compare(recipe, goal, encoder, labelled, [5], 2, folder / "w.json", tell=made.append)

    first = run()
    count = len(made)
    second = run()
    tf.config.run_functions_eagerly(False)
    return first, second, count, len(made) - count, json.loads((folder / "w.json").read_text())


def test_gains_are_paired_and_joined_with_the_images(compared):
    result, _, made, _, file = compared
    assert made == 2
    gains = [row["pretrained"] - row["scratch"] for row in file["rows"]]
    found = result["counts"]["5"]
    assert found["gain"] == pytest.approx(sum(gains) / 2)
    # Student's t with one degree of freedom, and the mean of the bootstrap's margins.
    of_seeds = 12.7062047 * statistics.stdev(gains) / math.sqrt(2)
    of_images = sum(row["margin"] for row in file["rows"]) / 2
    assert found["margin"] == pytest.approx(math.hypot(of_seeds, of_images))
    assert found["training_images"] == 50
    assert file["verdict"] == result["verdict"]


def test_pairs_that_are_there_are_not_made_again(compared):
    first, second, _, again, _ = compared
    assert again == 0
    assert second == first
