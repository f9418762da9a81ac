"""Scripts in a process of their own: on another backend, or on two replicas on one processor."""

import json
import os
import subprocess
import sys
from pathlib import Path

from small_training import QUICK_COMPILING

BEGIN = """
import json, sys, keras, numpy as np
from contextlib import nullcontext
sys.path.append(sys.argv[1])
on_tensorflow, strategy = keras.backend.backend() == "tensorflow", None
if sys.argv[2] == "two":
    import tensorflow as tf
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def scope():
    return strategy.scope() if strategy else nullcontext()

"""
"""What a script has: `scope()`, to build models in; `on_tensorflow`; and what it was given, from
sys.argv[3] on."""


def run(script, backend, devices, *arguments):
    """What a script prints last, as JSON.

    Args:
        script: Python that comes behind BEGIN.
        backend: tensorflow or jax.
        devices: one, or two (replicas of a `MirroredStrategy`).
        arguments: text for the script.
    """
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, str(Path(__file__).parent), devices, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": QUICK_COMPILING},
    )
    return json.loads(done.stdout.splitlines()[-1])
