import subprocess
import sys

from rotkeras import device

USE = """
import sys
import numpy as np
import rotkeras
folder, head = sys.argv[1:]
images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
learner = rotkeras.device.Learner(folder + "/learner.tflite")
learner.learn(images, ["a", "b", "a", "b"])
learner.save_head(head)
learner.load_head(head)
learner.classify(images)
rotkeras.device.Encoder(folder + "/encoder-int8.tflite").embed(images)
rotkeras.device.Orienter(folder + "/orient.tflite")
rotkeras.device.measure_latency
import rotkeras.device.latency
print(sorted(sys.modules))
"""


def test_using_it_imports_neither_tensorflow_nor_what_a_device_lacks(exported, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", USE, str(exported), str(tmp_path / "head.npz")],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.split(".")[0] for name in eval(done.stdout.splitlines()[-1])}
    assert {"numpy", "PIL", "ai_edge_litert", "rotkeras"} <= loaded
    assert not loaded & {
        "tensorflow",
        "keras",
        "sklearn",
        "click",
        "rich",
        "pydantic",
        "yaml",
        "scipy",
        "matplotlib",
        "jax",
    }


def test_every_public_name_is_there_and_documented():
    for name in device.__all__:
        assert getattr(device, name).__doc__
