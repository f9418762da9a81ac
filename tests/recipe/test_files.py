import json
from pathlib import Path

import pytest
import yaml
from fine_tuning_recipes import FINE_TUNINGS, loaded

from rotkeras import UserError, recipe
from rotkeras.recipe import read
from rotkeras.recipe.files import apply_override, load_kind, validate_kind
from rotkeras.transfer.settings import FineTuning

MISTAKES = [
    ({"trian": {}}, "trian is not a known key; did you mean 'train'?"),
    ({"train": {"epoch": 1}}, "train.epoch is not a known key; did you mean 'epochs'?"),
    ({"train": {"epochs": "5"}}, "train.epochs must be a whole number, got '5'."),
    ({"train": {"epochs": 5.0}}, "train.epochs must be a whole number, got 5.0."),
    ({"train": {"epochs": 0}}, "train.epochs must be at least 1, got 0."),
    ({"train": {"epochs": True}}, "train.epochs must be a whole number, got True."),
    ({"train": {"epochs": 0, "seed": -1}}, "train.epochs must be at least 1, got 0 (1 more mistake)."),
    ({"train": {"seed": 2**32}}, "train.seed must be less than 4294967296, got 4294967296."),
    ({"train": {"learning_rate": float("nan")}}, "train.learning_rate must be a finite number, got nan."),
    ({"train": {"learning_rate": 0}}, "train.learning_rate must be greater than 0, got 0."),
    ({"train": {"xla": "no"}}, "train.xla must be true or false, got 'no'."),
    ({"train": {"schedule": {"name": "stps"}}}, "train.schedule.name must be one of 'constant', 'steps', 'cosine', 'one_cycle', got 'stps'; did you mean 'steps'?"),
    ({"train": {"schedule": {"name": "cosine", "warmup": 1}}}, "train.schedule.warmup is not a key of cosine; did you mean 'warmup_epochs'?"),
    ({"train": {"schedule": "cosine"}}, "train.schedule must be a mapping of keys, got 'cosine'; see `rotkeras schema`."),
    ({"train": {"schedule": {}}}, "train.schedule must be a section with a name, got {}; see `rotkeras schema`."),
    ({"train": 5}, "train must be a mapping of keys, got 5; see `rotkeras schema`."),
    ({"train": {"precision": "fp16"}}, "train.precision must be one of 'float32', 'mixed_bfloat16', 'mixed_float16', got 'fp16'."),
    ({"train": {"optimizer": {"decay": 0}}}, "train.optimizer.decay is not a key of sgd; did you mean 'weight_decay'?"),
    ({"backbone": {"blocks": 6}}, "backbone.blocks must be one of 3, 4, 5, got 6."),
    ({"backbone": {"width": 17}}, "backbone.width must be at most 16, got 17."),
    ({"data": {"embedded": "digit"}}, "data.embedded must be 'digits', got 'digit'; did you mean 'digits'?"),
    ({"data": {"image_size": 0}}, "data.image_size must be at least 8, got 0."),
    ({"data": {"labels": "folder"}}, "data.labels must be one of 'auto', 'folders', 'none', got 'folder'; did you mean 'folders'?"),
    ({"data": {"tfds": "a", "folder": "b"}}, "data must have one of tfds, folder, list, arrays, embedded, got tfds and folder; keep one."),
    ({"data": {"tfds": "a", "test_folder": "b"}}, "data.test_folder needs data.folder; set it, or remove data.test_folder."),
    ({"augmentation": [{"name": "pad_crop_flip", "pading": 3}]}, "augmentation.0.pading is not a key of pad_crop_flip; did you mean 'padding'?"),
    ({"attention": {"every_epoch": 3}}, "attention.every_epoch is not a known key; did you mean 'every_epochs'?"),
    ({"attention": {"taps": []}}, "attention.taps must not be empty, got []."),
    ({"attention": {"taps": ["a", "a"]}}, "attention.taps must be different taps, got ['a', 'a']; name each once."),
    ({"attention": {"powers": [1.0]}}, "attention.powers must have one value for each of 3 taps, got [1.0]."),
    ({"probe": {"probes": ["rigde"]}}, "probe.probes.0 must be ridge, logistic, linear, nonlinear, conv or knn-K with a number K, got 'rigde'; did you mean 'ridge'?"),
    ({"train": {"steps": 5}}, "train.steps is not a known key; did you mean 'steps_per_execution'?"),
    ({"train": {"cosine": 5}}, "train.cosine is not a known key; valid: 'deterministic'"),
    ({"train": {"schedule": {"name": "steps", "at_epochs": [60, 30]}}}, "train.schedule.at_epochs must rise, got [60.0, 30.0]."),
    ({"train": {"schedule": {"name": "steps", "at_epochs": []}}}, "train.schedule.at_epochs must not be empty, got []."),
    ({"train": {"schedule": {"name": "steps"}}}, "train.schedule.at_epochs is missing; see `rotkeras schema`."),
    ({"data": {"arrays": "x.npz", "cache": "x"}}, "data.cache needs data.folder, data.list or data.tfds"),
    ({"data": {"folder": 2024}}, "data.folder must be a string, got 2024; put it in quotes."),
    ({"augmentation": {"name": "random_flip"}}, "augmentation must be a list, got {'name': 'random_flip'}."),
    ({"augmentation": [{"name": "random_resized_crop", "size": 8, "scale": [1]}]}, "augmentation.0.scale must have at least 2 values, got [1]."),
    ({"augmentation": [{"name": "keras_cv", "layer": "x", "arguments": 3}]}, "augmentation.0.arguments must be a mapping, got 3."),
    ({"task": {"angles": [0, 10]}}, "task.angles must be at least two distinct multiples of 45 from 0 to 315, such as [0, 90, 180, 270], got [0, 10]."),
    ({"task": {"name": "aet", "scale": [1.2, 0.8]}}, "task.scale must be the least and the greatest value, got [1.2, 0.8]."),
    ({"task": {"name": "aet", "kind": "affine", "corner_shift": 0.1}}, "task.corner_shift must be None with kind affine, got 0.1; settings of affine: rotation, translation, scale, shear."),
    ({"task": {"name": "essl", "base": "rotation"}}, "task.base must be one of simclr, "),
    ({"train": {"xla": True, "deterministic": True}}, "train.xla must be false with train.deterministic: true, got true"),
    ({"train": {"optimizer": {"momentum": 1.0}}}, "train.optimizer.momentum must be less than 1, got 1.0."),
    ({"name": "a/b"}, "name must consist of letters, digits, '.', '_' and '-', and start with a letter or digit, got 'a/b'."),
]  # fmt: skip


