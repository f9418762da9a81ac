import io

import numpy as np
import pytest
from rich.console import Console

from rotkeras.cli.reproduce_console import ReproduceConsole
from rotkeras.reproduce import cifar10
from rotkeras.reproduce.scale import Scale


@pytest.mark.parametrize("known", [False, True])
def test_an_npz_is_judged_when_it_holds_the_images_of_cifar10(known, tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    np.savez(
        tmp_path / "mine.npz",
        images=images,
        labels=np.arange(40) % 10,
        test_images=images,
        test_labels=np.arange(40) % 10,
    )
    judged, text = [], io.StringIO()
    monkeypatch.setattr("rotkeras.reproduce.reproduce.reproduce", lambda *_, **__: ([], []))
    monkeypatch.setattr(
        ReproduceConsole, "_write", lambda self, *arguments: judged.append(arguments[-1])
    )
    if known:
        sums = [cifar10.digest(cifar10.Images.of(images, np.arange(40) % 10))] * 2
        monkeypatch.setattr(cifar10, "_DIGESTS", tuple(map(cifar10._text, sums)))
    console = ReproduceConsole(Console(file=text, width=200))
    overrides = [f"data.arrays={tmp_path / 'mine.npz'}", "train.deterministic=false"]
    console.run("table3", tmp_path / "out", "cifar10", Scale(), 1, overrides, None)
    assert judged == [known]
    assert (
        "of mine, whose images are not those of CIFAR-10: not compared" in text.getvalue()
    ) is not known
    console.run(
        "table3", tmp_path / "out", "cifar10", Scale(), 1, [*overrides, "backbone.width=0.5"], None
    )
    assert judged == [known, False]
