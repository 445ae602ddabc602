#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

/// Gated linear unit: y[o, i] = x[o, 0, i] sigmoid(x[o, 1, i]).
///
/// x: (outer, 2, inner), y: (outer, inner), dense, float or double, sharing no memory. outer and inner may be
/// 0. Throws std::invalid_argument if either is negative. Parallel.
template <class T> void glu(const T* x, T* y, Index outer, Index inner);

/// Gradient of glu, with s = sigmoid(x[o, 1, i]): dx[o, 0, i] = dy[o, i] s,
/// dx[o, 1, i] = dy[o, i] x[o, 0, i] s (1 - s). Same shapes and rules.
template <class T> void glu_backward(const T* x, const T* dy, T* dx, Index outer, Index inner);

}  // namespace fastnn::cpu
