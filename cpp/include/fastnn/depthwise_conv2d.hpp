#pragma once

#include "fastnn/conv2d.hpp"

namespace fastnn::cpu {

/// conv2d with as many groups as channels: every channel has kernels of its own, o / c of them.
///
/// x: (n, h, w, c), w: (kh, kw, c, o / c), which lies in memory as the (kh, kw, 1, o) of conv2d, y: (n,
/// out_h, out_w, o); channel q of y belongs to channel q c / o of x. shape.groups has to be shape.c. The rest
/// as in conv2d.
template <class T> void depthwise_conv2d(const T* x, const T* w, const T* b, T* y, T* z,
                                         const Conv2dShape& shape, Unary activation,
                                         const UnaryParameters& parameters);

/// Gradients of depthwise_conv2d, as conv2d_backward.
template <class T> void depthwise_conv2d_backward(const T* x, const T* w, const T* saved, const T* dy, T* dx,
                                                  T* dw, T* db, const Conv2dShape& shape, Unary activation,
                                                  const UnaryParameters& parameters);

}  // namespace fastnn::cpu
