"""What every pretext task promises. A new task is a line in `table_of_tasks.py`.

Promises that take a second or more are held to the lines of QUICK, and with ROTKERAS_ALL=1, as
`.ci/run` sets it, to all lines.
"""

import inspect
import json
import os
import subprocess
import sys

import elsewhere
import keras
import numpy as np
import pytest
from small_training import LEAN, three_taps
from table_of_tasks import TASKS

import rotkeras
from rotkeras import UserError, data, pretext, recipe
from rotkeras.data.keyed import Key
from rotkeras.pretext import InStep
from rotkeras.pretext.check import check_form, setting_mistake
from rotkeras.run.folder import Run
from rotkeras.training import initial_weights

EVERY = bool(os.environ.get("ROTKERAS_ALL"))

QUICK = list(TASKS) if EVERY else ["rotation", "simclr", "essl"]

elsewhere_too = pytest.mark.skipif(not EVERY, reason="on two devices and JAX with ROTKERAS_ALL=1")

quick = pytest.mark.parametrize("line", QUICK, indirect=True)


def name_of(line):
    return line.replace(",", " ").split()[0]


@pytest.fixture(params=TASKS)
def line(request):
    return request.param


@pytest.fixture
def task(line):
    return pretext.NAMES[name_of(line)](**TASKS[line])


@pytest.fixture
def images(digit_source):
    return digit_source.train.draw(24)


def parts(values):
    """The arrays of x or y, in the order of their names."""
    return [np.asarray(each) for each in keras.tree.flatten(values)]


def whole_images(x):
    """Views of x in whole images of 16 × 16."""
    return sum(
        len(each) * each.shape[1] * each.shape[2] / 16**2 for each in parts(x) if each.ndim == 4
    )


def fitted(task, images, epochs=1, **compiled):
    keras.utils.set_random_seed(0)
    model = task.build_model(three_taps(), len(images))
    initial_weights.draw(model, 0)
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9), task.loss(), metrics=task.metrics(), **compiled
    )
    batches = data.pipeline(images, task, images_per_batch=8, seed=0)
    history = model.fit(
        batches.dataset,
        steps_per_epoch=batches.steps_per_epoch,
        epochs=epochs,
        validation_data=(
            data.evaluation_pipeline(images, task, images_per_batch=8)
            if getattr(task, "validates", True)
            else None
        ),
        shuffle=False,
        verbose=0,
        callbacks=task.callbacks(images),
    ).history
    return model, history


def test_it_has_the_form(task, images):
    check_form(task)
    x, y = next(iter(data.pipeline(images, task, images_per_batch=4).dataset))
    if getattr(task, "whole_views", True):
        assert whole_images(x) == 4 * task.views_per_image()
    else:  # the sides of tiles are whole pixels
        assert 0.8 * task.views_per_image() < whole_images(x) / 4 <= task.views_per_image()
    assert all(len(each) % 4 == 0 for each in parts((x, y)))  # so that a batch can be split
    assert task.monitor.words
    assert task.monitor.show(0.5) == ("50.0 %" if task.monitor.percent else "0.5")
    assert setting_mistake(task, 64) is None


def test_it_trains_and_its_monitor_is_logged(task, images, eagerly):
    _, history = fitted(task, images)
    assert np.isfinite(history["loss"]).all()
    validated = [f"val_{task.monitor.metric}"] if getattr(task, "validates", True) else []
    for key in (task.monitor.metric, *validated):
        assert np.isfinite(history[key]).all()
        assert not task.monitor.percent or 0 <= history[key][0] <= 1