@pytest.mark.parametrize(("content", "words"), MISTAKES, ids=[words[:40] for _, words in MISTAKES])
def test_a_mistake_is_one_line_with_file_path_expected_and_received(content, words):
    with pytest.raises(UserError) as error:
        recipe.validate({"data": {"embedded": "digits"}} | content, "mine.yaml")
    message = str(error.value)
    assert message.startswith(f"mine.yaml: {words}")
    assert "\n" not in message


def test_a_recipe_is_frozen():
    made = recipe.validate({"data": {"embedded": "digits"}}, "test")
    with pytest.raises(Exception, match="frozen"):
        made.train.epochs = 5


def test_a_source_that_is_named_stays_when_another_is_set_to_null():
    made = recipe.load("cifar10-cpu", ["data.folder=photos", "data.tfds=null"])
    assert (made.data.folder, made.data.tfds) == ("photos", None)


def test_adam_of_a_run_of_an_earlier_version_is_read_and_of_a_user_refused():
    adam = {"name": "adam", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}
    with pytest.raises(UserError, match="train.optimizer.momentum is not a key of adam"):
        recipe.validate({"data": {"embedded": "digits"}, "train": {"optimizer": adam}}, "x")
    whole = recipe.validate({"data": {"embedded": "digits"}}, "x").model_dump(mode="json")
    whole["train"]["optimizer"] = {**adam, "weight_decay_as": "decoupled"}
    assert recipe.validate(whole, "x").train.optimizer.weight_decay == 0.1


