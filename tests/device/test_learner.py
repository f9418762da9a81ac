import numpy as np
import pytest
from PIL import Image

from rotkeras.device import Learner
from rotkeras.errors import UserError

NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


@pytest.fixture(scope="module")
def digits(digit_source):
    """(uint8 (600, 16, 16, 3), numbers (600,))."""
    return np.asarray(digit_source.train.take(slice(0, 600))), digit_source.train.labels[:600]


def split(labels, per_class, seed):
    random = np.random.default_rng(seed)
    chosen = np.concatenate(
        [random.permutation(np.flatnonzero(labels == each))[:per_class] for each in range(10)]
    )
    return random.permutation(chosen), np.setdiff1d(np.arange(len(labels)), chosen)


@pytest.fixture
def learner(exported):
    return Learner(exported / "learner.tflite")


def standardised(learner, embeddings):
    """Embeddings as the head sees them, found from outside: with the identity for weights, log p_j
    - log p_9 = z_j."""
    columns = []
    for start in range(0, learner.dimensions, 9):
        count = min(9, learner.dimensions - start)
        weights = np.zeros((learner.dimensions, 10), np.float32)
        weights[range(start, start + count), range(count)] = 1
        learner.file.run("set_head", weights=weights, bias=np.zeros(10, np.float32))
        logs = np.log(learner.file.run("classify", embeddings=embeddings)["probabilities"])
        columns.append((logs - logs[:, 9:])[:, :count])
    return np.concatenate(columns, axis=1)


@pytest.mark.parametrize("learning_rate", [0.1, 1.0, 1000.0])
def test_ten_images_per_class_are_learnt_as_by_scikit_learn(learner, digits, learning_rate):
    from sklearn.linear_model import LogisticRegression

    images, labels = digits
    embeddings = learner.embed(images)
    seen = standardised(learner, embeddings)
    ours, theirs = [], []
    for seed in range(3):
        train, test = split(labels, 10, seed)
        fitted = learner.fit(embeddings[train], labels[train], learning_rate=learning_rate)
        assert fitted[:2] == (100, 10)
        assert fitted.steps < 1000
        reference = LogisticRegression(max_iter=5000).fit(seen[train], labels[train])
        names, probabilities = learner.classify(embeddings[test])
        expected = reference.predict_proba(seen[test])
        expected_loss = -np.log(
            reference.predict_proba(seen[train])[range(100), labels[train]]
        ).mean()
        np.testing.assert_allclose(
            probabilities[:, np.argsort(learner.classes)], expected, atol=0.15
        )
        assert fitted.loss == pytest.approx(expected_loss, rel=0.2)
        assert np.mean(names == reference.predict(seen[test])) > 0.97
        ours.append(np.mean(names == labels[test]))
        theirs.append(reference.score(seen[test], labels[test]))
    assert np.mean(theirs) > 0.4
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.01)


def test_images_files_and_embeddings_are_the_same_to_it(learner, digits, tmp_path):
    images, labels = digits[0][:6], NAMES[digits[1][:6]]
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    learner.fit(images, labels)
    expected = learner.classify(images)
    assert list(expected.names) == list(labels)
    for given in (paths, learner.embed(images), learner.embed(images).astype(np.float64)):
        learner.fit(given, list(labels))
        names, probabilities = learner.classify(given)
        np.testing.assert_array_equal(names, expected.names)
        np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-5)
    assert learner.classify(paths[0]).names.shape == (1,)
    assert learner.classify(images[:0]).probabilities.shape == (0, len(learner.classes))


def test_unused_columns_take_no_probability(learner, digits):
    images, labels = digits
    two = np.flatnonzero(labels < 2)[:20]
    learner.fit(images[two], NAMES[labels[two]])
    probabilities = learner.classify(images).probabilities
    assert probabilities.shape == (600, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_new_classes_do_not_forget_the_old(learner, digits):
    images, labels = digits
    train, test = split(labels, 10, 0)
    early, late = train[labels[train] < 5], train[labels[train] >= 5]
    learner.learn(images[early], NAMES[labels[early]])
    assert set(learner.classes) == set(NAMES[:5])
    assert learner.learn(images[late], NAMES[labels[late]])[:2] == (100, 10)
    assert learner.examples == 100
    in_parts = learner.classify(images[test])
    assert learner.fit(images[train], NAMES[labels[train]]).examples == 100
    at_once = learner.classify(images[test])
    assert np.mean(in_parts.names == at_once.names) > 0.99
    assert np.mean(in_parts.names == NAMES[labels[test]]) > 0.4
    learner.forget()
    assert (learner.classes, learner.examples) == ((), 0)
    with pytest.raises(UserError, match=r"has no classes yet; call learn or load_head first\."):
        learner.classify(images)


def test_one_class_and_one_image(learner, digits):
    assert learner.learn(digits[0][0], "only")[:2] == (1, 1)
    assert learner.classify(digits[0][1]).names.tolist() == ["only"]
    learner.learn(digits[0][1:2], ["other"])
    assert learner.classify(digits[0][:2]).names.tolist() == ["only", "other"]


def test_labels_may_be_numbers(learner, digits):
    images, labels = digits[0][:40], digits[1][:40] * 100 - 7
    learner.fit(images, labels)
    names = learner.classify(images).names
    assert names.dtype == np.int64
    assert np.mean(names == labels) > 0.6
    assert all(type(each) is int for each in learner.classes)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["a", "b"], "received 2 labels for 3 images"),
        ([], "received 0 labels for 3"),
        ("abc", "received 1 labels for 3"),
        (["a", 1, "b"], "all names or all whole numbers"),
        ([1.0, 2.0, 3.0], r"received 1.0"),
        ([True, False, True], "received True"),
        ([None, "a", "b"], "received None"),
        (np.zeros((3, 2), np.int64), "received array"),
    ],
)
def test_labels_that_do_not_fit_are_told_and_change_nothing(learner, digits, labels, said):
    learner.learn(digits[0][:2], ["x", "y"])
    before = learner.classify(digits[0][:9])
    for method in (learner.learn, learner.fit):
        with pytest.raises(UserError, match=said):
            method(digits[0][:3], labels)
    assert (learner.classes, learner.examples) == (("x", "y"), 2)
    np.testing.assert_array_equal(
        learner.classify(digits[0][:9]).probabilities, before.probabilities
    )


