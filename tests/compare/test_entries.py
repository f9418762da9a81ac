import pytest

from rotkeras import UserError
from rotkeras.compare import Settings
from rotkeras.compare.entries import check_same, entries_of, recipe_of_task
from rotkeras.recipe.models import TASKS


def entries(*tasks, **settings):
    return entries_of(Settings(tasks=tasks, **settings))


def test_what_is_each_ones_own_stays_and_the_rest_is_the_same():
    rotation, simclr = entries("rotation", "simclr", data="digits")
    assert (rotation.name, simclr.name) == ("rotation", "simclr")
    assert (rotation.recipe.task.name, simclr.recipe.task.name) == ("rotation", "simclr")
    assert (rotation.recipe.train.learning_rate, simclr.recipe.train.learning_rate) == (0.05, 0.1)
    assert (rotation.recipe.train.images_per_batch, simclr.recipe.train.images_per_batch) == (
        32,
        64,
    )
    for each in (rotation.recipe, simclr.recipe):
        assert (each.data.embedded, each.data.tfds) == ("digits", None)
        assert (each.attention, each.export, each.report) == (None, None, None)
        assert (each.probe.every_epochs, each.probe.probes) == (1, ["ridge", "knn-20"])
    assert rotation.recipe.backbone == simclr.recipe.backbone


def test_all_is_every_task_with_a_built_in_recipe():
    names = [each.name for each in entries("all", data="digits")]
    assert names == [name for name in TASKS if recipe_of_task(name)]
    assert {"rotation", "simclr"} <= set(names)


def test_overrides_of_all_and_of_one(tmp_path):
    mine = tmp_path / "cooler.yaml"
    mine.write_text("task: {name: simclr, temperature: 0.1}\nbackbone: {width: 0.25}\n")
    found = entries(
        "simclr",
        str(mine),
        data="digits",
        overrides=(
            "data.image_size=16",
            "backbone.blocks=3",
            "simclr:train.learning_rate=0.2",
            "cooler:task.crop_scale=[0.2, 1]",
            "probe.train_images=100",
        ),
    )
    assert [each.name for each in found] == ["simclr", "cooler"]
    assert [each.recipe.train.learning_rate for each in found] == [0.2, 0.1]
    assert [each.recipe.task.temperature for each in found] == [0.5, 0.1]
    assert [each.recipe.task.crop_scale[0] for each in found] == [0.08, 0.2]
    assert {each.recipe.data.image_size for each in found} == {16}
    assert {each.recipe.probe.train_images for each in found} == {100}


def test_backbones_of_one_task():
    found = entries(
        "rotation",
        data="digits",
        backbones=("nin", "resnet", "keras_applications:MobileNetV3Small"),
        overrides=("nin:backbone.width=0.5",),
    )
    assert [each.name for each in found] == ["nin", "resnet", "MobileNetV3Small"]
    assert found[0].recipe.backbone.width == 0.5
    assert found[1].recipe.backbone.name == "resnet"
    assert found[2].recipe.backbone.model == "MobileNetV3Small"


@pytest.mark.parametrize(
    ("tasks", "settings", "words"),
    [
        (("rotaton",), {}, "no such recipe file, and no shipped recipe of that name"),
        (("rotation", "rotation"), {}, "have the name 'rotation'. Give recipe files"),
        (("all", "simclr"), {}, "tasks must be all alone"),
        (("rotation",), {"backbone": "nim"}, "no backbone 'nim'; did you mean 'nin'"),
        (("rotation",), {"backbone": "nin:4"}, "must be written nin, got 'nin:4'"),
        (("rotation",), {"backbone": "keras_applications"}, "keras_applications:MODEL"),
        (("rotation",), {"overrides": ("train.epochs=3",)}, "train.epochs follows from --budget"),
        (("rotation",), {"overrides": ("data.folder=x",)}, "the images are those of --data"),
        (("rotation",), {"overrides": ("simclr:train.seed=3",)}, "has the name 'simclr'"),
        (("rotation",), {"overrides": ("train.learning_rat=3",)}, "did you mean 'learning_rate'"),
        (("detect",), {}, "is of a fine-tuning"),
        (
            ("rotation", "simclr"),
            {"overrides": ("simclr:train.precision=mixed_bfloat16",)},
            "train.precision must be the same in all that is compared, but rotation has 'float32'"
            " and simclr has 'mixed_bfloat16'; set it with --set train.precision=",
        ),
        (
            ("rotation", "simclr"),
            {"overrides": ("simclr:backbone.width=0.5",)},
            "backbone.width must be the same",
        ),
        (
            ("rotation", "simclr"),
            {"overrides": ("simclr:quality.images=100",)},
            "quality.images must be the same in all that is compared, but rotation has 512 and"
            " simclr has 100; set it with --set quality.images=…",
        ),
        (
            ("rotation", "simclr"),
            {"overrides": ("simclr:train.synchronized_batch_norm=true",)},
            "train.synchronized_batch_norm must be the same",
        ),
        (
            ("rotation", "simclr"),
            {"overrides": ("rotation:train.quantization_aware=true",)},
            "train.quantization_aware must be the same",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(tasks, settings, words):
    with pytest.raises(UserError) as raised:
        entries(*tasks, data="digits", **settings)
    assert words in str(raised.value)


def test_images_of_the_recipes_must_be_the_same():
    with pytest.raises(UserError, match="data.tfds must be the same.*--data"):
        entries("rotation", "quickstart")


def test_what_a_folder_holds_must_be_the_same_too():
    (there,), (here,) = entries("rotation", data="digits"), entries("simclr", backbone="resnet")
    with pytest.raises(UserError) as raised:
        check_same([there, here], False, earlier=1)
    assert str(raised.value) == (
        "data.tfds must be the same in all that is compared, but rotation, which the folder holds,"
        " has None and simclr has 'cifar10'; give one --data, or give another"
        " --folder."
    )


def test_backbones_are_compared_for_one_task():
    """A folder of rotation's backbones takes no backbone of SimCLR."""
    there = entries("rotation", data="digits", backbones=("nin",))
    here = entries("simclr", data="digits", backbones=("resnet",))
    with pytest.raises(UserError, match="task.name must be the same.*but nin, which the folder"):
        check_same([*there, *here], True, earlier=1)
    check_same([*there, *entries("rotation", data="digits", backbones=("resnet",))], True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"budget": "soon"}, "budget must be an amount"),
        ({"backbone": "nin", "backbones": ("nin", "resnet")}, "give one of the two"),
        ({"tasks": ("rotation", "simclr"), "backbones": ("nin",)}, "compared for one task"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"tasks": ()}, "tasks"),
    ],
)
def test_wrong_settings(settings, words):
    with pytest.raises(UserError, match=words):
        Settings(**{"tasks": ("rotation",), **settings})