def test_what_is_dumped_is_the_same_recipe_again():
    for name in recipe.shipped():
        first = loaded(name)
        text = recipe.dump(first, "made by a test")
        assert text.startswith("# made by a test\n")
        assert validate_kind(type(first), read.parse(text, "again"), "again") == first
        assert validate_kind(type(first), yaml.safe_load(text), "another reader") == first


@pytest.mark.parametrize("name", recipe.shipped())
def test_every_shipped_recipe_opens_with_what_a_reader_needs(name):
    path = recipe.shipped()[name]
    text = path.read_text()
    header = text[: text.index("\nname:")]
    made = loaded(name)
    command = f"finetune {made.task.name} " if name in FINE_TUNINGS else "train"
    for word in ("# Paper:", f"# Command:  rotkeras {command}", "# Expected:", "# Time:"):
        assert word in header, f"{name} has no {word}"
    assert made.name == name


def test_another_command_is_named_for_a_recipe_of_pre_training():
    with pytest.raises(UserError, match="pre-trains an encoder. Run it: rotkeras train cifar10"):
        load_kind(FineTuning, "cifar10")


@pytest.mark.parametrize("name", ["imagenet-alexnet", "places205-alexnet"])
def test_rotnet_on_imagenet_as_published(name):
    """Gidaris et al., ICLR 2018, section 4.2, and the published code."""
    made = recipe.load(name)
    settings = made.train
    assert (settings.epochs, settings.images_per_batch, settings.learning_rate) == (50, 192, 0.01)
    assert (settings.schedule.at_epochs, settings.schedule.factor) == ([15, 30, 45], 0.1)
    assert (settings.optimizer.momentum, settings.optimizer.weight_decay) == (0.9, 5e-4)
    assert (made.backbone.name, made.data.image_size, made.data.storage) == (
        "alexnet",
        224,
        "encoded",
    )
    (crop,) = made.augmentation
    assert (crop.name, [*crop.scale], [*crop.ratio]) == (
        "random_resized_crop",
        [0.08, 1.0],
        [3 / 4, 4 / 3],
    )


def test_the_published_recipes_say_what_was_published():
    for name, epochs, at in (
        ("cifar10", 200, [60, 120, 160]),
        ("cifar10-paper", 100, [30, 60, 80]),
    ):
        made = recipe.load(name)
        assert (made.train.epochs, made.train.schedule.at_epochs, made.train.schedule.factor) == (
            epochs,
            at,
            0.2,
        )
        assert (
            made.train.images_per_batch,
            made.train.learning_rate,
            made.train.label_smoothing,
        ) == (128, 0.1, 0)
        optimizer = made.train.optimizer
        assert (optimizer.name, optimizer.momentum, optimizer.nesterov, optimizer.weight_decay) == (
            "sgd",
            0.9,
            True,
            5e-4,
        )
        assert optimizer.weight_decay_as == "l2_in_gradient"
        assert (made.backbone.blocks, made.backbone.width, made.task.angles) == (
            4,
            1.0,
            [0, 90, 180, 270],
        )
        assert [(step.name, step.padding, step.flip) for step in made.augmentation] == [
            ("pad_crop_flip", 4, True)
        ]


def test_a_recipe_is_found_by_path_and_by_bare_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        recipe.find("quickstart")
        == recipe.find("recipes/quickstart.yaml")
        == recipe.find("quickstart.yaml")
    )
    mine = tmp_path / "quickstart.yaml"
    mine.write_text("name: mine\ndata: {embedded: digits}\n")
    assert recipe.load("quickstart.yaml").name == "mine"
    assert recipe.load("quickstart").name == "quickstart"
    with pytest.raises(UserError, match="did you mean 'cifar10'"):
        recipe.find("cifar1O")
    with pytest.raises(UserError, match="no such recipe file"):
        recipe.find("elsewhere/cifar10.yaml")
    with pytest.raises(UserError, match="is a folder"):
        recipe.find(str(tmp_path))


def test_a_data_dir_is_taken_as_it_is():
    path = "some where: else " * 20
    assert recipe.load("cifar10", data_dir=path).data.data_dir == path


