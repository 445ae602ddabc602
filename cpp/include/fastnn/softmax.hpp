#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

/// Softmax over the last axis: y[r, c] = exp(x[r, c] - m[r]) / sum_k exp(x[r, k] - m[r]),
/// where m[r] = max_k x[r, k].
///
/// x, y: (rows, cols), dense, float or double; y may be x. rows and cols may be 0. Throws
/// std::invalid_argument if either is negative. Parallel over rows.
template <class T> void softmax(const T* x, T* y, Index rows, Index cols);

/// Gradient of softmax: dx[r, c] = y[r, c] (dy[r, c] - sum_k dy[r, k] y[r, k]).
/// y is the output of softmax. Same shapes and rules; dx may be dy.
template <class T> void softmax_backward(const T* y, const T* dy, T* dx, Index rows, Index cols);

/// Logarithm of softmax without its rounding: y[r, c] = x[r, c] - m[r] - log(sum_k exp(x[r, k] - m[r])).
/// Same shapes and rules as softmax.
template <class T> void log_softmax(const T* x, T* y, Index rows, Index cols);

/// Gradient of log_softmax: dx[r, c] = dy[r, c] - exp(y[r, c]) sum_k dy[r, k], with y its output.
template <class T> void log_softmax_backward(const T* y, const T* dy, T* dx, Index rows, Index cols);

}  // namespace fastnn::cpu
