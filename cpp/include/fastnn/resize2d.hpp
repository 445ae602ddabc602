#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

/// x: (n, h, w, c) to y: (n, oh, ow, c).
struct Resize2dShape {
  Index n, h, w, oh, ow, c;
};

/// Bilinear interpolation between the centres of pixels: y[i, j] is x at ((i + 1/2) h / oh - 1/2, (j + 1/2) w
/// / ow - 1/2), limited to x. No smoothing where y is smaller. Dense arrays; n and c may be 0, the others
/// not, else std::invalid_argument. Parallel over rows of y.
template <class T> void resize2d(const T* x, T* y, Resize2dShape shape);

/// Gradient of resize2d, which is linear: its transpose. Parallel over images.
template <class T> void resize2d_backward(const T* dy, T* dx, Resize2dShape shape);

}  // namespace fastnn::cpu
