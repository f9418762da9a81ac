"""Scores of vectors against learned directions."""

from typing import Any

import keras

from rotkeras.arguments.accepted import NotNegative, Positive
from rotkeras.errors import must
from rotkeras.pretext.gather import gather
from rotkeras.pretext.layers.directions import check_count


@keras.saving.register_keras_serializable(package="rotkeras")
class Prototypes(keras.layers.Layer):
    """Cosine similarities of vectors with prototypes, which begin to learn after some images.

    Vectors and prototypes are divided by their lengths when they are used, so that weight decay
    does not change a score. In training the layer counts the images of all devices in a weight that
    is saved, and lets no gradient reach the prototypes before `frozen_images` have been seen.

    Args:
        prototypes: K.
        frozen_images: images of training before the prototypes learn.
        **arguments: of `keras.layers.Layer`.

    Input shape: (B, V, d), V views of each image. Output shape: float32 (B, V, K).

    Raises:
        UserError: for prototypes below 1, and frozen images below 0.

    Reference:
        Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments,
        NeurIPS 2020, section 3.1 and appendix A.
    """

    def __init__(
        self, prototypes: Positive, frozen_images: NotNegative = 0, **arguments: Any
    ) -> None:
        check_count("prototypes", prototypes)
        if not isinstance(frozen_images, int) or frozen_images < 0:
            raise must("frozen_images", "be a whole number of at least 0", frozen_images)
        # In float32 under any policy: a temperature of 0.1 and an epsilon of 0.05 multiply errors.
        super().__init__(**{**arguments, "dtype": "float32"})
        self.prototypes, self.frozen_images = prototypes, frozen_images

    def build(self, input_shape: Any) -> None:
        """The prototypes, (d, K), and the number of images seen."""
        self.kernel = self.add_weight(
            (input_shape[-1], self.prototypes), "glorot_uniform", dtype="float32", name="kernel"
        )
        self.seen = self.add_weight(
            (),
            "zeros",
            trainable=False,
            dtype="float32",
            aggregation="only_first_replica",
            name="seen",
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The cosine similarity of each vector with each prototype."""
        ops = keras.ops
        kernel = ops.convert_to_tensor(self.kernel)
        if self.frozen_images:
            learns = ops.cast(self.seen.value >= self.frozen_images, "float32")
            kernel = learns * kernel + (1 - learns) * ops.stop_gradient(kernel)
        if training and self.frozen_images:
            everywhere, _ = gather(ops.ones_like(inputs[:, 0, 0]))
            # It stops there: a float32 counts no further than 16 million by ones.
            count = self.seen.value + ops.sum(ops.cast(everywhere, "float32"))
            self.seen.assign(ops.minimum(count, float(self.frozen_images)))
        vectors = ops.normalize(ops.cast(inputs, "float32"), axis=-1, epsilon=1e-12)
        return ops.matmul(vectors, ops.normalize(kernel, axis=0, epsilon=1e-12))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(B, V, K)."""
        return (*input_shape[:-1], self.prototypes)

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        """float32 (B, V, K)."""
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "prototypes": self.prototypes,
            "frozen_images": self.frozen_images,
        }