def test_the_name_of_a_nameless_recipe_is_that_of_its_file(tmp_path):
    text = "data: {folder: birds}\ntrain: {epochs: 2}\n"
    (tmp_path / "my birds (2).yaml").write_text(text)
    assert recipe.load(str(tmp_path / "my birds (2).yaml")).name == "my-birds-2"
    (tmp_path / "birds.yaml").write_text(text)
    assert recipe.load(str(tmp_path / "birds.yaml")).name == "birds"


def test_overrides():
    made = recipe.load(
        "quickstart",
        [
            "train.epochs=5",
            "task.angles=[0, 180]",
            "train.learning_rate=1e-3",
            "augmentation.0.padding=2",
        ],
    )
    assert (made.train.epochs, made.task.angles, made.train.learning_rate) == (5, [0, 180], 0.001)
    assert made.augmentation[0].padding == 2


def test_naming_a_source_replaces_the_recipes_own():
    assert recipe.load("quickstart", ["data.folder=photos"]).data.kind == "folder"
    assert recipe.load("cifar10", ["data.embedded=digits"]).data.tfds is None


def test_a_whole_section_can_be_replaced():
    assert (
        recipe.load(
            "quickstart", ["train.schedule={name: cosine, warmup_epochs: 1}"]
        ).train.schedule.warmup_epochs
        == 1
    )


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epochs", "--set must be KEY.PATH=VALUE, such as train.epochs=5, got "),
        ("=5", "--set must be KEY.PATH=VALUE, such as train.epochs=5, got "),
        (
            "train..epochs=5",
            "--set must be KEY.PATH=VALUE, such as train.epochs=5, got ",
        ),
        ("train.epochs.more=5", "train.epochs is a value, not a section"),
        (
            "augmentation.7.padding=1",
            "--set augmentation.7.padding=1 must name an element of the list, 0 to 0, got '7'.",
        ),
        (
            "train.epochs=[1",
            "--set train.epochs:1: not valid YAML (expected ',' or ']', but got '<stream end>');",
        ),
        ("augmentation.0.padding.x=1", "augmentation.0.padding is a value, not a section"),
        ("train.epoch=5", "--set train.epoch is not a known key; did you mean 'epochs'?"),
        ("backbone={blocks: 9}", "--set backbone.blocks must be one of 3, 4, 5, got 9."),
    ],
)
def test_wrong_overrides(override, words):
    with pytest.raises(UserError) as error:
        recipe.load("quickstart", [override])
    assert words in str(error.value)


def test_a_mistake_in_the_file_is_not_blamed_on_set(tmp_path):
    (tmp_path / "mine.yaml").write_text("train: {epoch: 5}\n")
    with pytest.raises(UserError, match=r"mine.yaml: train.epoch is not a known key"):
        recipe.load(str(tmp_path / "mine.yaml"), ["backbone.blocks=3"])


def test_overrides_change_nothing_else():
    content = {"train": {"epochs": 1}, "data": {"tfds": "x", "image_size": 32}}
    apply_override(content, "data.folder=y")
    assert content == {"train": {"epochs": 1}, "data": {"image_size": 32, "folder": "y"}}


def test_the_schema_is_json_and_describes_every_key():
    from rotkeras.recipe import Recipe

    schema = json.loads(json.dumps(Recipe.model_json_schema()))
    assert set(schema["properties"]) == {
        "name",
        "task",
        "data",
        "augmentation",
        "backbone",
        "train",
        "probe",
        "quality",
        "encoder",
        "attention",
        "export",
        "report",
    }
    assert schema["$defs"]["Train"]["properties"]["precision"]["enum"] == [
        "float32",
        "mixed_bfloat16",
        "mixed_float16",
    ]
    assert schema["additionalProperties"] is False


