import numpy as np
import pytest
from bright_side import bright_side

from rotkeras.device.orienter import Orienter
from rotkeras.export.temperatures import best_temperature, fit_temperatures

RANDOM = np.random.default_rng(0)


def drawn(logits):
    """Classes as often as their probabilities say."""
    powers = np.exp(logits)
    shares = np.cumsum(powers / powers.sum(axis=1, keepdims=True), axis=1)
    return (RANDOM.random((len(logits), 1)) > shares).sum(axis=1)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_a_known_temperature_is_found(factor):
    logits = RANDOM.normal(0, 2, (20_000, 4))
    assert best_temperature(factor * logits, drawn(logits)) == pytest.approx(factor, rel=0.05)


def test_those_of_an_orienter_are_the_likeliest_of_its_own_answers():
    """Against the orienter itself, which is asked image by image."""
    from types import SimpleNamespace

    images = RANDOM.integers(0, 256, (60, 8, 8, 3), np.uint8)
    network = bright_side(weight=0.03)
    prediction = SimpleNamespace(
        angles=(0, 90, 180, 270),
        model=SimpleNamespace(predict=lambda x, **_: network(np.asarray(x))),
    )
    found = fit_temperatures(prediction, images)

    def loss(temperatures, single_look):
        orienter = Orienter.of(network, 8, prediction.angles, "a network", temperatures)
        shares = []
        for turn in range(4):
            turned = list(np.rot90(images, turn, axes=(1, 2)))
            answers = orienter.orient(np.stack(turned), single_look=single_look)
            shares += [each.probabilities[turn] for each in answers]
        return -np.log(np.maximum(shares, 1e-30)).mean()

    def posterior(temperature, single_look):
        count = 60 * 4 if single_look else 60
        surprise = count * loss((temperature, temperature), single_look)
        return surprise + np.log(temperature) ** 2 / (2 * 0.5**2)

    for place, single_look in ((0, False), (1, True)):
        best = found[place]
        assert 0.06 < best < 19
        for other in (0.9 * best, 1.1 * best):
            assert posterior(best, single_look) <= posterior(other, single_look) + 1e-6


@pytest.mark.parametrize("share", [0.7, 0.97])
def test_a_few_images_that_are_all_right_make_no_answer_certain(share):
    shares = np.full((20, 4), (1 - share) / 3)
    shares[:, 0] = share
    assert 0.4 < best_temperature(np.log(shares), np.zeros(20, int)) <= 1
