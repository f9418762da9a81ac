import json
import os
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from small_training import SMALL

from rotkeras import backbones, recipe
from rotkeras.backbones import nin
from rotkeras.benchmark import count_flops, peer
from rotkeras.benchmark.peers.peer_torch import networks
from rotkeras.benchmark.results import PeerSetting, Spread
from rotkeras.errors import UserError
from rotkeras.pretext import Rotation, SimCLR

PYTHON = os.environ.get(peer.VARIABLE)


def made(**changes):
    return recipe.validate({**SMALL, **changes}, "test")


def applications(model, **more):
    return {"name": "keras_applications", "model": model, **more}


@pytest.mark.parametrize(
    ("blocks", "width", "angles"), [(3, 1 / 24, 2), (4, 0.25, 4), (4, 0.3, 4), (5, 1.0, 4)]
)
def test_its_parameters_are_counted_as_ours(blocks, width, angles):
    ours = Rotation([0, 90, 180, 270][:angles]).build_model(nin(blocks=blocks, width=width))
    assert networks.count_parameters(blocks, width, [angles]) == count_flops(ours).parameters
    ours = SimCLR(hidden_units=24, projection_units=8).build_model(nin(blocks=blocks, width=width))
    assert networks.count_parameters(blocks, width, [24, 8]) == count_flops(ours).parameters


def test_what_it_is_asked_for():
    wanted = peer.request(recipe.load("cifar10-cpu"), (32, 32, 3), 12800, None, 3, 2)
    assert (wanted["backbone"]["blocks"], wanted["backbone"]["width"]) == (4, 0.25)
    assert (wanted["size"], wanted["images_per_batch"]) == (32, 32)
    assert (wanted["padding"], wanted["flip"], wanted["images"], wanted["workers"]) == (
        4,
        True,
        10000,
        2,
    )
    assert wanted["optimizer"] == {
        "name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.0005, "weight_decay_as": "l2_in_gradient",
    }  # fmt: skip
    json.dumps(wanted)
    cropped = made(augmentation=[{"name": "random_resized_crop", "size": 16}])
    assert (
        peer.request(cropped, (16, 16, 3), 320, None, 3, 2)["padding"] is None
    )  # its loader would do less


def test_recipes_that_it_cannot_train():
    with pytest.raises(UserError, match=r"does not have the angles \[45\], which are no quarter"):
        peer.check_alike(made(task={"angles": [0, 45]}))
    other = made().model_copy(update={"task": SimpleNamespace(name="jigsaw")})
    with pytest.raises(
        UserError, match=r"has the tasks rotation, simclr, moco, essl, and task\.name is jigsaw"
    ):
        peer.check_alike(other)
    peer.check_alike(made(task={"name": "simclr"}))
    with pytest.raises(UserError, match=r"does not have train\.quantization_aware"):
        peer.check_alike(made(train={**SMALL["train"], "quantization_aware": True}))
    for backbone, said in (
        ({"name": "vgg19_bn"}, "the backbone vgg19_bn: it has nin, resnet, keras_applications"),
        ({"name": "resnet", "version": 2}, "a resnet of another version than 1 or another width"),
        ({"name": "resnet", "width": 0.5}, "a resnet of another version than 1 or another width"),
        (applications("Xception"), "the network Xception: it has MobileNetV2, MobileNetV3Small"),
        (
            applications("MobileNetV3Small", arguments={"minimalistic": True}),
            "arguments or another activation of MobileNetV3Small",
        ),
        (
            applications("MobileNetV3Small", activation="relu6"),
            "arguments or another activation of MobileNetV3Small",
        ),
    ):
        with pytest.raises(UserError, match=f"^The peer does not have {said}"):
            peer.check_alike(made(backbone=backbone))


def test_without_torch_it_says_so_in_a_sentence(tmp_path, monkeypatch):
    without = tmp_path / "python"
    without.write_text(
        "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'torch'\" >&2\nexit 1\n"
    )
    without.chmod(0o755)
    for given, environment in ((str(without), None), (None, str(without))):
        monkeypatch.setenv(peer.VARIABLE, environment or sys.executable)
        with pytest.raises(
            UserError,
            match=r"needs numpy, torch, and .* \(ModuleNotFoundError: No module named 'torch'\): install",
        ) as caught:
            peer.find_torch(given)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"nowhere' cannot be run \(.*--peer-python"):
        peer.find_torch(str(tmp_path / "nowhere"))


