"""Weight decay of a network in memory, by stock regularizers on its variables."""

import keras


def add_l2(model: keras.Model, rate: float) -> None:
    """Weight decay as the published optimizer has it: `rate · w` is added to the gradient of every
    trainable weight.

    It is the gradient of rate/2 · ‖w‖², which joins the loss as a stock regularizer on
    convolutions, dense layers, and batch norm scales and offsets alike. The regularizers live in
    the model in memory; they are not written into `.keras` files. After
    `keras.models.load_model` call this function again before training continues.

    Args:
        model: built; changed in place.
        rate: the weight decay, such as 5e-4. 0 changes nothing.

    Reference:
        the SGD of the code published with Gidaris et al., ICLR 2018. Loshchilov and Hutter, ICLR
        2019, explain how it differs from decoupled decay.
    """
    if rate:
        regularizer = keras.regularizers.L2(rate / 2)
        for variable in model.trainable_variables:
            variable.regularizer = regularizer
