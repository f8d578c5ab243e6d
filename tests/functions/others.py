"""What is decided on names of NumPy's that no row checks: these take no arrays, or are refused."""

from __future__ import annotations

from functrace.errors import LostDerivativeError, UnknownValueError
from tests.functions.decisions import alias, plain, refused, some_versions

# Other names of functions that have rows

alias("np.absolute", "np.abs")
alias("np.arccos", "np.acos")
alias("np.arccosh", "np.acosh")
alias("np.arcsin", "np.asin")
alias("np.arcsinh", "np.asinh")
alias("np.arctan", "np.atan")
alias("np.arctan2", "np.atan2")
alias("np.arctanh", "np.atanh")
alias("np.conjugate", "np.conj")
alias("np.divide", "np.true_divide")
alias("np.invert", "np.bitwise_invert", "np.bitwise_not")
alias("np.left_shift", "np.bitwise_left_shift")
alias("np.power", "np.pow")
alias("np.remainder", "np.mod")
alias("np.right_shift", "np.bitwise_right_shift")

# What takes no arrays that could be traced

plain("a constant", "False_ True_ e euler_gamma inf little_endian nan newaxis pi __version__")
plain("indices", "index_exp s_")
plain("looks at the shapes of its operands, which may be traced", "einsum_path")
plain("names of types", "ScalarType sctypeDict typecodes")
plain(
    "a module",
    "char core ctypeslib dtypes emath exceptions f2py fft lib linalg ma polynomial random rec"
    " strings testing typing",
)
plain(
    "a scalar type; called on a traced value, in `functrace.numpy`, it casts",
    "bool bool_ byte cdouble clongdouble complex128 complex256 complex64 csingle double float128"
    " float16 float32 float64 half int16 int32 int64 int8 int_ intc intp long longdouble longlong"
    " short single ubyte uint uint16 uint32 uint64 uint8 uintc uintp ulong ulonglong ushort",
)
plain(
    "an abstract type",
    "character complexfloating flexible floating generic inexact integer number signedinteger"
    " unsignedinteger",
)
plain(
    "a type of what is no number",
    "bytes_ datetime64 object_ record str_ timedelta64 void busdaycalendar",
)
plain(
    "a class of arrays that is never traced, or makes one", "asmatrix bmat matrix memmap recarray"
)
plain("the class of arrays: `functrace.numpy.ndarray` includes traced ones", "ndarray")
plain("the class of ufuncs", "ufunc")
plain("the class of `x.flat`", "flatiter")
plain(
    "about types",
    "dtype finfo iinfo isdtype issubdtype mintypecode promote_types typename"
    " __array_namespace_info__",
)
plain(
    "a setting",
    "errstate geterr geterrcall seterr seterrcall getbufsize setbufsize get_printoptions"
    " printoptions set_printoptions",
)
plain("text of whole numbers, whose values must be known", "base_repr binary_repr")
plain("about the installation", "get_include info show_config show_runtime test")
plain("reads text or files", "fromfile fromregex fromstring genfromtxt load loadtxt frombuffer")
plain(
    "of dates, which are never traced",
    "busday_count busday_offset datetime_as_string datetime_data is_busday isnat",
)
plain("an error", "LinAlgError", "np.linalg.")
plain(
    "makes an array of a known shape; that of `functrace.numpy` can be written with traced values",
    "empty identity indices ones zeros",
)
plain("indices of a known shape", "diag_indices mask_indices ndindex tril_indices triu_indices")
plain("of shapes", "broadcast_shapes")
plain("deprecated: `np.vstack`", "row_stack")
plain("False for a traced value, which is no scalar of Python's or NumPy's", "isscalar")
plain("frequencies of a known number", "fftfreq rfftfreq", "np.fft.")
plain("a window of a known length", "bartlett blackman hamming hanning")
for _family, _name in (
    ("polynomial", "poly"),
    ("chebyshev", "cheb"),
    ("legendre", "leg"),
    ("laguerre", "lag"),
    ("hermite", "herm"),
    ("hermite_e", "herme"),
):
    plain(
        "a constant", f"{_name}domain {_name}one {_name}x {_name}zero", f"np.polynomial.{_family}."
    )

