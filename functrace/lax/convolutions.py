"""Convolutions of ``jax.lax``: any number of axes, strided, dilated, grouped.

A convolution is a product of matrices: each row of the one holds a window of the input, each column
of the other a filter. The windows are copied, so that BLAS can multiply them.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from functrace.errors import ArgumentError, ShapeMismatchError
from functrace.lax.products import in_type_of_product, product_in_type
from functrace.lax.shaping import pad
from functrace.lax.windows import for_each_axis, padding_of, spread
from functrace.primitives.linear import dtype_of, shape_of
from functrace.primitives.windowing import windows
from functrace.tracing.entrances import entrances
from functrace.tracing.operands import as_operand
from functrace.tracing.tracer import bind


class ConvDimensionNumbers(NamedTuple):
    """Where the axes are, of the input, the filters and the output.

    Attributes:
        lhs_spec: The axes of the input: examples, channels, then those along which windows move.
        rhs_spec: The axes of the filters: output channels, input channels, then the others.
        out_spec: The axes of the output: examples, channels, then the others.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> numbers = lax.ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
        >>> x, filters = np.ones((1, 8, 8, 3)), np.ones((3, 3, 3, 16))
        >>> lax.conv_general_dilated(x, filters, (1, 1), "VALID", dimension_numbers=numbers).shape
        (1, 6, 6, 16)
    """

    lhs_spec: tuple[int, ...]
    rhs_spec: tuple[int, ...]
    out_spec: tuple[int, ...]


DimensionNumbers: TypeAlias = ConvDimensionNumbers | tuple[str, str, str] | None


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: DimensionNumbers
) -> ConvDimensionNumbers:
    """Where the axes are, from three strings such as ``("NHWC", "HWIO", "NHWC")``.

    Args:
        lhs_shape: The shape of the input.
        rhs_shape: The shape of the filters.
        dimension_numbers: N and C say which axes of input and output hold examples and channels, O
            and I which of the filters hold output and input channels; the other letters name the
            axes along which windows move. None for these axes behind the others.

    Raises:
        ShapeMismatchError: The arrays have not as many axes as the strings have letters.
        ArgumentError: The strings do not name the same axes.

    Example:
        >>> from functrace import lax
        >>> letters = ("NHWC", "HWIO", "NHWC")
        >>> numbers = lax.conv_dimension_numbers((1, 8, 8, 3), (3, 3, 3, 16), letters)
        >>> numbers.lhs_spec, numbers.rhs_spec
        ((0, 3, 1, 2), (3, 2, 0, 1))
    """
    rank = len(lhs_shape)
    if len(rhs_shape) != rank:
        raise ShapeMismatchError(
            f"A convolution takes an input and filters of as many axes, not of shapes "
            f"{tuple(lhs_shape)} and {tuple(rhs_shape)}."
        )
    if rank < 2:
        raise ShapeMismatchError(
            f"A convolution's input has axes for examples and for channels; its shape is "
            f"{tuple(lhs_shape)}."
        )
    if dimension_numbers is None:
        order = tuple(range(rank))
        return ConvDimensionNumbers(order, order, order)
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return dimension_numbers
    lhs, rhs, out = dimension_numbers
    if not len(lhs) == len(rhs) == len(out) == rank:
        raise ShapeMismatchError(
            f"The dimension numbers {(lhs, rhs, out)} do not fit arrays of {rank} axes."
        )
    spatial = [letter for letter in rhs if letter not in "OI"]
    for letters, own in ((lhs, "NC"), (rhs, "OI"), (out, "NC")):
        if sorted(letters) != sorted([*own, *spatial]) or len(set(letters)) != rank:
            raise ArgumentError(
                f"The dimension numbers {(lhs, rhs, out)} do not name the same axes: "
                f"{letters!r} should hold {', '.join([*own, *spatial])}."
            )
    return ConvDimensionNumbers(
        *(
            tuple(letters.index(letter) for letter in (*own, *spatial))
            for letters, own in ((lhs, "NC"), (rhs, "OI"), (out, "NC"))
        )
    )


def conv_general_dilated(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: DimensionNumbers = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Move filters over an input, as networks do: a cross-correlation, with channels.

    Args:
        lhs: The input: examples, channels, and the axes along which windows move.
        rhs: The filters: output channels, input channels (of one group), and such axes.
        window_strides: How far it is from one window to the next, along each axis.
        padding: How many zeros to put before and after, along each axis (negative numbers take
            elements away); or "SAME" for as many windows as elements, divided by the stride,
            "SAME_LOWER" where the odd one stands before, "VALID" for none.
        lhs_dilation: One more than how many zeros to put between two elements of the input.
        rhs_dilation: How far two elements of a window are apart.
        dimension_numbers: Where the axes are: see `conv_dimension_numbers`.
        feature_group_count: Into how many groups the channels are divided; a group of output
            channels is computed of its group of input channels.
        batch_group_count: Into how many groups the examples are divided; a group of output
            channels is computed of its group of examples.
        precision: Taken, and without effect.
        preferred_element_type: The dtype of the result.

    Returns:
        An array with the axes of the input, where ``dimension_numbers`` says.

    Raises:
        ShapeMismatchError: The shapes do not fit together.
        ArgumentError: An option has not one number for each axis.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> image, filters = np.arange(16.0).reshape(1, 1, 4, 4), np.ones((1, 1, 2, 2))
        >>> lax.conv_general_dilated(image, filters, (2, 2), "VALID")[0, 0]
        array([[10., 18.],
               [42., 50.]])
    """
    lhs, rhs = in_type_of_product(lhs, rhs, preferred_element_type)
    numbers = conv_dimension_numbers(shape_of(lhs), shape_of(rhs), dimension_numbers)
    rank = len(numbers.lhs_spec) - 2
    strides = for_each_axis("window_strides", window_strides, rank)
    between = for_each_axis("lhs_dilation", lhs_dilation, rank)
    dilations = for_each_axis("rhs_dilation", rhs_dilation, rank)

    # Examples, places, channels; and elements of the window, input channels, output channels.
    examples, channels, *places = numbers.lhs_spec
    x = np.transpose(lhs, (examples, *places, channels))
    outputs, inputs, *elements = numbers.rhs_spec
    filters = np.transpose(rhs, (*elements, inputs, outputs))

    sizes, window = shape_of(x)[1:-1], shape_of(filters)[:-2]
    if isinstance(padding, str) and set(between) - {1}:
        raise ArgumentError(
            f"padding={padding!r} says nothing where lhs_dilation puts zeros between elements.",
            advice="Give pairs of numbers, or use conv_transpose.",
        )
    pads = padding_of(padding, spread(sizes, between), spread(window, dilations), strides)
    edges = [(*pair, step - 1) for pair, step in zip(pads, between, strict=True)]
    groups, x = _groups(x, filters, feature_group_count, batch_group_count)
    if any(edge != (0, 0, 0) for edge in edges):
        x = pad(x, dtype_of(x).type(0), [(0, 0, 0), *edges, (0, 0, 0)])
    if rank:
        x = _rows(x, window, strides, dilations)
    result = product_in_type(_product(x, filters, groups), preferred_element_type)
    # Axis i of the result is where axis i of examples, places, channels has come to.
    first, last, *middle = numbers.out_spec
    return np.transpose(result, np.argsort([first, *middle, last]))


