"""What an exported file says of itself."""

from rotkeras.device.orienter import TEMPERATURES
from rotkeras.export.metadata import Description
from rotkeras.export.parts import Parts
from rotkeras.export.profiles import Profile
from rotkeras.images import shown
from rotkeras.images.size import centre_of


def describe(
    parts: Parts,
    kind: Profile,
    name: str = "encoder",
    author: str = "",
    licence: str = "",
    method: str = "",
    temperatures: tuple[float, float] | None = None,
) -> Description:
    """What a file says of itself, from its parts and profile; an orienter's temperatures are of
    `fit_temperatures`."""
    size, d = parts.input_size, parts.dimensions
    inside = f"They are resized to {shown(parts.trained_size)} inside. " if parts.resize else ""
    of_length = ", of unit length" if parts.l2_normalization else ""
    tensors = {
        "images": (
            f"RGB image of {shown(size)} pixels, uint8, 0 to 255: the {centre_of(size)} of an"
            f" upright image, resized bilinearly. {inside}No normalisation outside: it is the first"
            " layer."
        ),
        "embedding": (
            f"{d} features of the tap {parts.tap}, pooled by {parts.pooling}{of_length}; compare by"
            " cosine similarity."
        ),
        "embeddings": f"(n, {d}) embeddings of signature embed.",
        "labels": "(n,) numbers of classes, from 0.",
        "learning_rate": "Of the step, such as 0.1.",
        "momentum": "Share of the last step that is kept, such as 0.9.",
        "weight_decay": "Strength of the L2 term, such as 0.01.",
        "loss": "Mean cross-entropy before the step.",
        "unused": "Any number.",
        "weights": f"({d}, classes) weights of the softmax head.",
        "bias": "(classes,) bias of the softmax head.",
        "classes": "Number of classes of the head.",
        "probabilities": (
            "Probability of each angle by which the image was turned counter-clockwise."
            if kind.name == "orient"
            else "Probability of each class."
        ),
    }
    labels = {}
    if kind.role == "predictor" and parts.prediction is not None:
        names = parts.prediction.class_names
        labels["probabilities"] = (
            ("angles.txt", tuple(map(str, parts.prediction.angles)))
            if kind.name == "orient"
            else ("labels.txt", names)
        )
    text = (
        f"{kind.what[0].upper()}{kind.what[1:]}. Pre-trained without labels"
        f"{' by ' + method if method else ''} with rotkeras; profile {kind.name}."
    )
    files = {}
    if kind.name == "orient" and temperatures is not None:
        files[TEMPERATURES] = [f"{each:.4g}" for each in temperatures]
    return Description(f"{name} ({kind.name})", text, "1", author, licence, tensors, labels, files)
