import json

import numpy as np
import pytest
from click.testing import CliRunner

from rotkeras.cli import main


@pytest.mark.parametrize("same", [True, False], ids=["equal images", "digits"])
def test_a_collapsed_run_never_ends_as_a_success(same, tmp_path, digit_source):
    images = digit_source.train.take(slice(0, 64))
    if same:
        images = np.broadcast_to(images[:1], images.shape)
    np.savez(tmp_path / "images.npz", images=images)
    (tmp_path / "recipe.yaml").write_text(
        json.dumps(
            {
                "task": {"name": "simclr", "hidden_units": 16, "projection_units": 8},
                "data": {"arrays": str(tmp_path / "images.npz"), "validation_fraction": 0.25},
                "backbone": {"blocks": 3, "width": 1 / 24},
                "train": {"epochs": 1, "images_per_batch": 16, "learning_rate": 0.01},
                "attention": None,
                "report": None,
            }
        )
    )
    command = ["train", str(tmp_path / "recipe.yaml"), "--run-dir", str(tmp_path / "run")]
    result = CliRunner().invoke(main, command)
    words = " ".join(result.output.split())
    assert result.exit_code == (1 if same else 0), result.output
    assert ("The embeddings have collapsed" in words) == same
    assert "embeddings: spread" in words
    row = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert (row["spread/std"] < 0.01) == same
