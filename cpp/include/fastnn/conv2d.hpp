#pragma once

#include "fastnn/core/packed_kernel.hpp"
#include "fastnn/elementwise.hpp"

namespace fastnn {

/// Sizes of a 2D convolution, channels last: x (n, h, w, c), kernel (kh, kw, c / groups, o), y (n, out_h(),
/// out_w(), o).
struct Conv2dShape {
  Index n = 0, h = 0, w = 0, c = 0, kh = 1, kw = 1, o = 0;
  Index stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  Index top = 0, bottom = 0, left = 0, right = 0;  ///< zeros around the image
  Index groups = 1;  ///< channels are cut into so many pieces, each of which has a kernel of its own

  Index window_h() const { return (kh - 1) * dilation_h + 1; }  ///< rows of the image under the kernel
  Index window_w() const { return (kw - 1) * dilation_w + 1; }
  Index out_h() const { return (h + top + bottom - window_h()) / stride_h + 1; }
  Index out_w() const { return (w + left + right - window_w()) / stride_w + 1; }
  Index pixels() const { return n * out_h() * out_w(); }
  Index group_c() const { return c / groups; }
  Index group_o() const { return o / groups; }
  Index depth() const { return kh * kw * group_c(); }  ///< products summed in one element of y

  /// Sets the padding so that out = ceil(in / stride), with the odd zero at the end.
  void pad_same();

  /// Throws std::invalid_argument("[op] ...") unless the padded image holds the kernel at least once, the
  /// channels divide into the groups, and strides and dilations are positive.
  void check(const char* op) const;
};

namespace cpu {

/// 2D convolution (cross-correlation: the kernel is not flipped), bias and activation:
///
///   z[n, i, j, q] = b[q] + sum_{k, l, p} x[n, i stride_h + k dilation_h - top, j stride_w + l dilation_w -
///   left, p]
///                   w[k, l, p, q],  y = activation(z),
///
/// where x is 0 outside the image, and with several groups p counts the channels of q's group.
///
/// x: (n, h, w, c), w: (kh, kw, c / groups, o), b: (o) or null, y: (n, out_h, out_w, o), all dense; T is
/// float or double. z: laid out as y, kept for the backward pass if given. y and z overlap nothing. n, c and
/// o may be 0. kept: where w stays packed for the next call, or null; see PackedKernel for what that
/// promises. Every sum is taken in an order that depends on the shape alone. Parallel.
template <class T> void conv2d(const T* x, const T* w, const T* b, T* y, T* z, const Conv2dShape& shape,
                               Unary activation, const UnaryParameters& parameters, const KeptKernel& kept);

/// conv2d, then batch_norm_inference, with the bits of one after the other and in one pass:
///
///   y = activation((z - mean) / sqrt(variance + epsilon) gamma + beta),
///
/// z as in conv2d. gamma, beta: (o) or null; mean, variance: (o). activation: one of batch_norm's. The rest
/// as in conv2d; with a group for each channel also in place of depthwise_conv2d. Parallel.
template <class T> void conv2d_batch_norm(const T* x, const T* w, const T* b, const T* gamma, const T* beta,
                                          const T* mean, const T* variance, T* y, const Conv2dShape& shape,
                                          double epsilon, Unary activation, const UnaryParameters& parameters,
                                          const KeptKernel& kept);

/// Gradients of conv2d. With dz = dy activation'(saved): dx[.] and dw[.] are the sums of the products of dz
/// with what x[.] and w[.] were multiplied with, db[q] = sum dz[., q].
///
/// saved: laid out as y, the y or the z of the forward call, as saved_for(activation) says; not read if the
/// activation is linear. One of dx, dw, db that is null is not computed. The outputs overlap nothing. Sums
/// over pixels are taken in fixed chunks, so bits depend on the shape alone. Parallel.
template <class T> void conv2d_backward(const T* x, const T* w, const T* saved, const T* dy, T* dx, T* dw,
                                        T* db, const Conv2dShape& shape, Unary activation,
                                        const UnaryParameters& parameters);

/// Transposed convolution: every x[n, i, j, q] puts a copy of its kernel, scaled, into z, where copies
/// overlap they add:
///
///   z[n, i stride_h + k dilation_h - top, j stride_w + l dilation_w - left, p] += x[n, i, j, q] w[k, l, p,
///   q],
///
/// z += b[p], y = activation(z). It is the gradient with respect to its input of the convolution that `shape`
/// describes.
///
/// x: (n, out_h, out_w, o), w: (kh, kw, c, o), b: (c) or null, y: (n, h, w, c), in the letters of shape,
/// whose groups has to be 1; all dense; T is float or double. z: laid out as y, kept if given. The rest as in
/// conv2d. Parallel.
template <class T> void conv_transpose2d(const T* x, const T* w, const T* b, T* y, T* z,
                                         const Conv2dShape& shape, Unary activation,
                                         const UnaryParameters& parameters);

/// Gradients of conv_transpose2d, as conv2d_backward: dx is laid out as x, dw as w, db is (c).
template <class T> void conv_transpose2d_backward(const T* x, const T* w, const T* saved, const T* dy, T* dx,
                                                  T* dw, T* db, const Conv2dShape& shape, Unary activation,
                                                  const UnaryParameters& parameters);

}  // namespace cpu
}  // namespace fastnn
