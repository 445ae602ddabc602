#pragma once

// Reaches the functions of simd/math.hpp on every instruction set.

#include "kernel.hpp"

namespace fastnn::cpu {

enum class MathFunction { exp, expm1, log, log1p, tanh, sigmoid, erf, sin, cos, quick_sqrt };

/// y[i] = f(x[i]) for i in [0, n).
FASTNN_DECLARE(void, math_probe, (MathFunction f, const T* x, T* y, Index n))

}  // namespace fastnn::cpu
