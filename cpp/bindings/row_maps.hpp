#pragma once

// Bindings of functions that make a row of every row, along the last axis.

#include "arrays.hpp"

namespace fastnn::py {

inline Index last_axis(const char* op, const Array& x) {
  require(op, x.ndim() > 0, "expected x with at least 1 axis, got a scalar");
  return x.shape(x.ndim() - 1);
}

/// y = fn(x) over the rows of x. select: the entry point for an element type.
template <typename Select>
Array map_rows(const char* op, const Array& x, const Out& out, const Select& select) {
  return with_float(op, "x", x, [&](auto element) {
    using T = decltype(element);
    const Input<T> in(op, "x", x);
    const Index cols = last_axis(op, x), rows = cols ? in.size() / cols : 0;
    Output<T> y(op, shape_of(x), out, {x});
    invoke(select(element), in.data(), y.data(), rows, cols);
    return y.array();
  });
}

/// The gradient with respect to x from that with respect to y.
template <typename Select>
Array map_rows_backward(const char* op, const Array& y, const Array& dy, const Select& select) {
  require_shape(op, "dy", y, dy);
  return with_float(op, "dy", dy, [&](auto element) {
    using T = decltype(element);
    const Input<T> result(op, "y", y), gradient(op, "dy", dy);
    const Index cols = last_axis(op, y), rows = cols ? result.size() / cols : 0;
    Output<T> dx(op, shape_of(y));
    invoke(select(element), result.data(), gradient.data(), dx.data(), rows, cols);
    return dx.array();
  });
}

}  // namespace fastnn::py