def test_recipes_ship_inside_a_wheel():
    import configparser

    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    assert "rotkeras.recipes = recipes" in setup["options"]["package_dir"]
    assert setup["options.package_data"]["rotkeras.recipes"] == "*.yaml"
    assert "rotkeras.saved_models = saved_models" in setup["options"]["package_dir"]
    assert setup["options.package_data"]["rotkeras"] == "py.typed"
    root = Path(__file__).parents[2]
    packages = {
        ".".join(path.parent.relative_to(root).parts)
        for path in (root / "rotkeras").rglob("__init__.py")
    }
    listed = set(setup["options"]["packages"].split())
    assert packages | {"rotkeras", "rotkeras.recipes", "rotkeras.saved_models"} == listed


@pytest.mark.parametrize("where", ["host", "device"])
def test_recipes_of_runs_of_before_there_was_a_placement_are_read(where):
    content = {"task": {"rotate": where}, "train": {"epochs": 3}, "data": {"embedded": "digits"}}
    made = recipe.validate(content, "old.yaml")
    assert (made.train.placement, made.train.epochs) == (where, 3)
    assert "rotate" not in recipe.dump(made)


EMPTY = "must not be empty"
NO_IMAGES = "data names no images; set one of data.folder, data.list, data.tfds"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.folder=", f"--set data.folder {EMPTY}"),
        ("data.folder=  ", f"--set data.folder {EMPTY}"),
        ("data.folder=null", NO_IMAGES),
        ("data.folder=~", "--set data.folder=~ is ambiguous; write null for none, $HOME for"),
        ("data.arrays=", f"--set data.arrays {EMPTY}"),
        ("data.tfds=", f"--set data.tfds {EMPTY}"),
        ("data.embedded=", "--set data.embedded must be "),
        ("data.cache=", f"--set data.cache {EMPTY}"),
        ("data.data_dir=", f"--set data.data_dir {EMPTY}"),
        ("encoder.tap=", f"--set encoder.tap {EMPTY}"),
        ("export.tap=", f"--set export.tap {EMPTY}"),
        ("attention.taps=['']", f"--set attention.taps.0 {EMPTY}"),
        ("name=", "--set name must consist of letters"),
        ("train.epochs=", "--set train.epochs is empty; write a value after the =."),
        ("train.devices=", "--set train.devices is empty; write null or another value"),
        ("train.devices=~", "--set train.devices has no value, got '~'; write null for none."),
        ("train.precision=", "--set train.precision must be one of "),
        ("train.schedule.name=", "--set train.schedule.name must be one of "),
        ("probe.probes=", "--set probe.probes is empty"),
        ("train=", "--set train is empty"),
        ("data=", "--set data is empty"),
        ("attention=", "--set attention is empty; write null or another value"),
    ],
)
def test_an_empty_value_is_refused_and_trains_on_nothing_else(override, words):
    with pytest.raises(UserError) as error:
        recipe.load("quickstart", [override])
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no recipe: it is empty or has comments only"),
        ("# name: mine\n\n# data:\n", "holds no recipe: it is empty or has comments only"),
        ("---\n", "holds no recipe"),
        ("train: {epochs: 2}\n", NO_IMAGES),
        ("data: {image_size: 16}\n", NO_IMAGES),
        ("data: {folder: null}\n", NO_IMAGES),
        ("data: {folder: ~}\n", NO_IMAGES),
        ("data: null\n", "data must be a mapping of keys"),
        ("data:\n", "mine.yaml:1: data has no value; give one, write null where the key allows it"),
        ("data: {folder: x}\ntrain:\n", "mine.yaml:2: train has no value"),
        ("data:\n  folder:\n", "mine.yaml:2: data.folder has no value"),
        ("data: {folder: x}\nattention:\n", "mine.yaml:2: attention has no value"),
        ("data: {folder: ''}\n", f"data.folder {EMPTY}"),
    ],
)
def test_an_empty_recipe_section_or_value_in_a_file_is_refused(tmp_path, text, words):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        recipe.load(str(tmp_path / "mine.yaml"))
    assert words in str(error.value)


def test_four_sources_without_a_value_are_not_the_digits():
    none = dict.fromkeys(("tfds", "folder", "arrays", "embedded"))
    with pytest.raises(UserError, match="names no images"):
        recipe.validate({"data": none}, "mine.yaml")