@quick
def test_the_same_seed_gives_the_same_weights(task, images, eagerly):
    first, second = (fitted(task, images)[0].get_weights() for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_views_are_a_function_of_the_key_alone(task, images):
    key = Key(np.int64(1), np.int64(2), images.rows, np.arange(len(images)))
    if not task.in_numpy:
        pytest.skip("views of this task are TensorFlow's")
    x, y = task.views(images.take(slice(None)), key)
    some = key._replace(index=images.rows[3:5], position=np.arange(3, 5))
    part = task.views(images.take(slice(3, 5)), some)
    for mine, every in zip(parts(part[0]), parts(x), strict=True):
        count = len(every) // len(images)
        np.testing.assert_array_equal(mine, every[3 * count : 5 * count])
        assert every.dtype == (np.uint8 if every.ndim == 4 else np.int32)
    assert all(each.dtype in (np.int32, np.float32) for each in parts(y))


@quick
def test_views_inside_the_step_are_those_of_the_host(task, images):
    if not getattr(task, "in_step", False):
        pytest.skip("views of this task are made on the host")
    inside = InStep(task)
    model = inside.build_model(three_taps(), len(images))
    host = next(iter(data.pipeline(images, task, images_per_batch=6).dataset))
    sent = next(iter(data.pipeline(images, inside, images_per_batch=6).dataset))
    for made, expected in zip(
        parts(model.get_layer("views")(sent[0])), parts(host[0]), strict=True
    ):
        off = np.abs(made.astype(int) - expected)
        # Crops differ by one grey level at most; a change of contrast can make it two or three.
        assert off.max() <= (3 if made.ndim == 4 else 0)
        assert np.mean(off > 1) < 0.01
    for made, expected in zip(parts(sent[1]), parts(host[1]), strict=True):
        np.testing.assert_array_equal(np.reshape(made, expected.shape), expected)
    keras.utils.set_random_seed(0)
    direct = task.build_model(three_taps(), len(images))
    direct.set_weights(model.get_weights())
    for made, expected in zip(parts(model(sent[0])), parts(direct(host[0])), strict=True):
        np.testing.assert_allclose(np.reshape(made, expected.shape), expected, atol=0.1)
    assert inside.monitor == task.monitor
    assert inside.network(model).input_shape == (None, 16, 16, 3)


@pytest.fixture(scope="module")
def loaded_elsewhere(tmp_path_factory):
    """{line: (number of weights, whether rotkeras is there)} of the kept networks of QUICK, loaded
    in one process without rotkeras."""
    folder, files = tmp_path_factory.mktemp("kept"), {}
    for number, line in enumerate(QUICK):
        task = pretext.NAMES[name_of(line)](**TASKS[line])
        files[line] = str(folder / f"{number}.keras")
        task.network(task.build_model(three_taps(), 24)).save(files[line])
    code = (
        "import json, keras, sys; print(json.dumps({line: (keras.models.load_model(file,"
        " safe_mode=True).count_params(), 'rotkeras' in sys.modules) for line, file in"
        " json.loads(sys.argv[1]).items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(files)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@quick
def test_what_is_kept_is_flat_stock_and_loads_without_rotkeras(line, task, loaded_elsewhere):
    network = task.network(task.build_model(three_taps(), 24))
    assert not [each for each in network.layers if isinstance(each, keras.Model)]
    assert [each.name for each in network.layers if each.name.startswith("conv")] == [
        "conv1",
        "conv2",
        "conv3",
    ]
    if task.class_names is None:
        assert len(network.output_shape) == 4
    else:
        assert network.output_shape == (None, len(task.class_names))
    assert loaded_elsewhere[line] == [network.count_params(), False]


@quick
def test_a_compiled_model_loads_and_trains_on(task, images, tmp_path, eagerly):
    model, _ = fitted(task, images)
    model.save(tmp_path / "compiled.keras")
    loaded = keras.models.load_model(tmp_path / "compiled.keras")
    batches = data.pipeline(images, task, images_per_batch=8, seed=0, initial_epoch=1)
    results = [
        each.fit(batches.dataset, steps_per_epoch=2, shuffle=False, verbose=0).history
        for each in (model, loaded)
    ]
    np.testing.assert_allclose(results[0]["loss"], results[1]["loss"], rtol=1e-6)


@quick
def test_a_classifier_is_trained_along_and_changes_nothing(task, images, eagerly):
    if not getattr(task, "whole_views", True):
        with pytest.raises(UserError, match=r"sees tiles .*; set probe\.online to false"):
            pretext.OnlineProbe(task, classes=10)
        return
    probed = pretext.OnlineProbe(task, classes=10)
    check_form(probed)
    plain, before = fitted(task, images)
    model, history = fitted(probed, images)
    assert 0 <= history["online/conv2"][0] <= 1
    assert {name for name in history if "online" not in name} == set(before)
    if getattr(task, "validates", True):
        assert 0 <= history["val_online/conv3"][0] <= 1
    taught = {each.path: each.numpy() for each in task.network(plain).weights}
    beside = {each.path: each.numpy() for each in probed.network(model).weights}
    assert taught.keys() == beside.keys()
    for name in taught:
        np.testing.assert_allclose(beside[name], taught[name], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(history["loss"], before["loss"], rtol=1e-5)


@quick
def test_sixteen_bits_train_and_predict_finite_numbers(task, images, eagerly):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model, history = fitted(task, images)
        assert np.isfinite(history["loss"]).all()
        pixels = images.take(slice(0, 8))
        assert np.isfinite(task.network(model).predict(pixels, verbose=0)).all()
    finally:
        keras.config.set_dtype_policy(before)


def test_wrong_arguments_are_one_sentence(line):
    make = pretext.NAMES[name_of(line)]
    settings = inspect.signature(make).parameters
    assert set(TASKS[line]) <= set(settings)
    for setting in settings:
        with pytest.raises(UserError, match=f"^{setting} must"):
            make(**{setting: object()})
    with pytest.raises(UserError, match=r"backbone must be a Keras model"):
        make().build_model("nin", 24)


def test_its_embedding_is_that_of_an_image(task, images):
    if not task.joint_embedding:
        pytest.skip("nothing of this task can collapse")
    model = task.build_model(three_taps(), len(images))
    made = task.embedder(model).predict(images.take(slice(0, 4)), verbose=0)
    assert made.shape[0] == 4
    assert made.ndim == 2
    assert np.std(made, axis=0).max() > 0


def section_of(line):
    return {"name": name_of(line), **TASKS[line]}


def test_recipe_python_and_schema_have_one_declaration(line):
    made = recipe.validate({**LEAN, "task": section_of(line)}, "test")
    task = pretext.of_section(made.task)
    again = recipe.validate(made.model_dump(mode="json"), "test")
    assert pretext.of_section(again.task).get_config() == task.get_config()
    schema = recipe.Recipe.model_json_schema()["$defs"]
    section = next(
        each
        for each in schema.values()
        if each["properties"].get("name", {}).get("const") == name_of(line)
    )
    for key, field in section["properties"].items():
        assert key == "name" or field["description"], key


@quick
def test_what_is_kept_is_exported_with_proof(task, tmp_path, digit_source):
    from rotkeras.data import Source
    from rotkeras.export import export
    from rotkeras.recipe import Export

    keras.utils.set_random_seed(0)
    network = task.network(task.build_model(three_taps(), 24))
    source = Source("digits", digit_source.train.draw(150), digit_source.validation.draw(50))
    predicts = [] if task.class_names is None else ["classifier"]
    settings = Export(
        profiles=["int8", *predicts], saved_model=False, max_drop=100.0, calibration_images=100
    )
    proof = export(network, source, tmp_path / "export", settings, task=task).proof
    assert proof["files"]["encoder-int8.tflite"]["agreement"]["cosine"] > 0.9
    if predicts:
        assert proof["files"]["classifier.tflite"]["classes"] == "of the task"
        assert proof["encoder"]["class_names"] == list(task.class_names)


@pytest.mark.parametrize("line", QUICK if EVERY else QUICK[:1], indirect=True)
def test_a_run_killed_and_resumed_has_the_weights_of_an_unbroken_one(line, tmp_path, eagerly):
    from rotkeras.training import train

    content = {
        **LEAN,
        "task": section_of(line),
        "data": {**LEAN["data"], "train_images": 64, "validation_fraction": 0.05},
        "train": {"epochs": 2, "images_per_batch": 32, "learning_rate": 0.02},
        "probe": {"every_epochs": 0, "train_images": 50},
    }
    made = recipe.validate(content, "test")

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    train(made, whole)
    monitor = whole.task_facts().monitor
    assert monitor.words == pretext.of_section(made.task).monitor.words
    assert 0 <= monitor.chance < 1
    page = rotkeras.report.write_report([whole.path], tmp_path / "page.html").read_text()
    assert f"{monitor.words[:1].upper()}{monitor.words[1:]} over epochs" in page
    with pytest.raises(KeyboardInterrupt):
        train(made, broken, callbacks=[Kill()])
    broken.check(made, resume=True)
    train(made, broken)
    weights = [keras.models.load_model(run.model).get_weights() for run in (whole, broken)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


SCRIPT = """
from small_training import quick_nin
from rotkeras import data, pretext
images = data.load("digits", image_size=16).train.draw(24)
found = {}
for line, (name, settings) in json.loads(sys.argv[3]).items():
    task = pretext.NAMES[name](**settings)
    if not task.in_numpy and not on_tensorflow:
        continue
    with scope():
        model = task.build_model(quick_nin(synchronized_batch_norm=on_tensorflow), len(images))
        rng = np.random.default_rng(0)
        model.set_weights([rng.normal(scale=0.1, size=w.shape) if w.ndim > 1 else w for w in model.get_weights()])
        model.compile(
            keras.optimizers.SGD(0.05), task.loss(), metrics=task.metrics(), jit_compile=not on_tensorflow)
    batches = data.pipeline(images, task, images_per_batch=8, seed=0)
    history = model.fit(batches.dataset, steps_per_epoch=1, epochs=3, shuffle=False, verbose=0).history
    found[line] = [*history["loss"], *history[task.monitor.metric]]
print(json.dumps(found))
"""


def trained(backend, devices):
    """{line: losses of three steps, then the monitor} of the lines of QUICK."""
    wanted = json.dumps({line: (name_of(line), TASKS[line]) for line in QUICK})
    return elsewhere.run(SCRIPT, backend, devices, wanted)


@pytest.fixture(scope="module")
def on_one_device():
    return trained("tensorflow", "one")


@elsewhere_too
def test_two_replicas_have_the_losses_of_one(on_one_device):
    found = trained("tensorflow", "two")
    for line in QUICK:
        np.testing.assert_allclose(found[line], on_one_device[line], rtol=1e-4)


@elsewhere_too
def test_jax_has_the_losses_of_tensorflow(on_one_device):
    pytest.importorskip("jax")
    found = trained("jax", "one")
    assert set(found) >= {"rotation", "simclr"}
    for line in found:
        np.testing.assert_allclose(found[line], on_one_device[line], rtol=1e-4)