def _groups(x: Any, filters: Any, of_features: int, of_batches: int) -> tuple[int, Any]:
    """How many groups of channels there are, and the input with channels in such groups.

    Groups of examples are groups of channels of a batch that has that many fewer examples.
    """
    shape, (inputs, outputs) = shape_of(x), shape_of(filters)[-2:]
    if min(of_features, of_batches) < 1 or of_features > 1 < of_batches:
        raise ArgumentError(
            f"A convolution has groups of features or of batches, here {of_features} and "
            f"{of_batches}."
        )
    groups = of_features * of_batches
    if shape[-1] != inputs * of_features or outputs % groups or shape[0] % of_batches:
        raise ShapeMismatchError(
            f"An input of {shape[0]} examples with {shape[-1]} channels does not fit filters of "
            f"{inputs} input and {outputs} output channels"
            + (f" in {groups} groups." if groups > 1 else ".")
        )
    if of_batches > 1:
        x = np.reshape(x, (of_batches, shape[0] // of_batches, *shape[1:]))
        x = np.moveaxis(x, 0, -2)
        x = np.reshape(x, (*shape_of(x)[:-2], of_batches * shape[-1]))
    return groups, x


def _rows(
    x: Any, lengths: Sequence[int], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> Any:
    """For each example and place the elements of a window and its channels, side by side."""
    rank = len(lengths)
    if all(length == 1 for length in lengths):
        every = tuple(builtins.slice(None, None, stride) for stride in strides)
        return x[(builtins.slice(None), *every)]
    along = tuple(range(1, rank + 1))
    found = bind(
        windows, x, along=along, lengths=tuple(lengths), steps=strides, dilations=dilations
    )
    # Elements of the window, examples, places, channels: the first ones go before the last.
    order = (*range(rank, 2 * rank + 1), *range(rank), 2 * rank + 1)
    return np.transpose(found, order)


def _product(x: Any, filters: Any, groups: int) -> Any:
    """The products of windows with filters, as examples, places and output channels."""
    *window, inputs, outputs = shape_of(filters)
    shape = shape_of(x)
    places = shape[: len(shape) - 1 - (len(window) if prod(window) > 1 else 0)]
    taken = prod(window)
    if groups == 1:
        rows = np.reshape(x, (prod(places), taken * inputs))
        return np.reshape(rows @ np.reshape(filters, (taken * inputs, outputs)), (*places, outputs))
    each = outputs // groups
    rows = np.reshape(x, (prod(places), taken, groups, inputs))
    rows = np.reshape(np.transpose(rows, (2, 0, 1, 3)), (groups, prod(places), taken * inputs))
    columns = np.reshape(filters, (taken, inputs, groups, each))
    columns = np.reshape(np.transpose(columns, (2, 0, 1, 3)), (groups, taken * inputs, each))
    return np.reshape(np.transpose(rows @ columns, (1, 0, 2)), (*places, outputs))


def conv(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """`conv_general_dilated` with examples and channels first, and nothing dilated.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> x = np.array([[[1.0, 2.0, 4.0, 8.0]]])
        >>> lax.conv(x, np.array([[[-1.0, 1.0]]]), (1,), "VALID")
        array([[[1., 2., 4.]]])
    """
    return conv_general_dilated(
        lhs, rhs, window_strides, padding, preferred_element_type=preferred_element_type
    )


def conv_with_general_padding(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """`conv_general_dilated` with examples and channels first.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> x, filters = np.array([[[1.0, 2.0, 3.0]]]), np.array([[[1.0, 1.0]]])
        >>> lax.conv_with_general_padding(x, filters, (1,), [(1, 0)], None, None)
        array([[[1., 3., 5.]]])
    """
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        preferred_element_type=preferred_element_type,
    )


def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: DimensionNumbers = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The convolution that goes the way back: each element is spread over a window.

    Args:
        lhs: The input.
        rhs: The filters.
        strides: How far the windows of two elements are apart, along each axis.
        padding: That of the convolution whose way back it is ("SAME" or "VALID"); or how many zeros
            to put around the input, after those between its elements.
        rhs_dilation: How far two elements of a window are apart.
        dimension_numbers: Where the axes are: see `conv_dimension_numbers`. None for channels
            last: ``("NHWC", "HWIO", "NHWC")`` of images.
        transpose_kernel: Whether the filters are those of the convolution whose way back it is:
            they are turned around, and their channels exchanged.
        precision: Taken, and without effect.
        preferred_element_type: The dtype of the result.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> signal, spread = np.array([1.0, 2.0]).reshape(1, 2, 1), np.ones((3, 1, 1))
        >>> lax.conv_transpose(signal, spread, (2,), "VALID")[0, :, 0]
        array([1., 1., 3., 2., 2.])
    """
    lhs, rhs = as_operand(lhs), as_operand(rhs)
    rank = len(shape_of(lhs))
    if dimension_numbers is None:
        between = "".join(chr(ord("0") + i) for i in range(rank - 2))
        dimension_numbers = (f"N{between}C", f"{between}IO", f"N{between}C")
    numbers = conv_dimension_numbers(shape_of(lhs), shape_of(rhs), dimension_numbers)
    dilation = for_each_axis("rhs_dilation", rhs_dilation, rank - 2)
    steps = for_each_axis("strides", strides, rank - 2)
    axes = numbers.rhs_spec[2:]
    if isinstance(padding, str):
        window = spread([shape_of(rhs)[axis] for axis in axes], dilation)
        padding = [
            _padding_of_transpose(length, step, padding)
            for length, step in zip(window, steps, strict=True)
        ]
    if transpose_kernel:
        rhs = np.flip(rhs, axes)
        outputs, inputs, *others = numbers.rhs_spec
        numbers = numbers._replace(rhs_spec=(inputs, outputs, *others))
    return conv_general_dilated(
        lhs,
        rhs,
        (1,) * (rank - 2),
        padding,
        steps,
        dilation,
        numbers,
        preferred_element_type=preferred_element_type,
    )


def _padding_of_transpose(length: int, stride: int, padding: str) -> tuple[int, int]:
    """How many zeros stand around the input, for a window of a length."""
    if padding == "SAME":
        total = length + stride - 2
        before = length - 1 if stride > length - 1 else -(-total // 2)
    elif padding == "VALID":
        total = length + stride - 2 + max(length - stride, 0)
        before = length - 1
    else:
        raise ArgumentError(f"padding is {padding!r}, which is neither 'SAME' nor 'VALID'.")
    return before, total - before


def conv_general_dilated_patches(
    lhs: Any,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: DimensionNumbers = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """The windows that a convolution multiplies with filters, as channels.

    Where the input has ``c`` channels, the output has ``c * prod(filter_shape)``: of each channel
    the elements of the window, in row-major order.

    Example:
        >>> import numpy as np
        >>> from functrace import lax
        >>> x = np.array([[[1.0, 2.0, 3.0, 4.0]]])
        >>> lax.conv_general_dilated_patches(x, (2,), (1,), "VALID")
        array([[[1., 2., 3.],
                [2., 3., 4.]]])
    """
    lhs = as_operand(lhs)
    rank, size = len(filter_shape), prod(filter_shape)
    shape = shape_of(lhs)
    if dimension_numbers is None:
        numbers = conv_dimension_numbers(shape, shape, None)
    else:
        numbers = conv_dimension_numbers(shape, (0,) * len(shape), dimension_numbers)
    channels = shape[numbers.lhs_spec[1]]
    # Each element of a window by a filter that is 1 there.
    one = np.reshape(np.eye(size, dtype=dtype_of(lhs)), (size, 1, *filter_shape))
    filters = np.tile(one, (channels, *(1,) * (rank + 1)))
    return conv_general_dilated(
        lhs,
        np.transpose(filters, np.argsort(numbers.rhs_spec)),
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        numbers,
        feature_group_count=channels,
        preferred_element_type=preferred_element_type,
    )


globals().update(entrances(globals()))
