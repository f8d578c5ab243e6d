"""Networks: the names of ``jax.nn``, losses of ``optax``, and layers as pure functions.

A layer takes its parameters, a dict of arrays, and its input; ``init_...`` draws the parameters::

    keys = ft.random.split(ft.random.key(0))
    params = {
        "hidden": nn.init_dense(keys[0], 64, 32),
        "scores": nn.init_dense(keys[1], 32, 10),
    }


    def scores(params, x):
        return nn.dense(params["scores"], nn.relu(nn.dense(params["hidden"], x)))

What is linear in pieces has at its kink the derivative that JAX gives it: that of `relu` at 0 is 0.
"""

from functrace.nn import initializers, stax
from functrace.nn.activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    log1mexp,
    log_sigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
    tanh,
)
from functrace.nn.attention import dot_product_attention
from functrace.nn.convolutions import (
    avg_pool,
    convolution,
    convolution_transpose,
    init_convolution,
    max_pool,
)
from functrace.nn.layers import (
    attention,
    batch_norm,
    dense,
    dropout,
    embedding,
    group_norm,
    init_attention,
    init_batch_norm,
    init_dense,
    init_embedding,
    init_layer_norm,
    init_rms_norm,
    layer_norm,
    rms_norm,
)
from functrace.nn.losses import (
    absolute_error,
    binary_dice_loss,
    convex_kl_divergence,
    cosine_distance,
    cosine_similarity,
    ctc_loss,
    dice_loss,
    generalized_kl_divergence,
    hinge_loss,
    huber_loss,
    kl_divergence,
    kl_divergence_with_log_targets,
    l2_loss,
    log_cosh,
    make_fenchel_young_loss,
    mean_squared_error,
    multiclass_generalized_dice_loss,
    multiclass_hinge_loss,
    multiclass_perceptron_loss,
    multiclass_sparsemax_loss,
    ntxent,
    perceptron_loss,
    poly_loss_cross_entropy,
    ranking_softmax_loss,
    safe_softmax_cross_entropy,
    sigmoid_binary_cross_entropy,
    sigmoid_focal_loss,
    smooth_labels,
    softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels,
    sparsemax_loss,
    squared_error,
    triplet_margin_loss,
)
from functrace.nn.normalizing import (
    log_softmax,
    logmeanexp,
    logsumexp,
    one_hot,
    softmax,
    standardize,
)
from functrace.nn.recurrent import gru, gru_step, init_gru, init_lstm, lstm, lstm_step

__all__ = [
    "absolute_error", "attention", "avg_pool", "batch_norm", "binary_dice_loss", "celu",
    "convex_kl_divergence", "convolution", "convolution_transpose", "cosine_distance",
    "cosine_similarity", "ctc_loss", "dense", "dice_loss", "dot_product_attention", "dropout",
    "elu", "embedding", "gelu", "generalized_kl_divergence", "glu", "group_norm", "gru",
    "gru_step", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "hinge_loss", "huber_loss",
    "identity", "init_attention", "init_batch_norm", "init_convolution", "init_dense",
    "init_embedding", "init_gru", "init_layer_norm", "init_lstm", "init_rms_norm", "initializers",
    "kl_divergence", "kl_divergence_with_log_targets", "l2_loss", "layer_norm", "leaky_relu",
    "log1mexp", "log_cosh", "log_sigmoid", "log_softmax", "logmeanexp", "logsumexp", "lstm",
    "lstm_step", "make_fenchel_young_loss", "max_pool", "mean_squared_error", "mish",
    "multiclass_generalized_dice_loss", "multiclass_hinge_loss", "multiclass_perceptron_loss",
    "multiclass_sparsemax_loss", "ntxent", "one_hot", "perceptron_loss", "poly_loss_cross_entropy",
    "ranking_softmax_loss", "relu", "relu6", "rms_norm", "safe_softmax_cross_entropy", "selu",
    "sigmoid", "sigmoid_binary_cross_entropy", "sigmoid_focal_loss", "silu", "smooth_labels",
    "soft_sign", "softmax", "softmax_cross_entropy", "softmax_cross_entropy_with_integer_labels",
    "softplus", "sparse_plus", "sparse_sigmoid", "sparsemax_loss", "squared_error", "squareplus",
    "standardize", "stax", "swish", "tanh", "triplet_margin_loss",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)
