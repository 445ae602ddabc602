#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

/// Huber's loss of the residual r = x - t: y = r^2 / 2 where |r| <= delta, delta |r| - delta^2 / 2 beyond
/// (Huber, 1964). Element by element over n elements, dense, float or double; y may be x or t. n may be 0.
/// Throws std::invalid_argument if n < 0 or delta < 0. Parallel above a grain.
template <class T> void huber(const T* x, const T* t, T* y, Index n, double delta);

/// Gradient with respect to x: dx = dy r clipped to [-delta, delta]; that with respect to t is its negative.
/// Same rules; dx may be dy.
template <class T> void huber_backward(const T* x, const T* t, const T* dy, T* dx, Index n, double delta);

}  // namespace fastnn::cpu
