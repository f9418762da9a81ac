"""What `--set` means: the type of the key decides, and a name replaces a section."""

import pytest

from rotkeras import UserError, recipe


@pytest.mark.parametrize(
    ("override", "section", "expected"),
    [
        ("backbone.name=resnet", "backbone", {"name": "resnet", "depth": 18}),
        ("task.name=simclr", "task", {"name": "simclr", "temperature": 0.5}),
        ("train.optimizer.name=adam", "train.optimizer", {"name": "adam"}),
    ],
)
def test_another_name_leaves_out_the_settings_of_the_old_section(override, section, expected):
    made = recipe.load("cifar10-cpu", [override])
    for key in section.split("."):
        made = getattr(made, key)
    assert expected.items() <= made.model_dump().items()
    same = recipe.load("cifar10-cpu", ["backbone.name=nin"])
    assert same.backbone.width == 0.25
    both = recipe.load("cifar10-cpu", ["backbone.width=0.5", "backbone.name=resnet"])
    assert (both.backbone.name, both.backbone.width) == ("resnet", 0.5)


@pytest.mark.parametrize("value", ["[x", "a: b: c", "'", "100% mine", "!x", "~"])
def test_an_unknown_key_is_reported_whatever_its_value(value):
    with pytest.raises(UserError, match="data.foldr is not a known key; did you mean 'folder'"):
        recipe.load("quickstart", [f"data.foldr={value}"])


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_of_a_recipe_is_refused(name):
    with pytest.raises(UserError, match="name must be a path, got '"):
        recipe.load(name)


VERBATIM = [
    "My #1",
    "100% mine",
    "@home",
    "a: b",
    "[x]",
    "{x}",
    "2024",
    "1e5",
    "!x",
    "- x",
    "a=b",
    "*x",
    "&x",
    "'quoted'",
    '"',
    "true",
    "None",
    "  blanks around  ",
    "Фото 📷 日本",
    "~/photos",
    "line\nbreak",
    "tab\there",
]


@pytest.mark.parametrize("path", VERBATIM)
def test_a_text_key_takes_everything_after_the_equals_sign(path, tmp_path):
    made = recipe.load("quickstart", [f"data.folder={path}", f"data.cache={path}"])
    assert (made.data.folder, made.data.cache) == (path, path)
    assert recipe.load("cifar10", data_dir=path).data.data_dir == path
    (tmp_path / "recipe.yaml").write_text(recipe.dump(made), encoding="utf-8")
    assert recipe.load(str(tmp_path / "recipe.yaml")) == made


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("export.author=", ""),
        ("export.tap=null", None),
        ("export.tap=conv2", "conv2"),
        ("train.devices=null", None),
        ("train.xla=false", False),
        ("train.schedule.name=cosine", "cosine"),
        ("task.angles.1=180", 180),
        ("name=2024", "2024"),
    ],
)
def test_the_type_of_the_key_decides(override, value):
    made = recipe.load("quickstart", ["task.angles=[0, 90]", override])
    for key in override.partition("=")[0].split("."):
        made = made[int(key)] if key.isdigit() else getattr(made, key)
    assert made == value


def test_the_layer_of_an_augmentation_is_text_and_its_arguments_are_not(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "data: {folder: x}\naugmentation: [{name: keras_cv, layer: RandomCutout}]\n"
    )
    made = recipe.load(
        str(tmp_path / "mine.yaml"),
        ["augmentation.0.layer=Grayscale", "augmentation.0.arguments={factor: 0.5}"],
    )
    assert (made.augmentation[0].layer, made.augmentation[0].arguments) == (
        "Grayscale",
        {"factor": 0.5},
    )


def test_one_number_sets_the_size_of_images_and_crop():
    made = recipe.load("folder", ["data.folder=x", "data.image_size=32"])
    assert made.data.image_size == 32
    assert made.augmentation[0].size is None
