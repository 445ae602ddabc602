#pragma once

// Reaches every name of simd/simd.hpp on every instruction set.

#include "kernel.hpp"

namespace fastnn::cpu {

enum class SimdOp {
  add,
  subtract,
  multiply,
  divide,
  fma,
  fnma,
  min,
  max,
  abs,
  sqrt,
  round,
  copysign,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  both,
  either,
  bits,
  exponent,
  mantissa,
  pow2,
  scale,
  inverse,
  quick_sqrt,
};

enum class Reduction { sum, max_lane, min_lane, any_positive };

/// y[i] = op(a[i], b[i], c[i]) for i in [0, n); comparisons give 1 or 0; `both` and `either` combine a < b
/// and b < c, `bits` reads a < b off bits(mask).
FASTNN_DECLARE(void, simd_probe, (SimdOp op, const T* a, const T* b, const T* c, T* y, Index n))

/// The reduction of one vector: the first min(n, lanes) of a, the others `fill`.
FASTNN_DECLARE(T, simd_reduce, (Reduction op, const T* a, Index n, T fill))

}  // namespace fastnn::cpu
