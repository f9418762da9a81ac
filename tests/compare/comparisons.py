"""A small comparison on the digits, by the command and inside this process."""

import json

from click.testing import CliRunner

from rotkeras.cli import main
from rotkeras.compare import process, worker

SMALL = (
    "data.image_size=16",
    "data.train_images=200",
    "backbone.width=0.05",
    "backbone.blocks=3",
    "probe.train_images=100",
    "simclr:train.images_per_batch=64",
)


def command(folder, *more, tasks="rotation,simclr", seeds=2, data="digits", small=SMALL):
    """The result of `rotkeras compare` with a budget of a few steps."""
    arguments = ["compare", tasks, "--data", data, "--budget", "1024views", "--seeds", seeds]
    arguments += ["--rounds", 2, "--folder", folder, "-o", folder.parent / "page.html"]
    arguments += [part for each in small for part in ("--set", each)]
    return CliRunner().invoke(main, [str(each) for each in (*arguments, *more)])


def results(folder):
    return json.loads((folder / "results.json").read_text())


def without_processes(monkeypatch, trained):
    """Jobs run in this process; (run, whether the untrained network is evaluated) of each training
    go to `trained`."""

    def work(wanted, recipe, _name, hear):
        monkeypatch.setattr(worker, "prepare", lambda _recipe: None)
        monkeypatch.setattr(worker, "say", lambda **content: hear(content))
        if wanted["job"] == "train":
            trained.append((recipe.name, wanted["untrained"]))
        worker.main({**wanted, "recipe": recipe.model_dump(mode="json")})

    monkeypatch.setattr(process, "_work", work)
