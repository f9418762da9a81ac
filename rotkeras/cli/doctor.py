"""`rotkeras doctor`."""

import sys

import click

NEEDED = (
    "tensorflow", "keras", "keras-cv", "tensorflow-datasets", "importlib-resources", "tf-keras-vis", "click", "pydantic", "pyyaml",
    "rich", "jinja2", "numpy", "threadpoolctl", "matplotlib", "scikit-learn", "pillow", "tensorboard", "ai-edge-litert", "pyarrow",
)  # fmt: skip


@click.command()
def doctor() -> None:
    """Show versions and devices, and what is missing. Exit code 1 when something is."""
    import os
    import platform
    from importlib import metadata

    from rotkeras import __version__, devices

    click.echo(f"rotkeras {__version__}, Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores")
    missing = []
    for name in NEEDED:
        try:
            click.echo(f"  {name:<22}{metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
            click.echo(f"  {name:<22}missing")
    if "tensorflow" not in missing:
        devices.quiet()
        import keras
        import tensorflow as tf

        click.echo(f"Keras backend: {keras.backend.backend()}")
        for device in tf.config.list_physical_devices():
            details = tf.config.experimental.get_device_details(device).get("device_name", "")
            click.echo(f"  {device.device_type}: {device.name.removeprefix('/physical_device:')} {details}".rstrip())
        if not tf.config.list_physical_devices("GPU"):
            click.echo("No GPU is seen: training runs on the CPU. For an NVIDIA GPU: pip install 'rotkeras[gpu]'.")
            half = devices.has_bfloat16()
            if half is not None:
                speed = "is faster than float32" if half else "was ten times slower than float32 on such a one"
                click.echo(f"bfloat16 is {'' if half else 'not '}in the processor: train.precision=mixed_bfloat16 {speed}.")
    if missing:
        click.echo(f"Missing: {', '.join(missing)}. Install: pip install {' '.join(missing)}")
        sys.exit(1)
    click.echo("Nothing is missing.")