# What is refused

for _call in ("array2string(t)", "array_repr(t)", "array_str(t)"):
    refused(f"np.{_call}", "str(x)")
for _call in ("format_float_positional(t[0])", "format_float_scientific(t[0])"):
    refused(
        f"np.{_call}",
        "Stay with arrays",
        LostDerivativeError,
        (UnknownValueError, "Stay with arrays"),
    )
for _call in ("save('x', t)", "savetxt('x', t)", "savez('x', t)", "savez_compressed('x', t)"):
    refused(f"np.{_call}", "Return it from the transformed function")
for _call in ("may_share_memory(t, t)", "shares_memory(t, t)"):
    refused(f"np.{_call}", "x.copy()")
for _call in ("nditer(t)", "nested_iters(t, [[0], []])", "broadcast(t, 1)"):
    refused(f"np.{_call}", "np.ndindex(x.shape)")
refused("np.min_scalar_type(t)", "x.dtype")
refused("np.lib.stride_tricks.as_strided(t)", "sliding_window_view")
refused(
    "np.fromiter(t, float)",
    "functrace.stop_gradient",
    LostDerivativeError,
    (UnknownValueError, "static"),
)
refused(
    "np.arange(t[0])", "functrace.stop_gradient", LostDerivativeError, (UnknownValueError, "static")
)

for _name, _words in (
    ("byteswap()", "return it from the transformed function"),
    ("getfield(float)", "x.real and x.imag"),
    ("setfield(1.0, float)", "x.real = v and x.imag = v"),
    ("ctypes", "return it from the transformed function"),
    ("data", "return it from the transformed function"),
    ("dump('x')", "Return it from the transformed function"),
    ("dumps()", "Return it from the transformed function"),
    ("tobytes()", "Return it from the transformed function"),
    ("tofile('x')", "Return it from the transformed function"),
    ("resize((3,))", "np.resize(x, shape)"),
    ("setflags(write=False)", "leave x.setflags(write=False) out"),
):
    refused(f"ndarray.{_name}", _words, AttributeError)
refused(
    "ndarray.item()", "functrace.stop_gradient", LostDerivativeError, (UnknownValueError, "static")
)
refused("np.from_dlpack(t)", "Stay with arrays", LostDerivativeError, (UnknownValueError, "static"))
refused(
    "ndarray.__dlpack__()", "Stay with arrays", LostDerivativeError, (UnknownValueError, "static")
)
plain("the array of which it is a view", "base", "ndarray.")
plain("its elements, to be read and written by their numbers", "flat", "ndarray.")
plain("how it lies in memory, where that is known", "flags strides", "ndarray.")
plain("refused: `functrace.numpy.asarray(x)` is a traced array", "__array__", "ndarray.")
plain("nested lists of traced numbers", "tolist", "ndarray.")
plain(
    "not there, as a traced array has no memory that others could read",
    "__array_interface__ __array_struct__",
    "ndarray.",
)
plain("the processor", "__dlpack_device__", "ndarray.")
plain("`functrace.numpy`", "__array_namespace__", "ndarray.")
plain(
    "by which NumPy hands its functions over",
    "__array_function__ __array_ufunc__ __array_wrap__",
    "ndarray.",
)

# Names that only some versions of NumPy have, from 2.0 on

some_versions(
    "np.__array_namespace_info__ np.cumulative_prod np.cumulative_sum np.matvec np.row_stack"
    " np.unstack np.vecmat np.in1d np.trapz"
    " ndarray.itemset ndarray.newbyteorder ndarray.ptp ndarray.tostring"
)
plain("deprecated: `np.isin`", "in1d")
plain("deprecated: `np.trapezoid`", "trapz")
plain("an error that says what to write", "itemset newbyteorder ptp tostring", "ndarray.")
