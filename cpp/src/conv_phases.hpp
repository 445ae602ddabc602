#pragma once

// Convolutions with a stride s as such without one. Pixels s x s of x are one pixel of s s c channels, its
// phases, and windows of kh x kw are windows of kh / s x kw / s, rounded up, whose taps beyond are zeros:
//
//     y[i, j, q] = sum_{k, l} sum_{d, e, p} x[s (i + k) + d, s (j + l) + e, p] w[s k + d, s l + e, p, q]
//
// where d, e < s. The input gradient makes all phases of such a pixel from the same gradients of y.

#include <algorithm>

#include "fastnn/conv2d.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

/// The taps of windows, by phases: (k, l, d, e, c, o).
struct PhaseTaps {
  Index stride, kh, kw, size;  // size: c o
  Index rows = parts(kh, stride), cols = parts(kw, stride), tap = stride * stride * size;

  PhaseTaps(Index step, Index height, Index width, Index elements)
      : stride(step), kh(height), kw(width), size(elements) {}

  std::size_t elements() const { return std::size_t(rows * cols * tap); }

  template <class T> void split(const T* w, T* taps) const {
    each([&](Index in_w, Index in_taps, Index count) {
      std::copy_n(w + in_w, count, taps + in_taps);
      std::fill_n(taps + in_taps + count, stride * size - count, T(0));
    });
  }
  template <class T> void join(const T* taps, T* w) const {
    each([&](Index in_w, Index in_taps, Index count) { std::copy_n(taps + in_taps, count, w + in_w); });
  }

 private:
  /// Calls run(place in w, place in taps, elements) for the phases of a tap in a row, which lie together.
  template <class Run> void each(const Run& run) const {
    for (Index row = 0; row < rows * stride; ++row)
      for (Index l = 0; l < cols; ++l) {
        const Index inside = row < kh ? std::min(stride, kw - l * stride) : 0;
        run((row * kw + l * stride) * size,
            ((row / stride * cols + l) * stride + row % stride) * stride * size, inside * size);
      }
  }
};

/// The image whose phases are results: of result (i, j) the first is pixel (stride i - top, stride j - left).
struct PhaseImage {
  Index stride, h, w, c, top, left;

  /// That of Correlation::backward(s), or of backward_of_three(s), which has pixels as results.
  static PhaseImage of(const Conv2dShape& s) {
    return {s.stride_h, s.h, s.w, s.c, s.top % s.stride_h, s.left % s.stride_w};
  }
  static PhaseImage of_three(const Conv2dShape& s) {
    return {1, s.h, s.w, s.c, (s.top + 1) % 2, (s.left + 1) % 2};
  }
};

}  // namespace fastnn::cpu