def test_another_network_is_no_peer(tmp_path):
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho \'{"parameters": 7, "device": "cpu"}\'\nsleep 60\n')
    program.chmod(0o755)
    ours = SimpleNamespace(machine={"cores": 2}, repeats=1, parameters=8)
    with pytest.raises(
        UserError,
        match=r"The peer has 7 parameters and the recipe's network 8, so the comparison would mislead\.",
    ):
        peer.run_peer(
            peer.Torch(str(program), "0"), made(), ours, (16, 16, 3), 320, 1, lambda _: None
        )


def test_ratios_are_of_its_best_setting():
    def ours(*rates):
        return SimpleNamespace(views_per_second=Spread.of(rates))

    slow, fast = (
        PeerSetting(name, Spread.of(rates), 2)
        for name, rates in (("slow", (1, 2, 9)), ("fast", (3, 4, 5)))
    )
    failed = PeerSetting("failed", None, 0, "no compiler")
    both = peer.Peer("2", "cpu", 7, (failed, slow, fast), slow, None, None, None, None)
    compared = peer.compare(both, SimpleNamespace(step=ours(6, 8, 20), input=ours(6, 8, 18)))
    assert (compared.best, compared.step_ratio, compared.fastest_step_ratio) == (fast, 2, 4)
    assert (compared.input_ratio, compared.fastest_input_ratio) == (4, 2)
    none = peer.compare(
        replace(both, step=(failed,), input=None), SimpleNamespace(step=ours(1), input=ours(1))
    )
    assert (none.best, none.step_ratio, none.input_ratio) == (None, None, None)


@pytest.mark.skipif(not PYTHON, reason=f"{peer.VARIABLE} names no Python with torch")
@pytest.mark.parametrize(
    ("task", "head"),
    [
        ({"name": "rotation"}, [4]),
        ({"name": "rotation", "views": "one"}, [4]),
        ({"name": "simclr", "hidden_units": 24, "projection_units": 8, "blur": 0.5}, [24, 8]),
    ],
)
def test_it_runs(monkeypatch, task, head):
    monkeypatch.setattr(peer, "_SETTINGS", ("contiguous, eager", "channels last, eager"))
    small = made(task=task)
    parameters = networks.count_parameters(3, 1 / 24, head)
    ours = SimpleNamespace(machine={"cores": 2}, repeats=2, parameters=parameters)
    told = []
    measured = peer.run_peer(peer.find_torch(), small, ours, (16, 16, 3), 320, 1, told.append)
    assert measured.parameters == parameters
    assert [(each.name, each.steps, each.error) for each in measured.step] == [
        ("contiguous, eager", 1, None), ("channels last, eager", 1, None),
    ]  # fmt: skip
    for setting in (*measured.step, measured.input):
        assert len(setting.views_per_second.repeats) == 2
        assert setting.views_per_second.minimum > 0
    assert any("contiguous, eager: " in line for line in told)


@pytest.mark.skipif(not PYTHON, reason=f"{peer.VARIABLE} names no Python with torch")
@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        ({"name": "resnet", "depth": 18}, 32),
        ({"name": "resnet", "depth": 50}, 96),
        (applications("MobileNetV2"), 32),
        (applications("MobileNetV3Small"), 32),
        (applications("MobileNetV3Large"), 32),
        (applications("EfficientNetB0"), 32),
    ],
)
def test_networks_of_torchvision_have_as_many_parameters(monkeypatch, backbone, size):
    monkeypatch.setattr(peer, "_SETTINGS", ("channels last, eager",))
    small = made(backbone=backbone, train={**SMALL["train"], "images_per_batch": 2})
    section = {name: value for name, value in backbone.items() if name != "name"}
    built = backbones.NAMES[backbone["name"]](input_shape=(size, size, 3), **section)
    parameters = count_flops(Rotation().build_model(built)).parameters
    ours = SimpleNamespace(machine={"cores": 2}, repeats=1, parameters=parameters)
    measured = peer.run_peer(
        peer.find_torch(None, True), small, ours, (size, size, 3), 32, 1, lambda _: None
    )
    assert [each.error for each in measured.step] == [None]
