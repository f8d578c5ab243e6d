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
from functrace.nn.activations import log_sigmoid, relu, sigmoid, softplus
from functrace.nn.normalizing import log_softmax, logsumexp, one_hot, softmax
from functrace.primitives.linear import cast_to, dtype_of, shape_of
from functrace.scipy import special
from functrace.scipy.special import floating
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand


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
    terms = _labels(labels, logits) * log_softmax(logits, axis, where)
    return -_sum(terms, axis, where)


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


def smooth_labels(labels: Any, alpha: Any) -> Any:
    """Probabilities that are mixed with even ones (Müller et al., 2019).

    Args:
        labels: Probabilities of classes along the last axis, such as one-hot rows.
        alpha: The share of even probabilities.

    Example:
        >>> import numpy as np
        >>> from functrace import nn
        >>> nn.smooth_labels(np.array([[1.0, 0.0]]), 0.5)
        array([[0.75, 0.25]])
    """
    labels = floating(labels)
    return (1 - alpha) * labels + alpha / shape_of(labels)[-1]


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
