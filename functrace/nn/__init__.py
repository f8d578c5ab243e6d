"""The names of ``jax.nn``: activations, softmax and its family, attention; and losses of ``optax``.

What is linear in pieces has at its kink the derivative that JAX gives it: that of `relu` at 0 is 0.
"""

from functrace.nn import initializers
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
from functrace.nn.losses import (
    absolute_error,
    cosine_distance,
    cosine_similarity,
    hinge_loss,
    huber_loss,
    kl_divergence,
    kl_divergence_with_log_targets,
    l2_loss,
    log_cosh,
    mean_squared_error,
    multiclass_hinge_loss,
    multiclass_perceptron_loss,
    perceptron_loss,
    poly_loss_cross_entropy,
    safe_softmax_cross_entropy,
    sigmoid_binary_cross_entropy,
    sigmoid_focal_loss,
    smooth_labels,
    softmax_cross_entropy,
    softmax_cross_entropy_with_integer_labels,
    squared_error,
)
from functrace.nn.normalizing import (
    log_softmax,
    logmeanexp,
    logsumexp,
    one_hot,
    softmax,
    standardize,
)

__all__ = [
    "absolute_error", "celu", "cosine_distance", "cosine_similarity", "dot_product_attention",
    "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "hinge_loss",
    "huber_loss", "identity", "initializers", "kl_divergence", "kl_divergence_with_log_targets",
    "l2_loss", "leaky_relu", "log1mexp", "log_cosh", "log_sigmoid", "log_softmax", "logmeanexp",
    "logsumexp", "mean_squared_error", "mish", "multiclass_hinge_loss",
    "multiclass_perceptron_loss", "one_hot", "perceptron_loss", "poly_loss_cross_entropy", "relu",
    "relu6", "safe_softmax_cross_entropy", "selu", "sigmoid", "sigmoid_binary_cross_entropy",
    "sigmoid_focal_loss", "silu", "smooth_labels", "soft_sign", "softmax",
    "softmax_cross_entropy", "softmax_cross_entropy_with_integer_labels", "softplus",
    "sparse_plus", "sparse_sigmoid", "squared_error", "squareplus", "standardize", "swish",
    "tanh",
]  # fmt: skip