def test_what_cannot_be_learnt_is_told(learner, digits):
    images = digits[0][:11]
    with pytest.raises(UserError, match="at most 10 classes, .* received 11"):
        learner.learn(images, range(11))
    learner.learn(images[:10], range(10))
    with pytest.raises(UserError, match="received 11"):
        learner.learn(images[10], 10)
    with pytest.raises(UserError, match="finite embeddings"):
        learner.learn(np.full((1, learner.dimensions), np.nan), [0])
    with pytest.raises(UserError, match="finite embeddings"):
        learner.learn(np.zeros((1, learner.dimensions + 1)), [0])
    for settings in (
        {"learning_rate": 0},
        {"learning_rate": np.nan},
        {"weight_decay": -1},
        {"max_steps": 0},
    ):
        with pytest.raises(UserError, match=f"{next(iter(settings))} must be "):
            learner.learn(images[0], 0, **settings)


def test_an_interrupted_fit_leaves_the_head_as_it_was(learner, digits, monkeypatch):
    learner.learn(digits[0][:4], ["a", "b", "a", "c"])
    before = learner.classify(digits[0])
    run, calls = learner.file.run, []

    def interrupted(signature, /, **inputs):
        calls.append(signature)
        if len(calls) > 30 and signature == "learn":
            raise KeyboardInterrupt
        return run(signature, **inputs)

    with monkeypatch.context() as patch:
        patch.setattr(learner.file, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            learner.learn(digits[0][4:8], ["d", "e", "f", "g"])
    after = learner.classify(digits[0])
    assert (learner.classes, learner.examples) == (("a", "b", "c"), 4)
    np.testing.assert_array_equal(after.probabilities, before.probabilities)


def test_a_head_is_saved_and_set_back(exported, learner, digits, tmp_path):
    with pytest.raises(UserError, match="no head to save"):
        learner.save_head(tmp_path / "head.npz")
    learner.learn(digits[0][:20], NAMES[digits[1][:20]])
    expected = learner.classify(digits[0])
    learner.save_head(tmp_path / "new" / "head.npz")
    learner.save_head(tmp_path / "with.npz", with_examples=True)
    assert sorted(path.name for path in tmp_path.rglob("*.npz")) == [
        "head.npz",
        "with.npz",
    ]  # and nothing unfinished
    with np.load(tmp_path / "new" / "head.npz") as file:
        assert file["weights"].shape == (learner.dimensions, len(learner.classes))
        assert file["classes"].tolist() == list(learner.classes)

    other = Learner(exported / "learner.tflite")
    other.learn(digits[0][:2], ["p", "q"])
    other.load_head(tmp_path / "new" / "head.npz")
    assert (other.classes, other.examples) == (learner.classes, 0)
    np.testing.assert_array_equal(other.classify(digits[0]).probabilities, expected.probabilities)
    with pytest.raises(UserError, match="would forget its"):
        other.learn(digits[0][20], "new")
    other.load_head(tmp_path / "with.npz")
    assert other.examples == 20
    first = other.learn(digits[0][20:40], NAMES[digits[1][20:40]])
    assert first == learner.learn(digits[0][20:40], NAMES[digits[1][20:40]])


def test_heads_that_are_not_for_it_are_refused(exported, learner, digits, tmp_path):
    learner.learn(digits[0][:4], [5, 6, 7, 8])
    expected = learner.classify(digits[0]).probabilities
    learner.save_head(tmp_path / "head.npz")
    retrained = tmp_path / "retrained.tflite"
    content = (exported / "learner.tflite").read_bytes()
    retrained.write_bytes(content + b"\0")  # one byte is enough to be another file
    with pytest.raises(UserError, match=r"is the head of another encoder: .*sha256"):
        Learner(retrained).load_head(tmp_path / "head.npz")

    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "head.npz").read_bytes()[:400])
    np.savez(tmp_path / "other.npz", features=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    with np.load(tmp_path / "head.npz") as file:
        held = dict(file)
    np.savez(tmp_path / "narrow.npz", **{**held, "weights": held["weights"][:-1]})
    for name in ("text.npz", "cut.npz", "other.npz", "array.npy", "narrow.npz", "none.npz", "."):
        with pytest.raises(UserError, match=r"is not the head|is not a file|is not an intact head"):
            learner.load_head(tmp_path / name)
    with pytest.raises(
        UserError, match=r"must be the path of an \.npz file, got the ending \.txt\."
    ):
        learner.save_head(tmp_path / "head.txt")
    np.testing.assert_array_equal(learner.classify(digits[0]).probabilities, expected)


def test_files_that_are_no_learners_are_told(exported):
    with pytest.raises(
        UserError,
        match=r"is not a learner: it must have the signatures \['classify', 'embed', 'get_head', 'learn', 'set_head'\], and lacks \['classify', 'get_head', 'learn',",
    ):
        Learner(exported / "encoder-float32.tflite")
    with pytest.raises(
        UserError,
        match=r"is not an encoder: it must have the signature 'embed', got one that predicts classes \('predict'\); for angles use rotkeras\.device\.Orienter",
    ):
        Learner(exported / "orient.tflite")
