"""Each measure against loops of its equation in other words, on digits, spectra and ugly inputs."""

import numpy as np
import pytest
import scipy.linalg
from scipy.spatial.distance import pdist
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from rotkeras import UserError
from rotkeras.quality import (
    MEASURES,
    alignment,
    alpha_req,
    lidar,
    measure_quality,
    rankme,
    uniformity,
)

DIGITS = load_digits().data.astype(np.float32)[:300]


@pytest.fixture(scope="module")
def views():
    """Four noisy views of each of 80 digits, float32 (80, 4, 64)."""
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=2.0, size=(80, 4, 64)) * np.linspace(0.5, 2, 64)
    return (DIGITS[:80, None] + noise).astype(np.float32)


def entropy_rank(values):
    shares = [value / sum(values) + 1e-7 for value in values]
    return np.exp(-sum(share * np.log(share) for share in shares))


def test_rankme_is_the_equation_on_the_eigenvalues_of_the_gram_matrix():
    gram = DIGITS.astype(np.float64).T @ DIGITS.astype(np.float64)
    singular = np.sqrt(np.maximum(scipy.linalg.eigvalsh(gram), 0))
    assert rankme(DIGITS) == pytest.approx(entropy_rank(singular), rel=1e-5)


@pytest.mark.parametrize("rank", [1, 3, 16])
def test_rankme_of_equal_singular_values_is_their_number(rank):
    rng = np.random.default_rng(rank)
    left = np.linalg.qr(rng.normal(size=(200, rank)))[0]
    right = np.linalg.qr(rng.normal(size=(16, rank)))[0]
    assert rankme(5 * left @ right.T) == pytest.approx(rank, rel=1e-4)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("count", [1000, 40])
def test_alpha_is_the_exponent_of_a_known_spectrum(exponent, count):
    """Of exactly this covariance: orthogonal columns without a mean; and of fewer rows than
    dimensions."""
    rng = np.random.default_rng(0)
    width = min(64, count - 1)
    random = rng.normal(size=(count, width))
    left = np.linalg.qr(random - random.mean(axis=0))[0]
    axes = np.linalg.qr(rng.normal(size=(64, width)))[0]
    spread = np.arange(1, width + 1) ** (-exponent / 2)
    embeddings = 100 + 7 * (left * spread) @ axes.T
    assert alpha_req(embeddings) == pytest.approx(exponent, abs=1e-6)


def test_alpha_is_the_weighted_line_that_numpy_fits():
    eigenvalues = np.linalg.eigvalsh(np.cov(DIGITS.astype(np.float64).T))[::-1]
    for first, last in ((3, 50), (1, 10), (11, 30)):
        ranks = np.arange(first, last + 1)
        line = np.polyfit(np.log(ranks), np.log(eigenvalues[ranks - 1]), 1, w=ranks**-0.5)
        assert alpha_req(DIGITS, first, last) == pytest.approx(-line[0], rel=1e-6)


def lidar_by_loops(views, delta=1e-4):
    views = views.astype(np.float64)
    images, count, width = views.shape
    means = [sum(each) / count for each in views]
    middle = sum(means) / images
    between, within = np.zeros((width, width)), np.zeros((width, width))
    for image in range(images):
        between += np.outer(means[image] - middle, means[image] - middle) / (images - 1)
        for view in views[image]:
            within += np.outer(view - means[image], view - means[image]) / (images * (count - 1))
    root = scipy.linalg.fractional_matrix_power(within + delta * np.eye(width), -0.5)
    return entropy_rank(np.maximum(scipy.linalg.eigvalsh(root @ between @ root), 0))


def test_lidar_is_the_equation_by_loops(views):
    assert lidar(views) == pytest.approx(lidar_by_loops(views), rel=1e-6)
    assert lidar(views, 5.0) == pytest.approx(lidar_by_loops(views, 5.0), rel=1e-6)
    few = views[:20]  # fewer images than dimensions
    assert lidar(few) == pytest.approx(lidar_by_loops(few), rel=1e-6)
    assert 1 < lidar(few) < 19 + 1e-3


def test_lidar_is_the_rank_of_scikit_learns_discriminants(views):
    images, count, width = views.shape
    labels = np.repeat(np.arange(images), count)
    model = LinearDiscriminantAnalysis(solver="eigen").fit(
        views.reshape(-1, width).astype(np.float64), labels
    )
    # Its shares of variance are the eigenvalues of the same matrix, without δ.
    assert lidar(views, 1e-12) == pytest.approx(entropy_rank(model.explained_variance_ratio_), 1e-4)


def test_lidar_counts_the_directions_in_which_images_differ():
    """Five directions of images, ten of noise that are stronger: RankMe counts both."""
    rng = np.random.default_rng(0)
    signal = np.zeros((400, 1, 40))
    signal[:, 0, :5] = rng.normal(size=(400, 5))
    noise = np.zeros((400, 8, 40))
    noise[..., 5:15] = 3 * rng.normal(size=(400, 8, 10))
    noise[..., :5] = 0.1 * rng.normal(size=(400, 8, 5))
    embeddings = signal + noise
    assert lidar(embeddings) == pytest.approx(5, abs=0.2)
    assert rankme(embeddings[:, 0]) > 10


