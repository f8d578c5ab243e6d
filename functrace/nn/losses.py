"""Losses, with the names, arguments and formulas of ``optax``.

A loss has one number for each prediction, or for each row of scores: take ``np.mean`` of it to
train. Where two lines meet, the derivative is that of the flat one: nothing is lost at a margin of
exactly 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functrace.control.loops import scan
from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.nn.activations import log_sigmoid, relu, sigmoid, softplus, sparse_plus
from functrace.nn.normalizing import log_softmax, logsumexp, one_hot, softmax, sparsemax
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.scipy import special
from functrace.scipy.special import floating
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.transforms.batch import vmap


def _errors(predictions: Any, targets: Any) -> Any:
    """Predictions minus targets, of one shape: broadcasting would compare all with all."""
    predictions = floating(predictions)
    if targets is None:
        return predictions
    targets = as_operand(targets)
    if shape_of(targets) not in (shape_of(predictions), ()):
        raise ShapeMismatchError(
            f"Predictions of shape {shape_of(predictions)} have targets of the same shape, "
            f"not of {shape_of(targets)}.",
            advice="Reshape one of them: NumPy would compare each prediction with each target.",
        )
    return predictions - targets


def _labels(labels: Any, scores: Any) -> Any:
    """Labels in the dtype of what they are compared with."""
    labels = as_operand(labels)
    return labels if dtype_of(labels).kind == "f" else cast_to(labels, dtype_of(scores))


def squared_error(predictions: Any, targets: Any = None) -> Any:
    """``(predictions - targets)**2``, for each element.

    Args:
        predictions: An array of real numbers.
        targets: An array of the same shape, or one number; None for 0.

    Returns:
        An array of the shape of ``predictions``.

    Raises:
        ShapeMismatchError: The shapes differ.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> np.mean(nn.squared_error(np.array([1.0, 4.0]), np.array([1.0, 2.0])))
        np.float64(2.0)
    """
    return np.square(_errors(predictions, targets))


def l2_loss(predictions: Any, targets: Any = None) -> Any:
    """Half of `squared_error`: its derivative is the error.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.l2_loss(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
        array([0., 2.])
    """
    return 0.5 * squared_error(predictions, targets)


def mean_squared_error(predictions: Any, targets: Any) -> Any:
    """The mean of `squared_error` over all elements: a single number.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.mean_squared_error(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
        np.float64(2.0)
    """
    return np.mean(squared_error(predictions, targets))


def absolute_error(predictions: Any, targets: Any = None) -> Any:
    """``abs(predictions - targets)``, whose derivative is 0 where they are equal.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.absolute_error(np.array([1.0, 4.0]), np.array([3.0, 4.0]))
        array([2., 0.])
    """
    return np.abs(_errors(predictions, targets))


def huber_loss(predictions: Any, targets: Any = None, delta: Any = 1.0) -> Any:
    """Half the squared error up to ``delta``, and a line from there on (Huber, 1964).

    Args:
        predictions: An array of real numbers.
        targets: An array of the same shape, or one number; None for 0.
        delta: A positive number: the error from which on the loss is a line of this slope.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.huber_loss(np.array([0.0, 1.0, 3.0]))
        array([0. , 0.5, 2.5])
    """
    error = np.abs(_errors(predictions, targets))
    parabola = np.square(error) / 2
    return np.where(error <= delta, parabola, delta * (error - delta / 2))


def log_cosh(predictions: Any, targets: Any = None) -> Any:
    """``log(cosh(predictions - targets))``: a parabola at 0, a line far from it, and smooth.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.log_cosh(np.array([0.0, np.log(2.0), 100.0])).round(3)
        array([ 0.   ,  0.223, 99.307])
    """
    error = _errors(predictions, targets)
    # cosh(e) = exp(e) (1 + exp(-2 e)) / 2, and cosh overflows.
    return error + softplus(-2 * error) - dtype_of(error).type(np.log(2))


def cosine_similarity(
    predictions: Any, targets: Any, *, epsilon: float = 0.0, axis: int = -1, where: Any = None
) -> Any:
    """The cosine of the angle between two vectors.

    Args:
        predictions: Vectors along ``axis``.
        targets: Vectors of the same shape.
        epsilon: The least length that a vector is taken to have; with 0 a vector of zeros gives
            nan.
        axis: The axis of the vectors.
        where: Which elements count.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> predictions = np.array([[1.0, 0.0], [3.0, 4.0]])
        >>> nn.cosine_similarity(predictions, np.array([[0.0, 2.0], [6.0, 8.0]]))
        array([0., 1.])
    """
    predictions, targets = floating(predictions), floating(targets)
    counted: dict[str, Any] = {"axis": axis}
    if where is not None:
        counted["where"] = where
    lengths = [
        np.sqrt(np.maximum(np.sum(np.square(x), **counted), epsilon**2))
        for x in (predictions, targets)
    ]
    return np.sum(predictions * targets, **counted) / (lengths[0] * lengths[1])


def cosine_distance(
    predictions: Any, targets: Any, *, epsilon: float = 0.0, axis: int = -1, where: Any = None
) -> Any:
    """One less `cosine_similarity`.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> predictions = np.array([[1.0, 0.0], [3.0, 4.0]])
        >>> nn.cosine_distance(predictions, np.array([[0.0, 2.0], [6.0, 8.0]]))
        array([1., 0.])
    """
    return 1.0 - cosine_similarity(predictions, targets, epsilon=epsilon, axis=axis, where=where)


def hinge_loss(predictor_outputs: Any, targets: Any) -> Any:
    """``max(0, 1 - outputs * targets)``, for targets of -1 and 1.

    Args:
        predictor_outputs: Scores, as an array.
        targets: -1 or 1 for each of them.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.hinge_loss(np.array([2.0, 0.5, -1.0]), np.array([1, 1, 1]))
        array([0. , 0.5, 2. ])
    """
    outputs = floating(predictor_outputs)
    return relu(1 - outputs * _labels(targets, outputs))


def perceptron_loss(predictor_outputs: Any, targets: Any) -> Any:
    """``max(0, -outputs * targets)``, for targets of -1 and 1 (Rosenblatt, 1958).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.perceptron_loss(np.array([2.0, -0.5]), np.array([1, 1]))
        array([0. , 0.5])
    """
    outputs = floating(predictor_outputs)
    return relu(-outputs * _labels(targets, outputs))


def sigmoid_binary_cross_entropy(logits: Any, labels: Any) -> Any:
    """Minus the logarithm of the probability of a label, where the sigmoid gives that of a 1.

    Args:
        logits: An array of real numbers, to which no sigmoid has been applied.
        labels: 0, 1, or a probability between, of a shape that broadcasts with ``logits``.

    Returns:
        An array with a number for each logit, exact far from 0 too. Its derivative in the logit is
        ``sigmoid(logits) - labels``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.sigmoid_binary_cross_entropy(np.array([0.0, 800.0, -800.0]), np.array([1, 1, 1]))
        array([6.93147181e-01, 0.00000000e+00, 8.00000000e+02])
    """
    logits = floating(logits)
    labels = _labels(labels, logits)
    return -labels * log_sigmoid(logits) - (1 - labels) * log_sigmoid(-logits)


def sigmoid_focal_loss(
    logits: Any, labels: Any, alpha: float | None = None, gamma: float = 2.0
) -> Any:
    """`sigmoid_binary_cross_entropy`, with less weight on what is known (Lin et al., 2017).

    Args:
        logits: An array of real numbers.
        labels: 0 or 1 for each of them.
        alpha: The weight of a 1, where that of a 0 is ``1 - alpha``; None for no weights.
        gamma: The power of the probability of the other label that weighs the entropy.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> logits, labels = np.array([0.0, np.log(3.0)]), np.array([1, 1])
        >>> nn.sigmoid_binary_cross_entropy(logits, labels).round(3)
        array([0.693, 0.288])
        >>> nn.sigmoid_focal_loss(logits, labels).round(3)
        array([0.173, 0.018])
    """
    logits = floating(logits)
    labels = _labels(labels, logits)
    likely = sigmoid(logits)
    wrong = likely * (1 - labels) + (1 - likely) * labels
    loss = sigmoid_binary_cross_entropy(logits, labels) * wrong**gamma
    return loss if alpha is None else loss * (alpha * labels + (1 - alpha) * (1 - labels))


def softmax_cross_entropy(logits: Any, labels: Any, axis: int = -1, where: Any = None) -> Any:
    """Minus the mean logarithm of the softmax, weighed by the probabilities of the labels.

    Args:
        logits: Scores of classes along ``axis``, to which no softmax has been applied.
        labels: Probabilities of the classes, of a shape that broadcasts with ``logits``: one-hot
            rows, for example.
        axis: The axis of the classes.
        where: Which classes count.

    Returns:
        An array without that axis. Its derivative in the logits is ``softmax(logits) - labels``,
        for labels that sum to 1.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.softmax_cross_entropy(np.array([[0.0, np.log(3.0)]]), np.array([[0.0, 1.0]]))
        array([0.28768207])
    """
    logits = floating(logits)
    logarithms = log_softmax(logits, axis, where)
    if where is not None:
        # Of classes that do not count it is minus infinity, and their labels are 0.
        logarithms = np.where(where, logarithms, dtype_of(logits).type(0))
    return -_sum(_labels(labels, logits) * logarithms, axis, where)


def _sum(terms: Any, axis: int, where: Any) -> Any:
    return np.sum(terms if where is None else np.where(where, terms, 0), axis=axis)


def safe_softmax_cross_entropy(logits: Any, labels: Any) -> Any:
    """`softmax_cross_entropy` where a logit may be minus infinity if its label is 0.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> logits = np.array([0.0, 0.0, -np.inf])
        >>> nn.safe_softmax_cross_entropy(logits, np.array([1.0, 0.0, 0.0])).round(3)
        np.float64(0.693)
    """
    logits = floating(logits)
    labels = _labels(labels, logits)
    logarithms = log_softmax(logits)
    return -np.sum(np.where(labels == 0, 0, labels * np.where(labels == 0, 0, logarithms)), axis=-1)


def softmax_cross_entropy_with_integer_labels(
    logits: Any, labels: Any, axis: int = -1, where: Any = None
) -> Any:
    """`softmax_cross_entropy` where one class is right, given by its number.

    Args:
        logits: Scores of classes along ``axis``.
        labels: The numbers of the right classes, of the shape of ``logits`` without that axis.
        axis: The axis of the classes.
        where: Which classes count.

    Raises:
        ArgumentError: The labels are no integers.
        ShapeMismatchError: They have another shape.
        IndexError: There is no class of this number.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> logits = np.array([[0.0, np.log(3.0)]])
        >>> nn.softmax_cross_entropy_with_integer_labels(logits, np.array([1])).round(3)
        array([0.288])
    """
    logits, labels = floating(logits), as_operand(labels)
    own = _own_scores(logits, labels, axis)
    return logsumexp(logits, axis, where=where) - own


def _own_scores(scores: Any, labels: Any, axis: int = -1) -> Any:
    """The score of the class that is right."""
    if dtype_of(labels).kind not in "iu":
        raise ArgumentError(
            f"Labels are the numbers of classes, integers, and not {dtype_of(labels)}.",
            advice="For probabilities of classes there is functrace.nn.softmax_cross_entropy.",
        )
    shape = list(shape_of(scores))
    count = shape.pop(axis)
    if shape_of(labels) != tuple(shape):
        raise ShapeMismatchError(
            f"Scores of shape {shape_of(scores)} with {count} classes on axis {axis} have labels "
            f"of shape {tuple(shape)}, not of {shape_of(labels)}."
        )
    return np.squeeze(np.take_along_axis(scores, np.expand_dims(labels, axis), axis), axis)


def poly_loss_cross_entropy(
    logits: Any, labels: Any, epsilon: Any = 2.0, axis: int = -1, where: Any = None
) -> Any:
    """`softmax_cross_entropy` and ``epsilon`` times the wrong probability (Leng et al., 2022).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> logits, labels = np.array([[0.0, np.log(3.0)]]), np.array([[0.0, 1.0]])
        >>> nn.softmax_cross_entropy(logits, labels).round(3)
        array([0.288])
        >>> nn.poly_loss_cross_entropy(logits, labels, epsilon=2.0).round(3)
        array([0.788])
    """
    logits = floating(logits)
    labels = _labels(labels, logits)
    wrong = _sum(labels * (1 - softmax(logits, axis, where)), axis, where)
    return softmax_cross_entropy(logits, labels, axis, where) + epsilon * wrong


def multiclass_hinge_loss(scores: Any, labels: Any) -> Any:
    """How far the score of the right class is from 1 above that of any other, or 0.

    Args:
        scores: Scores of classes along the last axis.
        labels: The numbers of the right classes, without that axis (Crammer and Singer, 2001).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.multiclass_hinge_loss(np.array([[3.0, 1.0], [0.5, 0.25]]), np.array([0, 0]))
        array([0.  , 0.75])
    """
    scores, labels = floating(scores), as_operand(labels)
    own = _own_scores(scores, labels)
    margins = 1 - one_hot(labels, shape_of(scores)[-1], dtype=dtype_of(scores))
    return np.max(scores + margins, axis=-1) - own


def multiclass_perceptron_loss(scores: Any, labels: Any) -> Any:
    """How far the score of the right class is below the greatest (Collins, 2002).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.multiclass_perceptron_loss(np.array([[3.0, 1.0], [3.0, 1.0]]), np.array([0, 1]))
        array([0., 2.])
    """
    scores, labels = floating(scores), as_operand(labels)
    return np.max(scores, axis=-1) - _own_scores(scores, labels)


def kl_divergence(log_predictions: Any, targets: Any, axis: int = -1, where: Any = None) -> Any:
    """The divergence of Kullback and Leibler from predictions to targets.

    Args:
        log_predictions: Logarithms of probabilities along ``axis``.
        targets: Probabilities, where those of 0 count for nothing.
        axis: The axis of the events.
        where: Which events count.

    Returns:
        An array without that axis: the sum of ``targets * (log(targets) - log_predictions)``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> targets = np.array([0.5, 0.5, 0.0])
        >>> nn.kl_divergence(np.log(np.array([0.25, 0.25, 0.5])), targets).round(3)
        np.float64(0.693)
    """
    targets = floating(targets)
    logarithms = np.where(targets == 0, 0, floating(log_predictions))  # it may be infinite there
    entropy = cast_to(special.xlogy(targets, targets), dtype_of(targets))  # not of half precision
    return _sum(entropy - targets * logarithms, axis, where)


def kl_divergence_with_log_targets(
    log_predictions: Any, log_targets: Any, axis: int = -1, where: Any = None
) -> Any:
    """`kl_divergence` of targets that are given as logarithms.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> predictions, targets = np.array([0.5, 0.5]), np.array([0.25, 0.75])
        >>> nn.kl_divergence_with_log_targets(np.log(predictions), np.log(targets)).round(3)
        np.float64(0.131)
        >>> nn.kl_divergence(np.log(predictions), targets).round(3)
        np.float64(0.131)
    """
    log_targets = floating(log_targets)
    terms = np.exp(log_targets) * (log_targets - floating(log_predictions))
    return _sum(terms, axis, where)


def generalized_kl_divergence(
    log_predictions: Any, targets: Any, axis: int = -1, where: Any = None
) -> Any:
    """`kl_divergence` of positive numbers that need not sum to 1 (Bregman, 1967).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> float(nn.generalized_kl_divergence(np.log([1.0, 2.0]), np.array([1.0, 1.0])).round(3))
        0.307
    """
    more = np.exp(floating(log_predictions)) - floating(targets)
    return kl_divergence(log_predictions, targets, axis, where) + _sum(more, axis, where)


convex_kl_divergence = generalized_kl_divergence


def sparsemax_loss(logits: Any, labels: Any) -> Any:
    """A loss that is 0 from a margin of 1 on, and smooth (Blondel et al., 2020, section 4.4).

    Args:
        logits: An array of real numbers.
        labels: 0 or 1 for each of them.

    Returns:
        An array of the shape of ``logits``. Its derivative is ``sparse_sigmoid(logits) - labels``.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.sparsemax_loss(np.array([0.0, 2.0, -3.0]), np.array([1, 1, 1]))
        array([0.25, 0.  , 3.  ])
    """
    logits = floating(logits)
    return sparse_plus(np.where(np.not_equal(as_operand(labels), 0), -logits, logits))


def multiclass_sparsemax_loss(scores: Any, labels: Any) -> Any:
    """`sparsemax_loss` of more than two classes (Martins and Astudillo, 2016).

    Args:
        scores: Scores of classes along the last axis.
        labels: The numbers of the right classes, without that axis.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.multiclass_sparsemax_loss(np.array([[2.0, 0.5], [0.0, 0.0]]), np.array([0, 1]))
        array([0.  , 0.25])
    """
    scores, labels = floating(scores), as_operand(labels)
    likely = sparsemax(scores)
    value = np.sum(likely * scores, axis=-1) + (1 - np.sum(np.square(likely), axis=-1)) / 2
    return value - _own_scores(scores, labels)


def make_fenchel_young_loss(max_fun: Any) -> Any:
    """The loss ``max_fun(scores) - scores @ targets`` (Blondel, Martins and Niculae, 2020).

    Args:
        max_fun: A convex function of a vector of scores, the greatest of ``scores @ y`` less a
            regularization of y; the loss is 0 where its gradient gives the targets.

    Returns:
        A function of scores, targets, and what else ``max_fun`` takes, along the last axis.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> loss = nn.make_fenchel_young_loss(nn.logsumexp)
        >>> scores, targets = np.array([0.0, np.log(3.0)]), np.array([0.0, 1.0])
        >>> loss(scores, targets).round(6) == nn.softmax_cross_entropy(scores, targets).round(6)
        np.True_
    """

    def loss(scores: Any, targets: Any, *args: Any, **options: Any) -> Any:
        scores, targets = floating(scores), as_operand(targets)
        shape = shape_of(scores)
        rows = np.reshape(scores, (-1, shape[-1]))
        most = vmap(lambda row: max_fun(row, *args, **options))(rows)
        most = np.reshape(most, shape[:-1])
        return most - np.sum(scores * targets, axis=-1)

    return loss


def ranking_softmax_loss(
    logits: Any, labels: Any, *, where: Any = None, weights: Any = None, reduce_fn: Any = np.mean
) -> Any:
    """`softmax_cross_entropy` of lists of things that are graded (Cao et al., ListNet, 2007).

    Args:
        logits: Scores of the things in a list along the last axis.
        labels: Their relevance, of the same shape.
        where: Which things there are.
        weights: Of each thing.
        reduce_fn: What makes one number of the losses of lists, ``reduce_fn(losses, where=...)``;
            None for the losses themselves.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> logits, labels = np.array([[0.0, np.log(3.0)]]), np.array([[0.0, 2.0]])
        >>> nn.ranking_softmax_loss(logits, labels).round(3)
        np.float64(0.575)
    """
    logits = floating(logits)
    labels = _labels(labels, logits)
    labels = labels if weights is None else labels * weights
    if where is None:
        losses = softmax_cross_entropy(logits, labels)
        return losses if reduce_fn is None else reduce_fn(losses)
    counts = np.any(where, axis=-1)
    # An empty list has no softmax, and counts for nothing.
    there = np.logical_or(where, ~counts[..., np.newaxis])
    losses = np.where(counts, softmax_cross_entropy(logits, labels, where=there), 0)
    if reduce_fn is None:
        return losses
    if reduce_fn is np.mean:
        # The mean of no list is 0.
        number = np.sum(counts, dtype=dtype_of(losses))
        return np.sum(losses) / np.maximum(number, dtype_of(losses).type(1))
    return reduce_fn(losses, where=counts)


def ntxent(embeddings: Any, labels: Any, temperature: Any = 0.07) -> Any:
    """How likely vectors with the same label find each other (Chen et al., SimCLR, 2020).

    Args:
        embeddings: Vectors, of shape (count, features).
        labels: A whole number for each of them; at least two have the same.
        temperature: What the cosines of angles are divided by.

    Returns:
        The mean over all pairs with one label of minus the logarithm of the softmax of their
        cosine, among the pairs with other labels.

    Raises:
        ShapeMismatchError: There is not one label for each vector.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> nn.ntxent(vectors, np.array([0, 0, 1, 1]), temperature=1.0).round(3)
        np.float64(0.551)
    """
    embeddings, labels = floating(embeddings), as_operand(labels)
    shape = shape_of(embeddings)
    if len(shape) != 2 or shape_of(labels) != shape[:1]:
        raise ShapeMismatchError(
            f"Vectors of shape {shape} (count, features) have labels of shape (count,), not of "
            f"{shape_of(labels)}."
        )
    least = np.finfo(dtype_of(embeddings)).eps
    pairs = embeddings[np.newaxis], embeddings[:, np.newaxis]
    cosines = cosine_similarity(*pairs, epsilon=least) / temperature
    same = np.equal(labels[:, np.newaxis], labels)
    others = logsumexp(cosines, -1, where=~same)[:, np.newaxis]
    losses = np.logaddexp(cosines, others) - cosines
    pairs = np.logical_and(same, ~np.eye(shape[0], dtype=bool))
    return np.sum(np.where(pairs, losses, 0)) / np.sum(pairs, dtype=dtype_of(losses))


def triplet_margin_loss(
    anchors: Any,
    positives: Any,
    negatives: Any,
    axis: int = -1,
    norm_degree: Any = 2,
    margin: Any = 1.0,
    eps: Any = 1e-6,
) -> Any:
    """``max(0, distance(anchor, positive) - distance(anchor, negative) + margin)``.

    Balntas et al., Learning local feature descriptors with triplets, BMVC 2016.

    Args:
        anchors: Vectors along ``axis``.
        positives: What is to be near to them,
        negatives: and what is to be far.
        axis: The axis of the vectors.
        norm_degree: Of the norm that is the distance.
        margin: How much farther the negatives are to be.
        eps: What is added below the root.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> anchor, near, far = np.zeros(2), np.array([0.0, 1.0]), np.array([0.0, 1.5])
        >>> nn.triplet_margin_loss(anchor, near, far).round(3)
        np.float64(0.5)
    """
    distances = [
        (np.sum(np.abs(floating(anchors) - x) ** norm_degree, axis=axis) + eps) ** (1 / norm_degree)
        for x in (floating(positives), floating(negatives))
    ]
    return relu(distances[0] - distances[1] + margin)


def dice_loss(
    predictions: Any,
    targets: Any,
    *,
    class_weights: Any = None,
    smooth: Any = 1.0,
    alpha: Any = 0.5,
    beta: Any = 0.5,
    apply_softmax: bool = True,
    reduction: str = "mean",
    ignore_background: bool = False,
    axis: Any = None,
) -> Any:
    """One less the share that is common to two segmentations (Milletari et al., V-Net, 2016).

    ``1 - (common + smooth) / (common + alpha * more + beta * less + smooth)``, where more is what
    is predicted only, and less what is not: with other weights than a half it is that of Tversky.

    Args:
        predictions: Scores of shape (examples, places, ..., classes); or without the axis of one
            class.
        targets: One-hot, or for one class 0 or 1, of the same shape.
        class_weights: Of shape (classes,).
        smooth: What is added above and below.
        alpha: The weight of what is predicted wrongly,
        beta: and of what is not found.
        apply_softmax: Whether the predictions are scores, and a softmax, or of one class a sigmoid,
            makes probabilities of them.
        reduction: "mean" or "sum" over the classes, or "none".
        ignore_background: Whether the first class of several is left out.
        axis: The axes of the places; None for all but the first and the last one.

    Returns:
        Losses of shape (examples,), or (examples, classes).

    Raises:
        ShapeMismatchError: The shapes differ.
        ArgumentError: There is no such reduction.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> masks = np.array([[[1.0], [1.0], [0.0], [0.0]]])
        >>> nn.dice_loss(masks * 40 - 20, masks, smooth=0.0).round(6) + 0.0
        array([0.])
    """
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(f"reduction={reduction!r} is none of 'mean', 'sum', 'none'.")
    predictions, targets = floating(predictions), as_operand(targets)
    if len(shape_of(predictions)) == len(shape_of(targets)) - 1:
        predictions = predictions[..., np.newaxis]
    if len(shape_of(targets)) == len(shape_of(predictions)) - 1:
        targets = targets[..., np.newaxis]
    shape = shape_of(predictions)
    if shape_of(targets) != shape:
        raise ShapeMismatchError(
            f"Predictions of shape {shape} have targets of the same shape, not of "
            f"{shape_of(targets)}."
        )
    targets, likely = _labels(targets, predictions), predictions
    if apply_softmax:
        likely = sigmoid(predictions) if shape[-1] == 1 else softmax(predictions)
    places = tuple(range(1, len(shape) - 1)) if axis is None else axis
    common = np.sum(likely * targets, axis=places)
    more, less = np.sum(likely, axis=places) - common, np.sum(targets, axis=places) - common
    losses = 1 - (common + smooth) / (common + alpha * more + beta * less + smooth)
    losses = losses if class_weights is None else losses * class_weights
    if ignore_background and shape[-1] > 1:
        losses = losses[..., 1:]
    if reduction == "none":
        return losses
    return np.mean(losses, axis=-1) if reduction == "mean" else np.sum(losses, axis=-1)


def multiclass_generalized_dice_loss(
    predictions: Any,
    targets: Any,
    *,
    smooth: Any = 1.0,
    apply_softmax: bool = True,
    ignore_background: bool = False,
) -> Any:
    """The mean of `dice_loss`, with weights that are large for rare classes (Sudre et al., 2017).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> masks = np.array([[[1.0, 0.0], [0.0, 1.0]]])
        >>> float(nn.multiclass_generalized_dice_loss(masks * 40, masks).round(6))
        0.0
    """
    targets = floating(targets)
    counts = np.sum(targets, axis=tuple(range(len(shape_of(targets)) - 1)))
    weights = 1 / (np.square(counts) + 1e-7)
    losses = dice_loss(
        predictions,
        targets,
        class_weights=weights / np.mean(weights),
        smooth=smooth,
        apply_softmax=apply_softmax,
        reduction="none",
        ignore_background=ignore_background,
    )
    return np.mean(losses)


def binary_dice_loss(
    predictions: Any, targets: Any, *, smooth: Any = 1.0, apply_sigmoid: bool = True
) -> Any:
    """`dice_loss` of one class: scores of shape (examples, places, ...), and 0 or 1 for each.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> masks = np.array([[1.0, 1.0, 0.0, 0.0]])
        >>> nn.binary_dice_loss(masks * 40 - 20, masks, smooth=0.0).round(6) + 0.0
        array([0.])
    """
    predictions, targets = floating(predictions), as_operand(targets)
    shape = shape_of(predictions)
    if len(shape) == len(shape_of(targets)) and shape[-1] != 1:
        predictions, targets = predictions[..., np.newaxis], targets[..., np.newaxis]
    return dice_loss(predictions, targets, smooth=smooth, apply_softmax=apply_sigmoid)


def smooth_labels(labels: Any, alpha: Any, *, axis: Any = -1, where: Any = None) -> Any:
    """Probabilities that are mixed with even ones (Müller et al., 2019).

    Args:
        labels: Probabilities of classes, such as one-hot rows.
        alpha: The share of even probabilities.
        axis: The axis of the classes, or the axes; None for all.
        where: Which classes there are.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.smooth_labels(np.array([[1.0, 0.0]]), 0.5)
        array([[0.75, 0.25]])
    """
    labels = floating(labels)
    there = np.ones(shape_of(labels), dtype_of(labels)) if where is None else where
    count = np.sum(there, axis=axis, keepdims=True, dtype=dtype_of(labels))
    return (1 - alpha) * labels + alpha / count


def ctc_loss(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    blank_id: int = 0,
    log_epsilon: float = -1e5,
) -> Any:
    """Connectionist temporal classification (Graves et al., 2006, equations 6 to 8).

    A label may stand in several frames in a row, blanks may stand between labels, and must between
    two equal ones: the loss is minus the logarithm of the sum over all such paths.

    Args:
        logits: Scores of classes in each frame, shape (batch, frames, classes).
        logit_paddings: 1 for frames at the end that do not count, shape (batch, frames).
        labels: Whole numbers, shape (batch, length), none of which is the blank.
        label_paddings: 1 for labels at the end that do not count, shape (batch, length).
        blank_id: The class of the blank.
        log_epsilon: What stands for the logarithm of 0.

    Returns:
        An array of shape (batch,).

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> one = np.zeros((1, 1))  # one frame, of three classes that are as likely
        >>> nn.ctc_loss(np.zeros((1, 1, 3)), one, np.ones((1, 1), int), one).round(6)
        array([1.098612])
    """
    scores, labels = log_softmax(floating(logits)), as_operand(labels)
    batch, length = shape_of(labels)
    blanks = np.full((batch, length + 1), blank_id)
    path = np.reshape(np.stack([blanks[:, :-1], labels], -1), (batch, 2 * length))
    path = np.concatenate([path, blanks[:, -1:]], axis=1)  # a blank before and after each label
    before = np.concatenate([np.full((batch, 2), blank_id), path[:, :-2]], axis=1)
    skips = np.logical_and(np.not_equal(path, before), np.not_equal(path, blank_id))
    nowhere = np.full((batch, 1), log_epsilon, dtype_of(scores))
    start = np.concatenate([nowhere * 0, *[nowhere] * (2 * length)], axis=1)

    def step(paths: Any, given: Any) -> Any:
        own, is_padding = given
        moved = np.concatenate([nowhere, paths[:, :-1]], axis=1)
        jumped = np.concatenate([nowhere, moved[:, :-1]], axis=1)
        jumped = np.where(skips, jumped, log_epsilon)
        total = np.logaddexp(np.logaddexp(paths, moved), jumped)
        total = total + np.take_along_axis(own, path, axis=1)
        return np.where(is_padding[:, None] > 0, paths, np.maximum(total, log_epsilon)), None

    rows = np.moveaxis(scores, 1, 0), np.moveaxis(as_operand(logit_paddings), 1, 0)
    paths, _ = scan(step, start, rows)
    count = length - np.sum(cast_to(as_operand(label_paddings), np.dtype(np.int64)), axis=1)
    ends = np.stack([2 * count, np.maximum(2 * count - 1, 0)], axis=1)
    last, label = np.moveaxis(np.take_along_axis(paths, ends, axis=1), 1, 0)
    return -np.where(np.greater(count, 0), np.logaddexp(last, label), last)


globals().update(entrances(globals()))
