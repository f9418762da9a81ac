import numpy as np

from rotkeras.backbones import taps
from rotkeras.data import Images
from rotkeras.probes import extract


def test_features_in_the_order_of_the_images_and_the_model_unchanged(small_backbone, monkeypatch):
    monkeypatch.setattr("rotkeras.probes.features._CHUNK", 7)
    array = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    images = Images.of(array).part(np.arange(1, 20, 2))
    before = [np.array(w) for w in small_backbone.get_weights()]
    extractor = taps.extractor(small_backbone)
    features = extract(extractor, images, images_per_batch=3)
    expected = extractor(array[1::2])
    assert list(features) == ["conv1", "conv2", "conv3"]
    for tap, values in features.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[tap], rtol=1e-4, atol=1e-5)
    assert all(
        np.array_equal(a, b) for a, b in zip(before, small_backbone.get_weights(), strict=True)
    )