def test_uniformity_and_alignment_are_their_equations(views):
    unit = DIGITS.astype(np.float64)
    unit /= np.sqrt((unit**2).sum(axis=1, keepdims=True))
    for t in (2.0, 0.5):
        expected = np.log(np.mean(np.exp(-t * pdist(unit, "sqeuclidean"))))
        assert uniformity(DIGITS, t) == pytest.approx(expected, rel=1e-9)
    for alpha in (2.0, 1.0):
        lengths = [
            np.linalg.norm(one / np.linalg.norm(one) - other / np.linalg.norm(other)) ** alpha
            for each in views.astype(np.float64)
            for number, one in enumerate(each)
            for other in each[number + 1 :]
        ]
        assert alignment(views, alpha) == pytest.approx(np.mean(lengths), rel=1e-9)


def test_uniformity_of_more_rows_than_lie_in_memory_together():
    many = np.random.default_rng(0).normal(size=(1300, 3))
    unit = many / np.linalg.norm(many, axis=1, keepdims=True)
    expected = np.log(np.mean(np.exp(-2 * pdist(unit, "sqeuclidean"))))
    assert uniformity(many) == pytest.approx(expected, rel=1e-9)
    opposite = np.array([[1.0, 0.0], [-3.0, 0.0]])
    assert uniformity(opposite) == pytest.approx(-8)


def test_length_changes_only_what_depends_on_it(views):
    assert rankme(1000 * DIGITS) == pytest.approx(rankme(DIGITS), rel=1e-6)
    assert alpha_req(1000 * DIGITS) == pytest.approx(alpha_req(DIGITS), rel=1e-6)
    assert uniformity(1000 * DIGITS) == pytest.approx(uniformity(DIGITS), rel=1e-6)
    assert alignment(1000 * views) == pytest.approx(alignment(views), rel=1e-5)
    assert lidar(1000 * views, 100.0) == pytest.approx(lidar(views), rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -3.0])
def test_equal_embeddings(value):
    same = np.full((50, 8), value, np.float32)
    found = measure_quality(same, np.broadcast_to(same[:, None], (50, 3, 8)))
    assert tuple(found) == MEASURES
    assert found["rankme"] == pytest.approx(1.0 if value else 0.0, abs=1e-4)
    assert found["alpha_req"] is None
    assert found["lidar"] == 0.0
    assert found["uniformity"] == pytest.approx(0.0, abs=1e-12)
    assert found["alignment"] == pytest.approx(0.0, abs=1e-12)


def test_duplicates_add_nothing(views):
    twice = np.repeat(DIGITS, 2, axis=0)
    assert rankme(twice) == pytest.approx(rankme(DIGITS), rel=1e-6)
    assert alpha_req(twice) == pytest.approx(alpha_req(DIGITS), rel=1e-6)
    assert uniformity(twice) > uniformity(DIGITS)  # a pair of duplicates is a pair without distance
    assert alignment(np.repeat(views, 2, axis=0)) == pytest.approx(alignment(views), rel=1e-9)
    assert lidar(np.repeat(views, 2, axis=0)) == pytest.approx(lidar(views), rel=1e-3)


def test_views_without_a_difference_leave_delta():
    """δ alone is within the images: what is left is the spectrum of the images' covariance."""
    equal = np.broadcast_to(DIGITS[:, None], (300, 2, 64))
    spectrum = np.linalg.eigvalsh(np.cov(DIGITS.astype(np.float64).T))
    assert lidar(equal) == pytest.approx(entropy_rank(np.maximum(spectrum, 0)), rel=1e-4)


def test_one_image():
    one = DIGITS[:1]
    assert rankme(one) == pytest.approx(1.0, abs=1e-4)
    assert alignment(np.stack([one, 2 * one], axis=1)) == pytest.approx(0.0, abs=1e-12)
    for measure in (alpha_req, uniformity):
        with pytest.raises(UserError, match="embeddings must have at least 2 rows, got a float32"):
            measure(one)
    with pytest.raises(UserError, match="embeddings must have at least 2 images, got"):
        lidar(one[:, None].repeat(2, axis=1))


def test_too_few_views_none_at_all_and_numbers_that_are_not_finite(views):
    for measure in (lidar, alignment):
        with pytest.raises(UserError, match="embeddings must have at least 2 views, got"):
            measure(views[:, :1])
        broken = views.copy()
        broken[0, 1, 2], broken[3, 0, 0] = np.nan, np.inf
        with pytest.raises(UserError, match="must be finite, got 2 of 20,480 numbers"):
            measure(broken)
    for measure in (rankme, alpha_req, uniformity):
        with pytest.raises(UserError, match="embeddings must have at least"):
            measure(DIGITS[:0])
        with pytest.raises(UserError, match="embeddings must have at least one dimension"):
            measure(DIGITS[:, :0])
        with pytest.raises(UserError, match="must be finite, got 64 of"):
            measure(np.where(np.arange(300)[:, None] == 7, np.nan, DIGITS))
    with pytest.raises(UserError, match="last_rank must be above first_rank, 5, got 5"):
        alpha_req(DIGITS, 5, 5)


def test_an_exponent_of_too_few_eigenvalues_is_nan():
    rng = np.random.default_rng(0)
    assert np.isnan(alpha_req(rng.normal(size=(100, 3))))
    assert np.isfinite(alpha_req(rng.normal(size=(100, 4))))
    assert np.isnan(alpha_req(rng.normal(size=(4, 50))))  # three eigenvalues of four rows
    line = rng.normal(size=(100, 1)) * np.ones(10)
    assert np.isnan(alpha_req(line))
