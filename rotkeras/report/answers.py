"""What the trained network answers: the pictures that its task has drawn."""

from typing import Any

from rotkeras.errors import UserError
from rotkeras.page import to_picture
from rotkeras.report.classes import matrix_table
from rotkeras.report.collect import Gathered
from rotkeras.run.pictures import read_pictures


def answers(run: Gathered) -> list[dict[str, Any]]:
    """Pictures and tables of a run, in their order: {"picture": …, "table": …}, one of them None. A
    picture that cannot be read is noted."""
    from PIL import Image

    made: list[dict[str, Any]] = []
    try:
        for each in read_pictures(run.run.pictures):
            picture = table = None
            if each.file is not None:
                with Image.open(each.file) as image:
                    pixels = image.convert("RGB")
                picture = to_picture(pixels, each.caption, each.caption)
            elif each.counts is not None:
                caption = f"{each.caption} Rows are the truth, columns the answer, % of the row."
                table = matrix_table(each.counts, each.class_names, caption)
            made.append({"picture": picture, "table": table})
    except (UserError, OSError, ValueError) as error:
        run.notes.append(f"No pictures of the task's answers: {error}")
        return []
    return made
