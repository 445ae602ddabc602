#pragma once

#include "optional.hpp"

namespace fastnn::py {

inline constexpr int kReductions = 3;

/// 0, 1, 2 for "none", "sum", "mean", as a Reduction.
inline Reduction reduction_of(const char* op, int number) {
  if (number < 0 || number >= kReductions)
    throw pyb::value_error(message(op, "expected reduction in [0, ", kReductions, "), got ", number));
  return Reduction(number);
}

/// Raises ValueError unless x is absent or has this shape.
inline void require_shape(const char* op, const char* name, const Shape& shape, const Out& x) {
  if (x && shape_of(*x) != shape)
    throw pyb::value_error(message(op, "expected ", name, " of shape ", text(shape), ", got ", text(*x)));
}

inline Shape without_last(const Shape& shape) {
  return shape.empty() ? shape : Shape(shape.begin(), shape.end() - 1);
}

}  // namespace fastnn::py
