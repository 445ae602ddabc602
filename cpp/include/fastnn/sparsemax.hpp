#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

/// Sparsemax over the last axis, the point of the simplex next to x: y[r, c] = max(x[r, c] - t[r], 0), with
/// t[r] such that the row sums to 1 (Martins and Astudillo, 2016). A NaN or +infinity makes its row NaN.
///
/// x, y: (rows, cols), dense, float or double; y may be x. rows and cols may be 0. Throws
/// std::invalid_argument if either is negative. Parallel over rows.
template <class T> void sparsemax(const T* x, T* y, Index rows, Index cols);

/// Gradient of sparsemax: dx[r, c] = dy[r, c] - (mean of dy[r, k] where y[r, k] > 0) where y[r, c] > 0, else
/// 0. y is the output of sparsemax. Same shapes and rules; dx may be dy.
template <class T> void sparsemax_backward(const T* y, const T* dy, T* dx, Index rows, Index cols);

}  // namespace fastnn::cpu
