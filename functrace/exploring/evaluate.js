// Runs Programs on small arrays, as NumPy would: what the page computes when a number is edited.
//
// An array is {shape, dtype, data}: its elements in row-major order, as JavaScript's numbers, booleans
// as 0 and 1. A Program is data: {inputs, equations, outputs}, as listing.py writes it.
"use strict";

const evaluator = (() => {
  class Unsupported extends Error {}

  const MOST_TRIPS = 100000;
  const MOST_PRODUCTS = 4e6;

  const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const make = (shape, data, dtype = "float64") => ({ shape, dtype, data });

  function stridesOf(shape) {
    const strides = new Array(shape.length).fill(1);
    for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
    return strides;
  }

  // For each index of a shape, in row-major order, `first` plus the sum of index times stride.
  function offsets(shape, strides, first = 0) {
    let found = [first];
    shape.forEach((length, axis) => {
      const next = [];
      for (const start of found)
        for (let i = 0; i < length; i++) next.push(start + i * strides[axis]);
      found = next;
    });
    return found;
  }

  // Dtypes

  const isFloat = (dtype) => dtype.startsWith("float");
  const BITS = { int8: [8, true], int16: [16, true], int32: [32, true], int64: [64, true],
    uint8: [8, false], uint16: [16, false], uint32: [32, false], uint64: [64, false] };

  function whole(x, dtype) {
    const [bits, isSigned] = BITS[dtype];
    if (!Number.isFinite(x)) throw new Unsupported(`a whole number of ${x}`);
    x = Math.trunc(x);
    if (bits < 64) {
      const big = isSigned ? BigInt.asIntN(bits, BigInt(x)) : BigInt.asUintN(bits, BigInt(x));
      return Number(big);
    }
    if (!Number.isSafeInteger(x) || (!isSigned && x < 0))
      throw new Unsupported("whole numbers beyond 2**53");
    return x + 0;
  }

  function cast(data, dtype) {
    if (dtype === "float64") return data;
    if (dtype === "float32") return data.map(Math.fround);
    if (dtype === "bool") return data.map((x) => (x ? 1 : 0));
    if (dtype in BITS) return data.map((x) => whole(x, dtype));
    throw new Unsupported(`numbers of dtype ${dtype}`);
  }

  // Broadcasting

  function broadcastShapes(shapes) {
    const rank = Math.max(0, ...shapes.map((s) => s.length));
    return range(rank).map((i) => {
      let length = 1;
      for (const shape of shapes) {
        const own = shape[i - rank + shape.length];
        if (own !== undefined && own !== 1) length = own;
      }
      return length;
    });
  }

  function broadcast(x, shape) {
    if (x.shape.length === shape.length && x.shape.every((n, i) => n === shape[i])) return x.data;
    const own = stridesOf(x.shape);
    const extra = shape.length - x.shape.length;
    const strides = shape.map((_, i) => (i < extra || x.shape[i - extra] === 1 ? 0 : own[i - extra]));
    return offsets(shape, strides).map((at) => x.data[at]);
  }

  const elementwise = (f) => (inputs) => {
    const shape = broadcastShapes(inputs.map((x) => x.shape));
    const data = inputs.map((x) => broadcast(x, shape));
    const dtypes = inputs.map((x) => x.dtype);
    return make(shape, range(sizeOf(shape)).map((i) => f(...data.map((d) => d[i]), dtypes)));
  };

  // Functions of numbers

  const isMinus = (x) => x < 0 || Object.is(x, -0);
  const copysign = (x, y) => (isMinus(x) === isMinus(y) ? x : -x);

  function power(x, y) {
    if (x === 1 || y === 0) return 1;
    if (x === -1 && Math.abs(y) === Infinity) return 1;
    return x ** y;
  }

  function rint(x) {
    const down = Math.floor(x);
    const rest = x - down;
    if (rest === 0.5) return copysign(down % 2 ? down + 1 : down, x);
    return copysign(rest < 0.5 ? down : down + 1, x);
  }

  // Quotient and rest, as Python and NumPy have them.
  function divided(x, y, dtypes) {
    if (y === 0 && !dtypes.some(isFloat)) return [0, 0];
    let rest = x % y;
    let quotient = (x - rest) / y;
    if (y === 0) return [x / y, NaN];
    if (rest === 0) rest = copysign(0, y);
    else if (rest < 0 !== y < 0) {
      rest += y;
      quotient -= 1;
    }
    if (quotient === 0) return [copysign(0, x / y), rest];
    const down = Math.floor(quotient);
    return [quotient - down > 0.5 ? down + 1 : down, rest];
  }

  const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

  function logAddExp(x, y) {
    if (x === y) return x + Math.LN2;
    return Math.max(x, y) + Math.log1p(Math.exp(-Math.abs(x - y)));
  }

  function gcd(x, y) {
    while (y) [x, y] = [y, x % y];
    return Math.abs(x);
  }

  const overNaN = (f) => (x, y) => (Number.isNaN(x) ? y : Number.isNaN(y) ? x : f(x, y));
  const orZero = (f) => (t, x) => (t === 0 ? 0 : f(t, x));
  const times = (x, y) => x * y;
  const product = (x, y, dtypes) =>
    dtypes && dtypes.every((d) => d === "int32") ? Math.imul(x, y) : x * y;
  const entropy = (x) => (x > 0 ? -x * Math.log(x) : x === 0 ? 0 : x < 0 ? -Infinity : NaN);
  const same = (x) => x;
  const bits = (f) => (x, y) => Number(f(BigInt(x), BigInt(y)));
  const truth = (f) => (...xs) => (f(...xs) ? 1 : 0);
  const xLog = (x, y) => (x === 0 && !Number.isNaN(y) ? 0 : x * Math.log(y));

  const OF_NUMBERS = {
    add: (x, y) => x + y,
    subtract: (x, y) => x - y,
    multiply: product,
    divide: (x, y) => x / y,
    remainder: (x, y, dtypes) => divided(x, y, dtypes)[1],
    fmod: (x, y) => x % y,
    floor_divide: (x, y, dtypes) => divided(x, y, dtypes)[0],
    power,
    power_in_rule: power,
    negative: (x) => -x,
    positive: same,
    square: (x) => x * x,
    reciprocal: (x) => 1 / x,
    sqrt: Math.sqrt,
    root: Math.sqrt,
    cbrt: Math.cbrt,
    absolute: Math.abs,
    fabs: Math.abs,
    sign: Math.sign,
    hypot: (x, y) => Math.hypot(x, y),
    copysign,
    heaviside: (x, y) => (x > 0 ? 1 : x < 0 ? 0 : x === 0 ? y : NaN),
    direction: (x, size) => (size === 0 ? 0 : x / size),
    exp: Math.exp,
    exp2: (x) => 2 ** x,
    expm1: Math.expm1,
    log: Math.log,
    log2: Math.log2,
    log10: Math.log10,
    log1p: Math.log1p,
    logaddexp: logAddExp,
    sigmoid,
    expit: sigmoid,
    log_expit: (x) => -logAddExp(0, -x),
    logit: (x) => Math.log(x / (1 - x)),
    xlogy: xLog,
    xlog1py: (x, y) => (x === 0 && !Number.isNaN(y) ? 0 : x * Math.log1p(y)),
    entr: entropy,
    sin: Math.sin,
    cos: Math.cos,
    tan: Math.tan,
    arcsin: Math.asin,
    arccos: Math.acos,
    arctan: Math.atan,
    arctan2: Math.atan2,
    sinh: Math.sinh,
    cosh: Math.cosh,
    tanh: Math.tanh,
    arcsinh: Math.asinh,
    arccosh: Math.acosh,
    arctanh: Math.atanh,
    deg2rad: (x) => x * (Math.PI / 180),
    rad2deg: (x) => x * (180 / Math.PI),
    maximum: (x, y) => Math.max(x, y),
    minimum: (x, y) => Math.min(x, y),
    fmax: overNaN(Math.max),
    fmin: overNaN(Math.min),
    floor: Math.floor,
    ceil: Math.ceil,
    trunc: Math.trunc,
    rint,
    conjugate: same,
    product_or_zero: orZero(times),
    kept_product: orZero(times),
    zero_product: (x, y) => (x === 0 || y === 0 ? 0 : x * y),
    quotient_or_zero: orZero((x, y) => x / y),
    kept_quotient: orZero((x, y) => x / y),
    signbit: truth(isMinus),
    isfinite: truth(Number.isFinite),
    isinf: truth((x) => Math.abs(x) === Infinity),
    isnan: truth(Number.isNaN),
    equal: truth((x, y) => x === y),
    not_equal: truth((x, y) => x !== y),
    less: truth((x, y) => x < y),
    less_equal: truth((x, y) => x <= y),
    greater: truth((x, y) => x > y),
    greater_equal: truth((x, y) => x >= y),
    // To NumPy nan is true, as it is not zero.
    logical_not: truth((x) => x === 0),
    logical_and: truth((x, y) => x !== 0 && y !== 0),
    logical_or: truth((x, y) => x !== 0 || y !== 0),
    logical_xor: truth((x, y) => (x !== 0) !== (y !== 0)),
    bitwise_and: bits((x, y) => x & y),
    bitwise_or: bits((x, y) => x | y),
    bitwise_xor: bits((x, y) => x ^ y),
    left_shift: bits((x, y) => x << y),
    right_shift: bits((x, y) => x >> y),
    invert: (x, dtypes) => (dtypes[0] === "bool" ? 1 - x : -x - 1),
    gcd,
    lcm: (x, y) => (x && y ? Math.abs(x * y) / gcd(x, y) : 0),
    select: (condition, x, y) => (condition ? x : y),
  };

  // Reductions

  // The elements that go into each element of the result.
  function groups(x, axes) {
    const rank = x.shape.length;
    const reduced = axes === null ? range(rank) : axes.map((a) => (a + rank) % rank);
    const strides = stridesOf(x.shape);
    const kept = range(rank).filter((axis) => !reduced.includes(axis));
    const pick = (list, order) => order.map((axis) => list[axis]);
    const inner = pick(x.shape, reduced);
    const innerStrides = pick(strides, reduced);
    return {
      starts: offsets(pick(x.shape, kept), pick(strides, kept)),
      within: offsets(inner, innerStrides),
      shape: (keepdims) =>
        keepdims ? x.shape.map((n, i) => (reduced.includes(i) ? 1 : n)) : pick(x.shape, kept),
    };
  }

  const reduction = (f) => ([x], { axes, keepdims }) => {
    const { starts, within, shape } = groups(x, axes);
    return make(shape(keepdims), starts.map((at) => f(within.map((more) => x.data[at + more]))));
  };

  const sum = (xs) => xs.reduce((a, b) => a + b, 0);
  const largest = (xs) => xs.reduce((a, b) => Math.max(a, b), -Infinity);

  function logSumExp(xs) {
    const top = largest(xs);
    const shift = Number.isFinite(top) ? top : 0;
    return Math.log(sum(xs.map((x) => Math.exp(x - shift)))) + shift;
  }

  const placeOf = (isAhead) => (xs) => {
    let best = 0;
    for (let i = 1; i < xs.length; i++)
      if (!Number.isNaN(xs[best]) && (Number.isNaN(xs[i]) || isAhead(xs[i], xs[best]))) best = i;
    return best;
  };

  function winners([x, extremes], { axes }) {
    const wins = elementwise(truth((a, b) => a === b || Number.isNaN(a)))([x, extremes]);
    const count = reduction(sum)([wins], { axes, keepdims: true });
    return [wins, count];
  }

  const alongAxis = (f) => ([x, ...others], { axis, reverse }) => {
    const { starts, within } = groups(x, [axis]);
    const order = reverse ? [...within].reverse() : within;
    const data = new Array(x.data.length);
    for (const start of starts)
      f(order.map((at) => x.data[start + at]), ...others).forEach((y, i) => (data[start + order[i]] = y));
    return make(x.shape, data);
  };

  const accumulate = (f) => alongAxis((xs, anew) => {
    const found = [];
    xs.forEach((x, i) => found.push(i && !anew?.data[i] ? f(found[i - 1], x) : x));
    return found;
  });

  // nan comes last, as in NumPy.
  const inOrder = (x, y) => (Number.isNaN(x) ? (Number.isNaN(y) ? 0 : 1) : x < y ? -1 : x > y ? 1 : Number.isNaN(y) ? -1 : 0);

  // x[n] = factors[n] * x[n - 1] + terms[n], or what that is transposed.
  function recurrence([factors, terms], { axis, reverse }) {
    const { starts, within } = groups(terms, [axis]);
    const order = reverse ? [...within].reverse() : within;
    const data = [...terms.data];
    for (const start of starts)
      order.slice(1).forEach((at, i) => {
        const before = start + order[i];
        data[start + at] += factors.data[reverse ? before : start + at] * data[before];
      });
    return make(terms.shape, data);
  }

  function correlate([x, kernel], { mode }) {
    const beyond = kernel.data.length - 1;
    const half = Math.floor(beyond / 2);
    const [before, after] = { valid: [0, 0], same: [beyond - half, half], full: [beyond, beyond] }[mode];
    const length = x.data.length + before + after - beyond;
    const window = (k) => sum(kernel.data.map((weight, i) => weight * (x.data[k + i - before] ?? 0)));
    return make([length], range(length).map(window));
  }

  // Products

  function contract([x, y], { subscripts }, multiply = times) {
    const [operands, output] = subscripts.split("->");
    const [first, second] = operands.split(",");
    const lengths = {};
    [[first, x], [second, y]].forEach(([labels, operand]) =>
      [...labels].forEach((label, axis) => {
        const length = operand.shape[axis];
        if (!(label in lengths) || lengths[label] === 1) lengths[label] = length;
      }));
    const strides = (labels, shape) => {
      const own = stridesOf(shape);
      const found = {};
      [...labels].forEach((label, axis) => (found[label] = shape[axis] === 1 ? 0 : own[axis]));
      return (label) => found[label] ?? 0;
    };
    const ofX = strides(first, x.shape);
    const ofY = strides(second, y.shape);
    const outer = [...output];
    const inner = Object.keys(lengths).filter((label) => !output.includes(label));
    const shapeOf = (labels) => labels.map((label) => lengths[label]);
    const shape = shapeOf(outer);
    if (sizeOf(shape) * sizeOf(shapeOf(inner)) > MOST_PRODUCTS)
      throw new Unsupported("products of arrays as large as these");
    const [x0, y0] = [ofX, ofY].map((of) => offsets(shape, outer.map(of)));
    const [x1, y1] = [ofX, ofY].map((of) => offsets(shapeOf(inner), inner.map(of)));
    return make(shape, x0.map((_, i) => {
      let total = 0;
      for (let k = 0; k < x1.length; k++)
        total += multiply(x.data[x0[i] + x1[k]], y.data[y0[i] + y1[k]]);
      return total;
    }));
  }

  function contractOrZero(multiply) {
    return (inputs, params) => {
      const plain = contract(inputs, params);
      return plain.data.every(Number.isFinite) ? plain : contract(inputs, params, multiply);
    };
  }

  // Indexing

  function sliced(length, [start, stop, step]) {
    step = step ?? 1;
    const clip = (n, low, high) => Math.min(Math.max(n < 0 ? n + length : n, low), high);
    const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
    const first = start === null ? (step > 0 ? low : high) : clip(start, low, high);
    const end = stop === null ? (step > 0 ? high : low) : clip(stop, low, high);
    return { first, step, count: Math.max(0, Math.ceil((end - first) / step)) };
  }

  // Where in an array of this shape the elements of x[index] are: their shape and their offsets.
  function positions(shape, index, arrays) {
    const strides = stridesOf(shape);
    const used = index.filter((item) => item !== null && item !== "...").length;
    if (!index.includes("...")) index = [...index, "..."];
    const arraysLeft = [...arrays];
    const lengths = [];
    const steps = [];
    const advanced = []; // of each its axis and its numbers
    const kinds = [];
    let axis = 0;
    let first = 0;
    let begin = null; // how many axes of the result come before those of the arrays
    const wrapped = (i, on) => {
      if (i < -shape[on] || i >= shape[on]) throw new Error(`index ${i} is out of bounds`);
      return i < 0 ? i + shape[on] : i;
    };
    const addSlice = (slice) => {
      const { first: at, step, count } = sliced(shape[axis], slice);
      lengths.push(count);
      steps.push(step * strides[axis]);
      if (count) first += at * strides[axis];
      axis += 1;
    };
    for (const item of index) {
      if (item === null) {
        lengths.push(1);
        steps.push(0);
        kinds.push("basic");
      } else if (item === "...") {
        for (let i = shape.length - used; i > 0; i--) addSlice([null, null, null]);
        kinds.push("basic");
      } else if (typeof item === "number" && !arrays.length) {
        first += wrapped(item, axis) * strides[axis];
        axis += 1;
      } else if (typeof item === "number" || item === "indices") {
        const array = item === "indices" ? arraysLeft.shift() : make([], [item]);
        if (begin === null) begin = lengths.length;
        advanced.push([axis, array]);
        kinds.push("advanced");
        axis += 1;
      } else {
        addSlice(item.slice);
        kinds.push("basic");
      }
    }
    if (!advanced.length) return { shape: lengths, at: offsets(lengths, steps, first) };
    const isApart = kinds.lastIndexOf("advanced") - kinds.indexOf("advanced") >= advanced.length;
    const before = isApart ? 0 : begin;
    const common = broadcastShapes(advanced.map(([, array]) => array.shape));
    const parts = advanced.map(([on, array]) =>
      broadcast(array, common).map((i) => wrapped(i, on) * strides[on]));
    const jumps = range(sizeOf(common)).map((i) => sum(parts.map((part) => part[i])));
    const at = [];
    for (const one of offsets(lengths.slice(0, before), steps.slice(0, before), first))
      for (const jump of jumps)
        at.push(...offsets(lengths.slice(before), steps.slice(before), one + jump));
    return { shape: [...lengths.slice(0, before), ...common, ...lengths.slice(before)], at };
  }

  function getItem([x, ...arrays], { index }) {
    const found = positions(x.shape, index, arrays);
    return make(found.shape, found.at.map((at) => x.data[at]));
  }

  // With values put, or added, at an index.
  function written(shape, data, value, arrays, index, put) {
    const found = positions(shape, index, arrays);
    // Leading axes of length 1 fall away, as where NumPy assigns.
    const own = { ...value, shape: value.shape.slice(Math.max(0, value.shape.length - found.shape.length)) };
    const values = broadcast(own, found.shape);
    const result = [...data];
    found.at.forEach((at, i) => (result[at] = put(result[at], values[i])));
    return make(shape, result);
  }

  const put = (_, y) => y;
  const add = (x, y) => x + y;

  // Shapes

  function transpose(x, permutation) {
    const strides = stridesOf(x.shape);
    const shape = permutation.map((axis) => x.shape[axis]);
    const order = permutation.map((axis) => strides[axis]);
    return make(shape, offsets(shape, order).map((at) => x.data[at]));
  }

  const slices = (rank, axis, slice) =>
    range(rank).map((i) => (i === axis ? { slice } : { slice: [null, null, null] }));

  function concatenate(parts, axis) {
    const rank = parts[0].shape.length;
    axis = (axis + rank) % rank;
    const shape = [...parts[0].shape];
    shape[axis] = sum(parts.map((part) => part.shape[axis]));
    let result = make(shape, new Array(sizeOf(shape)).fill(0));
    let start = 0;
    for (const part of parts) {
      const stop = start + part.shape[axis];
      result = written(shape, result.data, part, [], slices(rank, axis, [start, stop, null]), put);
      start = stop;
    }
    return result;
  }

  function withAxis(x, axis) {
    return make([...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)], x.data);
  }

  function roll(x, { shifts, along }) {
    let result = x;
    along.forEach((axis, i) => {
      const rank = x.shape.length;
      const on = (axis + rank) % rank;
      const length = x.shape[on];
      if (!length) return;
      const cut = (((-shifts[i] % length) + length) % length);
      const parts = [[cut, null, null], [null, cut, null]].map((slice) =>
        getItem([result], { index: slices(rank, on, slice) }));
      result = concatenate(parts, on);
    });
    return result;
  }

  function diagonal(rows, columns, offset) {
    const length = Math.max(0, Math.min(rows + Math.min(offset, 0), columns - Math.max(offset, 0)));
    const first = offset >= 0 ? offset : -offset * columns;
    return range(length).map((i) => first + i * (columns + 1));
  }

  // Where in an array of this shape the elements of all its windows are: their shape, their offsets.
  function windowed(shape, { along, lengths, steps, dilations }) {
    const own = stridesOf(shape);
    const counts = [...shape];
    const strides = [...own];
    along.forEach((axis, i) => {
      counts[axis] = Math.max(Math.floor((shape[axis] - (lengths[i] - 1) * dilations[i] - 1) / steps[i]) + 1, 0);
      strides[axis] *= steps[i];
    });
    const within = along.map((axis, i) => own[axis] * dilations[i]);
    return { shape: [...lengths, ...counts], at: offsets([...lengths, ...counts], [...within, ...strides]) };
  }

  function sumOfWindows([x], { along, sizes, steps, dilations }) {
    const lengths = x.shape.slice(0, along.length);
    const shape = x.shape.slice(along.length);
    along.forEach((axis, i) => (shape[axis] = sizes[i]));
    const data = new Array(sizeOf(shape)).fill(0);
    windowed(shape, { along, lengths, steps, dilations }).at.forEach((at, i) => (data[at] += x.data[i]));
    return make(shape, data);
  }

  const OF_ARRAYS = {
    round: ([x], { decimals }) => {
      const factor = 10 ** Math.abs(decimals);
      const rounded = decimals < 0 ? (v) => rint(v / factor) * factor : (v) => rint(v * factor) / factor;
      return make(x.shape, x.data.map(rounded));
    },
    sum: reduction(sum),
    mean: reduction((xs) => sum(xs) / xs.length),
    max: reduction((xs) => largest(xs)),
    min: reduction((xs) => xs.reduce((a, b) => Math.min(a, b), Infinity)),
    prod: reduction((xs) => xs.reduce(times, 1)),
    any: reduction((xs) => (xs.some((x) => x !== 0) ? 1 : 0)),
    all: reduction((xs) => (xs.every((x) => x !== 0) ? 1 : 0)),
    argmax: reduction(placeOf((x, y) => x > y)),
    argmin: reduction(placeOf((x, y) => x < y)),
    logsumexp: reduction(logSumExp),
    winners,
    cumsum: accumulate(add),
    accumulate_add: accumulate(add),
    accumulate_multiply: accumulate(times),
    accumulate_maximum: accumulate(Math.max),
    accumulate_minimum: accumulate(Math.min),
    recurrence,
    correlate,
    searchsorted: ([x, values], { side }) => {
      const most = side === "left" ? -1 : 0;
      const place = (value) => x.data.filter((own) => inOrder(own, value) <= most).length;
      return make(values.shape, values.data.map(place));
    },
    argsort: alongAxis((xs) => range(xs.length).sort((i, j) => inOrder(xs[i], xs[j]) || i - j)),
    argpartition: alongAxis((xs) => range(xs.length).sort((i, j) => inOrder(xs[i], xs[j]) || i - j)),
    contract: (inputs, params) => contract(inputs, params),
    contract_or_zero: contractOrZero(orZero(times)),
    zero_contract: contractOrZero(OF_NUMBERS.zero_product),
    element: getItem,
    getitem: getItem,
    gather: getItem,
    scatter_add: ([x, ...arrays], { index, shape }) =>
      written(shape, new Array(sizeOf(shape)).fill(0), x, arrays, index, add),
    index_add: ([x, value, ...arrays], { index }) => written(x.shape, x.data, value, arrays, index, add),
    index_update: ([x, value, ...arrays], { index }) => written(x.shape, x.data, value, arrays, index, put),
    reshape: ([x], { shape }) => make(shape, x.data),
    transpose: ([x], { permutation }) => transpose(x, permutation),
    broadcast_to: ([x], { shape }) => make(shape, broadcast(x, shape)),
    flip: ([x], { reverse }) => getItem([x], {
      index: x.shape.map((_, axis) => ({ slice: [null, null, reverse.includes(axis) ? -1 : null] })),
    }),
    roll: ([x], params) => roll(x, params),
    concatenate: (parts, { axis }) => concatenate(parts, axis),
    stack: (parts, { axis }) => {
      const on = axis < 0 ? axis + parts[0].shape.length + 1 : axis;
      return concatenate(parts.map((x) => withAxis(x, on)), on);
    },
    split: ([x], { boundaries, axis }) => {
      const stops = [...boundaries, x.shape[axis]];
      return stops.map((stop, i) =>
        getItem([x], { index: slices(x.shape.length, axis, [i ? stops[i - 1] : 0, stop, null]) }));
    },
    unstack: ([x], { axis }) =>
      range(x.shape[axis]).map((i) =>
        getItem([x], { index: x.shape.slice(0, axis + 1).map((_, on) => (on === axis ? i : { slice: [null, null, null] })) })),
    pad: ([x], { padding }) => {
      const shape = x.shape.map((n, axis) => padding[axis][0] + n + padding[axis][1]);
      const index = x.shape.map((n, axis) => ({ slice: [padding[axis][0], padding[axis][0] + n, null] }));
      return written(shape, new Array(sizeOf(shape)).fill(0), x, [], index, put);
    },
    diagonal: ([x], { offset }) => {
      const [rows, columns] = x.shape.slice(-2);
      const places = diagonal(rows, columns, offset);
      const front = x.shape.slice(0, -2);
      const data = range(sizeOf(front)).flatMap((i) => places.map((at) => x.data[i * rows * columns + at]));
      return make([...front, places.length], data);
    },
    from_diagonal: ([x], { offset, rows, columns }) => {
      const front = x.shape.slice(0, -1);
      const places = diagonal(rows, columns, offset);
      const data = new Array(sizeOf(front) * rows * columns).fill(0);
      range(sizeOf(front)).forEach((i) =>
        places.forEach((at, k) => (data[i * rows * columns + at] = x.data[i * places.length + k])));
      return make([...front, rows, columns], data);
    },
    windows: ([x], params) => {
      const found = windowed(x.shape, params);
      return make(found.shape, found.at.map((at) => x.data[at]));
    },
    sum_of_windows: sumOfWindows,
    require: ([x, condition], { message }) => {
      if (!condition.data.every((c) => c !== 0)) throw new Error(message);
      return x;
    },
  };
  for (const name of ["cast", "cast_to_whole", "copy", "as_array", "stop_gradient", "checkpoint_name", "real"])
    OF_ARRAYS[name] = ([x]) => x;
  for (const [name, f] of Object.entries(OF_NUMBERS)) OF_ARRAYS[name] = elementwise(f);

  // Programs

  // Numbers that JSON cannot write are strings; others stay strings: large integers, complex numbers.
  const SPECIAL = { nan: NaN, inf: Infinity, "-inf": -Infinity };

  // Data as it was written, with numbers for such strings in all arrays.
  function revived(x) {
    if (x === null || typeof x !== "object") return x;
    if (Array.isArray(x)) return x.map(revived);
    if (x.dtype && x.data) return { ...x, data: x.data.map((n) => (n in SPECIAL ? SPECIAL[n] : n)) };
    return Object.fromEntries(Object.entries(x).map(([key, value]) => [key, revived(value)]));
  }

  // What has no outputs is done for its effect, which is none on the numbers.
  const isKnown = ({ name, structure, outputs }) =>
    structure !== undefined || outputs?.length === 0 || Object.hasOwn(OF_ARRAYS, name);

  function programsIn(structure) {
    return [structure.program, ...(structure.branches ?? []), structure.body, structure.condition].filter(Boolean);
  }

  // The primitives in a Program that the page cannot compute, each once.
  function missing(program, found = new Set()) {
    for (const equation of program.equations) {
      if (!isKnown(equation)) found.add(equation.name);
      if (equation.structure) programsIn(equation.structure).forEach((inner) => missing(inner, found));
    }
    return [...found];
  }

  const rowOf = (x, i) => getItem([x], { index: [i] });

  function runLoop(loop, read, outputs) {
    const constants = loop.constants.map(read);
    let carries = loop.carries.map(read);
    const rows = loop.rows.map(read);
    const stacks = outputs.slice(carries.length).map(() => []);
    const length = loop.length ?? (rows.length ? rows[0].shape[0] : Infinity);
    for (let trip = 0; trip < length; trip++) {
      if (loop.condition && !run(loop.condition, [...constants, ...carries])[0].data[0]) break;
      if (trip >= MOST_TRIPS) throw new Unsupported(`loops of more than ${MOST_TRIPS} trips`);
      const number = loop.reverse ? length - 1 - trip : trip;
      const made = run(loop.body, [...constants, ...carries, ...rows.map((x) => rowOf(x, number))]);
      carries = made.slice(0, carries.length);
      made.slice(carries.length).forEach((x, i) => stacks[i].push(x));
    }
    const stacked = stacks.map((made, i) => {
      if (loop.reverse) made.reverse();
      return stack(made, outputs[carries.length + i]);
    });
    return [...carries, ...stacked];
  }

  const stack = (rows, { shape }) =>
    (rows.length ? concatenate(rows.map((x) => withAxis(x, 0)), 0) : make([0, ...shape.slice(1)], []));

  // One of several Programs; or one for each of many examples, along the first axis.
  function runChoice({ index, branches, operands, examples, axes }, read, outputs) {
    const indices = read(index).data;
    const given = operands.map(read);
    const chosen = (i, inputs) => {
      const nearest = Math.min(Math.max(Math.trunc(indices[i]), 0), branches.length - 1);
      return run(branches[nearest], inputs);
    };
    if (examples === null) return chosen(0, given);
    const made = range(examples).map((i) => chosen(i, given.map((x, k) => (axes[k] === null ? x : rowOf(x, i)))));
    return outputs.map((output, k) => stack(made.map((results) => results[k]), output));
  }

  function runStructure(structure, read, outputs, path, seen) {
    if (structure.kind === "loop") return runLoop(structure, read, outputs);
    if (structure.kind === "choice") return runChoice(structure, read, outputs);
    return run(structure.program, structure.inputs.map(read), structure.isCall ? seen : null, path);
  }

  // Runs a Program. Into `seen` goes what each equation gives, by its path: its number, after those of
  // the calls that it is in, with points between.
  function run(program, inputs, seen = null, path = "") {
    const values = new Map(program.inputs.map((id, i) => [id, inputs[i]]));
    const read = (atom) => {
      const found = typeof atom === "number" ? values.get(atom) : atom;
      if (!found.data) throw new Unsupported("arrays that the page does not hold");
      if (typeof found.data[0] === "string") throw new Unsupported(`numbers such as ${found.data[0]}`);
      return found;
    };
    program.equations.forEach((equation, number) => {
      const own = `${path}${number}`;
      if (!equation.outputs.length) return;
      if (!isKnown(equation)) throw new Unsupported(`the primitive ${equation.name}`);
      let made = equation.structure
        ? runStructure(equation.structure, read, equation.outputs, `${own}.`, seen)
        : OF_ARRAYS[equation.name](equation.inputs.map(read), equation.params);
      if (!Array.isArray(made)) made = [made];
      made = equation.outputs.map(({ dtype }, i) => ({
        shape: made[i].shape, dtype, data: cast(made[i].data, dtype),
      }));
      equation.outputs.forEach(({ id }, i) => values.set(id, made[i]));
      if (seen) seen.set(own, made);
    });
    return program.outputs.map(read);
  }

  return { SPECIAL, Unsupported, cast, make, missing, revived, run };
})();
