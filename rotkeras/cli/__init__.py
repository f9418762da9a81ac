"""The command line. Each command has a file of its own, imported when it is called or asked for
help."""

import errno
import importlib
import itertools
import traceback
import warnings
from typing import Any, NoReturn

import click

from rotkeras import __version__
from rotkeras.cli import signals, streams
from rotkeras.errors import UserError
from rotkeras.files import as_text, full_disk, is_full

COMMANDS = {
    "audit": "Check whether predicting rotations suits your images, before training.",
    "train": "Pre-train a recipe and leave a run folder.",
    "evaluate": "Measure the features of a run with probes, beside an untrained network.",
    "compare": "Compare pretext tasks, or backbones, on the same images and budget.",
    "worth-it": "Compare pre-training with training from scratch on your labelled images.",
    "finetune": "Fine-tune an encoder to a classifier, a detector or a segmenter.",
    "export": "Export the encoder of a run for servers and devices, with proof.",
    "benchmark": "Measure how fast a TFLite file is, or how fast a recipe trains.",
    "orient": "Predict the orientation of images and write upright copies.",
    "embed": "Write the features of images to a file.",
    "neighbours": "Show the nearest images by the features of an encoder.",
    "attend": "Draw attention maps of images.",
    "report": "Make the page of one run, or of several side by side.",
    "reproduce": "Reproduce a table of the paper and compare the numbers.",
    "recipes": "List the built-in recipes, or print one.",
    "schema": "Print the JSON schema of recipes.",
    "doctor": "Show versions, devices and missing packages.",
}


_MAY_BE_EMPTY = ("--author", "--licence")


def _refuse_empty(arguments: list[str], context: click.Context) -> None:
    """Refuse empty options and arguments: most come from a shell variable that is not set."""
    for before, argument in itertools.pairwise(["", *arguments]):
        option, equals, value = argument.partition("=")
        if option.startswith("--") and equals and not value.strip():
            name = option
        elif not argument.strip():
            name = before if before.startswith("-") and "=" not in before else ""
        else:
            continue
        if name not in _MAY_BE_EMPTY:
            what = f"The value after {name} is empty" if name else "An argument is empty"
            raise click.UsageError(
                f"{what}; give a value, or leave it out. Is a shell variable not set?", context
            )


def _in_one_line(message: Any, *_: Any, **__: Any) -> str:
    """A warning without the place in the code that gave it."""
    return f"warning: {message}\n"


class _Group(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"rotkeras.cli.{module}"), module)
        return command

    def resolve_command(self, context: click.Context, arguments: list[str]) -> Any:
        from rotkeras.errors import nearest

        _refuse_empty(arguments, context)
        if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
            raise click.UsageError(
                f"No such command {arguments[0]!r}; {nearest(arguments[0], COMMANDS)}", context
            )
        return super().resolve_command(context, arguments)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, args: Any = None, *more: Any, **settings: Any) -> Any:
        streams.prepare()
        warnings.formatwarning = _in_one_line
        # Arguments that come from the command line, and not from a caller in Python, mean that the
        # process ends with the command.
        with signals.soon(until_exit=args is None):
            return super().main(args, *more, **settings)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except Exception as error:
            if signals.received:  # an interrupt that a library has turned into another error
                self._interrupted(context, error)
            if not isinstance(error, UserError):
                if sentence := _of_the_system(error):
                    click.echo(f"Error: {sentence}", err=True)
                    context.exit(2)
                raise
            command = self.get_command(context, context.invoked_subcommand or "")
            click.echo(f"Error: {with_option(str(error), command)}", err=True)
            context.exit(2)
        except KeyboardInterrupt as error:
            self._interrupted(context, error)

    def _interrupted(self, context: click.Context, error: BaseException) -> NoReturn:
        code = signals.exit_code(error)
        # Generators in the frames of the error close here, and not when Python ends.
        traceback.clear_frames(error.__traceback__)
        signals.tell()
        context.exit(code)


def _of_the_system(error: Exception) -> str:
    """A sentence for what the system refused: a full disk, a path that cannot be opened; "" for
    other errors."""
    if is_full(error):
        name = getattr(error, "filename", None)
        return full_disk(name if isinstance(name, str) else None)
    if isinstance(error, OSError) and error.filename and error.errno in _REFUSALS:
        reason = (error.strerror or str(error)).lower()
        return f"{as_text(str(error.filename))!r} cannot be used: {reason}. Give another path."
    return ""


_REFUSALS = (
    errno.EACCES,
    errno.EIO,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)


_OF_LISTS = {"probes[": "--probe", "only[": "--tap", "taps[": "--tap"}
"""Options that are given several times, by the argument that takes them all."""


def with_option(message: str, command: click.Command | None) -> str:
    """An error about an argument of a function, with the option of the command that sets it:
    "image_size must be …" becomes "--image-size must be …"."""
    name, space, rest = message.partition(" ")
    for each in command.params if command else ():
        if isinstance(each, click.Option) and each.name == name and rest.startswith("must "):
            return f"{max(each.opts, key=len)}{space}{rest}"
    for start, option in _OF_LISTS.items():
        has = any(option in each.opts for each in (command.params if command else ()))
        if has and name.startswith(start):
            return f"{option}{space}{rest}"
    return message


@click.command(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rotkeras")
def main() -> None:
    """Self-supervised pre-training of image encoders, by rotation (RotNet) or SimCLR.

    Start with: rotkeras train quickstart
    """
