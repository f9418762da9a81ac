"""The figure of the shortcut test: what each predictor tells, beside its control and chance."""

from collections.abc import Sequence

import numpy as np

from rotkeras.audit.findings import percent
from rotkeras.audit.shortcuts import ShortcutResult
from rotkeras.audit.verdicts import is_shortcut
from rotkeras.page import Figure, Table, new_axes, to_figure
from rotkeras.page.figures import INK, SERIES


def shortcut_figure(
    shortcuts: Sequence[ShortcutResult], network: float | None, name: str = "shortcuts"
) -> Figure:
    """Bars with 95 % intervals for each predictor and its control, with chance and the small
    network as lines.

    Args:
        shortcuts: of one question, at least one.
        network: rotation accuracy of the small network, 0 … 1, or None.
        name: of the figure on its page.
    """
    chance = 100 * shortcuts[0].chance
    measure = measure_of(shortcuts[0])
    figure, axes = new_axes(height=3.1)
    place = np.arange(len(shortcuts))
    words: dict[str, list[str]] = {}
    for number, each in enumerate(shortcuts):
        (bar,) = axes.barh(
            number - 0.19,
            100 * each.accuracy,
            0.36,
            color=SERIES[0],
            xerr=100 * each.margin,
            ecolor=INK,
        )
        bar.set_gid(f"shortcut{number}")
        words[f"shortcut{number}"] = [
            f"{each.name}: {percent(each.accuracy)} ± {100 * each.margin:.1f}"
        ]
        if each.control is not None:
            (bar,) = axes.barh(number + 0.19, 100 * each.control, 0.36, color=SERIES[1])
            bar.set_gid(f"control{number}")
            words[f"control{number}"] = [
                f"control of {each.name}, {each.control_sees}: {percent(each.control)}"
            ]
    axes.axvline(chance, color=INK, linewidth=1, linestyle=":")
    side = "right" if chance >= 10 else "left"
    axes.text(chance, -0.62, "chance", ha=side, va="bottom", fontsize=8, color=INK)
    if network is not None:
        axes.axvline(100 * network, color=INK, linewidth=1, linestyle="--")
        axes.text(100 * network, -0.62, "network", ha="left", va="bottom", fontsize=8, color=INK)
    axes.set_yticks(place, [each.name for each in shortcuts])
    axes.set_ylim(len(shortcuts) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"{measure}, %")
    axes.grid(visible=False)
    found = [each.name for each in shortcuts if is_shortcut(each)]
    what = f"beyond their limits: {', '.join(found)}." if found else "None is beyond its limit."
    return to_figure(
        figure,
        name,
        f"{measure[0].upper()}{measure[1:]} of predictors that see a shortcut alone",
        "Upper bar: the predictor, with its 95 % interval. Lower bar: its control, which sees a"
        " part of the image that has no shortcut. " + what,
        words,
        shortcut_table(shortcuts),
    )


def measure_of(result: ShortcutResult) -> str:
    """What the accuracy of a result is, in words."""
    if result.kind == "rotation":
        return "rotation accuracy"
    if result.kind == "parameters":
        return f"explained variance of the {result.asks}"
    return f"accuracy for the {result.asks}"


def shortcut_table(shortcuts: Sequence[ShortcutResult]) -> Table:
    """What each predictor sees and tells."""
    rows = [
        [
            each.name,
            each.sees,
            f"{percent(each.accuracy)} ± {100 * each.margin:.1f}",
            "" if each.control is None else f"{percent(each.control)} ({each.control_sees})",
            (
                ""
                if each.excess is None or each.excess_margin is None
                else f"{100 * each.excess:+.1f} ± {100 * each.excess_margin:.1f}"
            ),
            "shortcut" if is_shortcut(each) else "",
        ]
        for each in shortcuts
    ]
    columns = ["predictor", "input", "accuracy", "control", "difference", ""]
    measure = measure_of(shortcuts[0])
    return Table(
        f"{measure[0].upper()}{measure[1:]} on held-out images, with 95 % intervals over images",
        columns,
        rows,
        sortable=False,
    )
