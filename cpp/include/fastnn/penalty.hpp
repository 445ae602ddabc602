#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

/// y[0] = l1 sum_i |x[i]| + l2 sum_i x[i]^2 over n elements, dense; float or double. 0 for n = 0.
///
/// Summed in double over chunks that depend on n alone. Parallel.
template <class T> void penalty(const T* x, Index n, double l1, double l2, T* y);

/// dx[i] = dy[0] (l1 sign(x[i]) + 2 l2 x[i]), with sign(0) = 0. dx may be x. Parallel.
template <class T> void penalty_backward(const T* x, const T* dy, Index n, double l1, double l2, T* dx);

}  // namespace fastnn::cpu
