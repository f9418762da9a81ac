"""`rotkeras doctor`."""

import sys

import click

NEEDED = (
    "tensorflow",
    "keras",
    "keras-cv",
    "tensorflow-datasets",
    "importlib-resources",
    "tf-keras-vis",
    "click",
    "pydantic",
    "pyyaml",
    "rich",
    "jinja2",
    "numpy",
    "threadpoolctl",
    "matplotlib",
    "scikit-learn",
    "pillow",
    "tensorboard",
    "ai-edge-litert",
    "pyarrow",
    "pycocotools",
)


@click.command()
def doctor() -> None:
    """Show versions and devices, and what is missing. Exit code 1 when something is."""
    import os
    import platform
    from importlib import metadata

    from rotkeras import __version__
    from rotkeras.images.resize import has_vector_resize
    from rotkeras.training import devices

    click.echo(
        f"rotkeras {__version__}, Python {platform.python_version()}, {platform.platform()},"
        f" {os.cpu_count()} cores"
    )
    missing = []
    on_jax = devices.backend() == "jax"
    for name in (*NEEDED, *(("jax", "jaxlib") if on_jax else ())):
        try:
            click.echo(f"  {name:<22}{metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
            click.echo(f"  {name:<22}missing")
    if devices.backend() != "tensorflow":
        devices.check_backend()
    if not {"tensorflow", "jax"} & set(missing):
        devices.quiet()
        click.echo(f"Keras backend: {devices.backend()}")
        accelerators = _show_devices(on_jax)
        if not accelerators and on_jax:
            click.echo(
                "No GPU is seen: training runs on the CPU. JAX's installation page names the extra"
                " for an NVIDIA GPU."
            )
        elif not accelerators:
            click.echo(
                "No GPU is seen: training runs on the CPU. For an NVIDIA GPU: pip install"
                " 'rotkeras[gpu]'."
            )
            half = devices.has_bfloat16()
            if half is not None:
                speed = (
                    "trained wide networks faster than float32"
                    if half
                    else "was ten times slower than float32 on such a processor"
                )
                click.echo(
                    f"bfloat16 is {'' if half else 'not '}in the processor:"
                    f" train.precision=mixed_bfloat16 {speed}."
                )
    if not has_vector_resize():
        click.echo(
            "cykooz.resizer is not installed: Pillow resizes crops of photographs, which takes"
            " longer. It has wheels for x86-64, Macs and Windows."
        )
    if missing:
        click.echo(f"Missing: {', '.join(missing)}. Install: pip install {' '.join(missing)}")
        sys.exit(1)
    click.echo("Nothing is missing.")


def _show_devices(on_jax: bool) -> int:
    """Print the devices that the library sees; the number of those that are no CPU."""
    if on_jax:
        import jax

        for each in jax.local_devices():
            click.echo(f"  {each.platform.upper()}: {each.id} {each.device_kind}")
        return sum(each.platform != "cpu" for each in jax.local_devices())
    import tensorflow as tf

    there = tf.config.list_physical_devices()
    for device in there:
        details = tf.config.experimental.get_device_details(device).get("device_name", "")
        click.echo(
            f"  {device.device_type}: {device.name.removeprefix('/physical_device:')}"
            f" {details}".rstrip()
        )
    return sum(device.device_type == "GPU" for device in there)
