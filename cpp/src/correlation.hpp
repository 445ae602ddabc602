#pragma once

// What the passes of convolutions have in common, below conv2d and conv_transpose2d.

#include "conv_sweep.hpp"
#include "epilogue.hpp"
#include "fastnn/conv2d.hpp"

namespace fastnn {

/// A sum of shifted images: for the taps (k, l) of two sweeps,
///
///   y[n, i, j, q] = sum_{k, l, p} x[n, rows(i, k), cols(j, l), p] w[rows.index(k), cols.index(l), p, q].
struct Correlation {
  Index n = 0, c = 0, o = 0, groups = 1;  // images; channels of x and y, of all groups
  Sweep rows, cols;
  Index w_row = 0, w_tap = 0, w_in = 0, w_out = 0, w_group = 0;  // strides of w: taps, p, q, group

  Index group_c() const { return c / groups; }
  Index group_o() const { return o / groups; }
  Index depth() const { return rows.taps * cols.taps * group_c(); }

  /// Whether every pixel of the image is a window of its own.
  bool has_points() const;
  /// The same as one image of one row, if they are.
  Correlation as_row() const;

  static Correlation forward(const Conv2dShape& s);
  /// The part of the gradient with respect to x that lies at these phases; x here is the gradient of y.
  static Correlation backward(const Conv2dShape& s, Index row_phase, Index col_phase);
  /// All of it at once, for equal strides: results have the phases of x as channels, and w has taps by phases
  /// (conv_phases.hpp).
  static Correlation backward(const Conv2dShape& s);
  /// The same for windows of 3 x 3 with stride 2, whose tiles cover pixels of x.
  static Correlation backward_of_three(const Conv2dShape& s);
};

namespace cpu {

/// y = the correlation of x with w, then the epilogue. Writes y where the sweeps lead and nowhere else. kept:
/// where w stays packed, or null.
template <class T> void correlate(const T* x, const T* w, T* y, const Correlation& shape,
                                  const ConvEpilogue<T>& epilogue = {}, PackedKernel* kept = nullptr);

/// The same where there are as many groups as channels in and out; nothing is packed.
template <class T> void correlate_channels(const T* x, const T* w, T* y, const Correlation& shape,
                                           const ConvEpilogue<T>& epilogue = {});

/// The gradient of a forward correlation with respect to w, from that with respect to y.
template <class T> void correlate_kernel(const T* x, const T* dy, T* dw, const Correlation& shape);

}  // namespace cpu
}  // namespace fastnn
