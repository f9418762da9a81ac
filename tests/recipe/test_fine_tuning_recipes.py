"""Recipes of fine-tunings: what they need of the command, and what was published."""

import pytest
from fine_tuning_recipes import FINE_TUNINGS, loaded

from rotkeras import UserError, recipe


@pytest.mark.parametrize(("name", "task"), FINE_TUNINGS.items())
def test_recipes_of_fine_tunings(name, task):
    made = loaded(name)
    assert made.task.name == task
    assert made.encoder == "none"  # the command gives it
    assert made.data.path is None  # and the images
    assert made.train.seed == 0
    header = recipe.shipped()[name].read_text()
    chosen = f"--recipe {name}" if name != task else f"rotkeras finetune {task} runs/"
    assert chosen in header
    with pytest.raises(UserError, match=rf"rotkeras finetune {task} RUN --recipe {name} --data"):
        recipe.load(name)


def test_the_protocols_of_pascal_voc():
    """Krähenbühl et al., ICLR 2016: 80,000 batches of 10, halved every 10,000; 5,011 images, of
    which some choose the epoch here."""
    made = loaded("voc07-classify")
    train = made.train
    steps = (5011 - round(5011 * made.data.validation_fraction)) // train.images_per_batch
    assert train.images_per_batch == 10
    assert train.epochs * steps == pytest.approx(80_000, rel=0.01)
    assert [each * steps for each in train.schedule.at_epochs] == pytest.approx(
        [10_000 * number for number in range(1, 8)], rel=0.01
    )
    # Lin et al., ICCV 2017, section 4: four convolutions of 256 channels.
    task = loaded("voc07-detect").task
    assert (task.channels, task.convolutions, task.anchor_size) == (256, 4, 4.0)
    assert loaded("voc12-segment").task.head == "deeplab_v3_plus"
