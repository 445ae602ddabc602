#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// How N arrays are walked together: one shape, and each array's strides in elements (0 where it is
/// broadcast). Axes are listed from the outermost to the innermost.
template <int N> struct Strided {
  int axes = 0;
  Index shape[kMaxAxes] = {};
  Index strides[N][kMaxAxes] = {};

  Index size() const {
    Index product = 1;
    for (int i = 0; i < axes; ++i) product *= shape[i];
    return product;
  }

  /// Adds an axis inside the present ones, merging it with the last where the arrays lie together.
  /// Axes of length 1 vanish. Returns false if there are more than kMaxAxes left.
  bool push(Index length, const Index (&steps)[N]) {
    if (length == 1) return true;
    bool together = axes > 0;
    for (int k = 0; k < N; ++k) together = together && strides[k][axes - 1] == steps[k] * length;
    if (!together && axes == kMaxAxes) return false;
    if (!together) shape[axes++] = 1;
    shape[axes - 1] *= length;
    for (int k = 0; k < N; ++k) strides[k][axes - 1] = steps[k];
    return true;
  }
};

}  // namespace fastnn
