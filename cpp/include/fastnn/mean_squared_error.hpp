#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// Sizes and settings of the mean squared error.
struct MeanSquaredError {
  Index rows, cols;
  Reduction reduction = Reduction::none;
};

namespace cpu {

/// loss[r] = weight[r] sum_c (x[r, c] - target[r, c])^2 / cols; NaN for cols = 0.
///
/// x, target: (rows, cols), weight: (rows) or null for ones, dense and apart from loss. T is float or double.
/// Reduction none: loss: (rows); otherwise loss[0], their sum or mean, summed in double over chunks that
/// depend on the sizes alone. Parallel.
template <class T>
void mean_squared_error(const MeanSquaredError& s, const T* x, const T* target, const T* weight, T* loss);

/// dx[r, c] = sign * 2 scale weight[r] dy[r] (x[r, c] - target[r, c]) / cols; dy[0] for dy[r] if reduced, and
/// scale 1 / rows for a mean, else 1. With sign -1 it is the gradient with respect to target. dx may be x or
/// target. Parallel.
template <class T> void mean_squared_error_backward(const MeanSquaredError& s, const T* x, const T* target,
                                                    const T* weight, const T* dy, T* dx, T sign);

}  // namespace cpu
}  // namespace fastnn
