"""Noise-contrastive estimation: tell the data from draws of a uniform distribution."""

from typing import Any

from keras import ops

from rotkeras.arguments.accepted import Positive, PositiveNumber
from rotkeras.arguments.checked import checked
from rotkeras.errors import must

Tensor = Any


@checked
def nce(log_ratios: Any) -> Tensor:
    """The loss of each image: −log of the probability that its own row is data and its negatives
    are noise.

    With the log-ratio x = log(P / (m · Pn)) of a row, the probability that it is data is
    h = P / (P + m · Pn) = 1 / (1 + exp(−x)), and

        loss = −log h(own row) − Σ_j log(1 − h(negative j)).

    Args:
        log_ratios: float (B, 1 + m), the image's own row first, as `log_ratios` makes them; −10⁹
            for a negative that does not count.

    Returns:
        float32 (B,).

    Raises:
        UserError: for log-ratios of another shape.

    Reference:
        Wu, Xiong, Yu, Lin, Unsupervised Feature Learning via Non-Parametric Instance
        Discrimination, CVPR 2018, equations 5 to 7; Gutmann, Hyvärinen, Noise-contrastive
        estimation, AISTATS 2010.
    """
    shape = tuple(log_ratios.shape)
    if len(shape) != 2 or shape[1] == 0:
        raise must("log_ratios", "be (B, 1 + m), the own row first", shape)
    x = ops.cast(log_ratios, "float32")
    return ops.softplus(-x[:, 0]) + ops.sum(ops.softplus(x[:, 1:]), axis=1)


@checked
def log_ratios(
    scores: Any, log_normaliser: Any, negatives: Any, images: Positive, temperature: PositiveNumber
) -> Tensor:
    """log(P / (m · Pn)), where P = exp(score / τ) / Z is the model's probability of a row, and Pn =
    1 / N that of the noise.

    Args:
        scores: float (B, R), cosine similarities of images with rows.
        log_normaliser: log Z, a number.
        negatives: m, a number.
        images: N, rows of the table.
        temperature: τ.

    Returns:
        float32 (B, R).

    Reference:
        Wu et al., CVPR 2018, equations 2, 4 and 6.
    """
    noise = ops.log(ops.cast(negatives, "float32")) - ops.log(ops.cast(images, "float32"))
    return ops.cast(scores, "float32") / temperature - log_normaliser - noise
