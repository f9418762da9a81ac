"""Classes trained on a device from a few examples: an exported encoder with a head that it trains
itself."""

import os

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.arguments import check_flag, check_number, check_path, check_whole
from rotkeras.device.encoder import Encoder
from rotkeras.device.given_images import Images
from rotkeras.device.head_file import Head, read_head, write_head
from rotkeras.device.labels import Classified, ClassName, Labels, number
from rotkeras.device.softmax_fit import Fitted, fit_head, set_head
from rotkeras.errors import UserError

_SIGNATURES = {"embed", "classify", "learn", "get_head", "set_head"}


class Learner(Encoder):
    """An exported encoder whose head learns classes on the device, by softmax regression on its
    embeddings.

    It keeps the embeddings of all examples (4·d bytes each), so that learning new classes does not
    forget the old ones.

    Args:
        path: `learner.tflite`, with the signatures `embed`, `classify`, `learn`, `get_head` and
            `set_head`.
        threads: of the CPU, 1 when None.

    Attributes:
        classes: the names of the classes so far, in the order of their first examples.
        max_classes: C, how many the head has room for.
        file, input_size, dimensions: as of `Encoder`.

    Example:
        learner = Learner("export/learner.tflite")
        learner.learn(["cat1.jpg", "cat2.jpg", "dog1.jpg"], ["cat", "cat", "dog"])
        names, probabilities = learner.classify("unknown.jpg")

    Raises:
        UserError: for a file that is no learner.
    """

    classes: tuple[ClassName, ...]

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None):
        super().__init__(path, threads)
        if missing := sorted(_SIGNATURES - {*self.file.signatures}):
            raise UserError(
                f"{str(path)!r} is not a learner: it must have the signatures"
                f" {sorted(_SIGNATURES)}, and lacks {missing}; give a learner.tflite, or open it"
                " with rotkeras.device.Encoder."
            )
        self.max_classes: int = self.file.outputs("get_head")["bias"].shape[0]  # type: ignore[assignment]
        self.forget()

    def forget(self) -> None:
        """Forget all classes and examples."""
        self.classes = ()
        self._embeddings = np.empty((0, self.dimensions), np.float32)
        self._labels = np.empty(0, np.int32)

    @property
    def examples(self) -> int:
        """How many examples are kept."""
        return len(self._labels)

    def fit(
        self,
        images: Images,
        labels: Labels,
        learning_rate: float = 1.0,
        weight_decay: float | None = None,
        max_steps: int = 2000,
    ) -> Fitted:
        """Learn classes from these examples alone: `forget`, then `learn`, whose arguments these
        are.

        When the examples are refused, the head stays as it was.
        """
        return self._learn(images, labels, learning_rate, weight_decay, max_steps, afresh=True)

    def learn(
        self,
        images: Images,
        labels: Labels,
        learning_rate: float = 1.0,
        weight_decay: float | None = None,
        max_steps: int = 2000,
    ) -> Fitted:
        """Add examples to those given before, and fit the head to all.

        Args:
            images: uint8 (n, S, S, 3), image files, or embeddings, float (n, d): see `embed`.
            labels: the class of each, (n,): all names or all whole numbers; one for a single image.
                New ones are new classes.
            learning_rate: of the first steps; it is halved wherever a look finds the objective
                risen.
            weight_decay: the strength of L2 on the weights; None is 1/examples, that of
                scikit-learn's LogisticRegression(C=1).
            max_steps: full-batch steps at most; it ends when the objective stops falling.

        Returns:
            A `Fitted`.

        Raises:
            UserError: for images or labels that do not fit each other or the file, for more than
                `max_classes` classes, and after `load_head` of a head that was saved without its
                examples.
        """
        return self._learn(images, labels, learning_rate, weight_decay, max_steps, afresh=False)

    def classify(self, images: Images) -> Classified:
        """The class of each image.

        Args:
            images: uint8 (n, S, S, 3), image files, or embeddings, float (n, d): see `embed`.

        Returns:
            A `Classified`: names (n,) and probabilities, float32 (n, classes).

        Raises:
            UserError: when there is no class yet, and for images as `embed`.
        """
        if not self.classes:
            raise UserError(
                f"The learner {str(self.path)!r} has no classes yet; call learn or load_head first."
            )
        embeddings = self._embedded(images)
        probabilities = np.zeros((0, self.max_classes), np.float32)
        if len(embeddings):
            probabilities = self.file.run("classify", embeddings=embeddings)["probabilities"]
        probabilities = probabilities[:, : len(self.classes)]
        return Classified(np.asarray(self.classes)[probabilities.argmax(axis=1)], probabilities)

    def save_head(self, path: str | os.PathLike[str], with_examples: bool = False) -> None:
        """Write the head to a `.npz`, whole or not at all.

        Args:
            path: of the file; one that is there is replaced.
            with_examples: keep the embeddings of the examples too, so that a learner that loads it
                can go on learning.

        Raises:
            UserError: when there is no class yet, or the path is not that of an `.npz`.
        """
        check_path("path", path)
        check_flag("with_examples", with_examples)
        if not self.classes:
            raise UserError(
                f"The learner {str(self.path)!r} has no head to save; call learn first."
            )
        held = self.file.run("get_head", unused=0.0)
        used = slice(len(self.classes))
        examples = (self._embeddings, self._labels) if with_examples else (None, None)
        write_head(
            path,
            Head(held["weights"][:, used], held["bias"][used], self.classes, *examples),
            self.path,
        )

    def load_head(self, path: str | os.PathLike[str]) -> None:
        """Load what `save_head` wrote, in place of the present head.

        Raises:
            UserError: for a file that is no head, or the head of another learner file.
        """
        check_path("path", path)
        head = read_head(path, self.path, self.dimensions, self.max_classes)
        self.classes = head.classes
        self._embeddings = (
            np.empty((0, self.dimensions), np.float32)
            if head.embeddings is None
            else head.embeddings
        )
        self._labels = np.empty(0, np.int32) if head.labels is None else head.labels
        set_head(self.file, head.weights, head.bias)

    def _learn(
        self,
        images: Images,
        labels: Labels,
        learning_rate: float,
        weight_decay: float | None,
        max_steps: int,
        afresh: bool,
    ) -> Fitted:
        check_number("learning_rate", learning_rate)
        if weight_decay != 0:
            check_number("weight_decay", weight_decay, optional=True)
        check_whole("max_steps", max_steps)
        if self.classes and not self.examples and not afresh:
            raise UserError(
                f"The learner {str(self.path)!r} has a head without its examples and would forget"
                f" its {len(self.classes)} classes. Load a head saved with_examples, or call forget"
                " or fit to start again."
            )
        classes, numbers = number(labels, () if afresh else self.classes, self.max_classes)
        embeddings = self._embedded(images)
        if not len(numbers) or len(numbers) != len(embeddings):
            raise UserError(
                f"Expected one label for each image, and an image at least, received {len(numbers)}"
                f" labels for {len(embeddings)} images; give as many."
            )
        if not afresh:
            embeddings, numbers = (
                np.concatenate([self._embeddings, embeddings]),
                np.concatenate([self._labels, numbers]),
            )
        before = self.file.run("get_head", unused=0.0)
        decay = 1 / len(numbers) if weight_decay is None else weight_decay
        try:
            steps, loss = fit_head(self.file, embeddings, numbers, learning_rate, decay, max_steps)
        except BaseException:  # Ctrl-C too leaves the head as it was
            set_head(self.file, before["weights"], before["bias"])
            raise
        self.classes, self._embeddings, self._labels = classes, embeddings, numbers
        return Fitted(len(numbers), len(classes), steps, loss)

    def _embedded(self, images: Images) -> NDArray[np.float32]:
        if not isinstance(images, np.ndarray) or images.dtype.kind != "f" or images.ndim > 2:
            return self.embed(images)
        embeddings = np.atleast_2d(images).astype(np.float32)
        if embeddings.shape[1] != self.dimensions or not np.isfinite(embeddings).all():
            raise UserError(
                f"The learner {str(self.path)!r} needs finite embeddings (n, {self.dimensions}),"
                f" got {images.dtype} of shape {images.shape}; pass what its embed returned."
            )
        return embeddings
