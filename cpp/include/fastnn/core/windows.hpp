#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn {

/// Windows along one axis of `in` positions: window i of `out` covers [begin(i), end(i)), what lies outside
/// the axis left out. Their first positions are `step / divisor` apart, they are `size / divisor` long,
/// rounded so that a window begins early and ends late; the first begins `before` positions in front of the
/// axis.
///
/// Windows of a layer: step is the stride, divisor 1. Adaptive ones: step = size = in, divisor = out, before
/// = 0.
struct Windows {
  Index in, out, step, size, divisor = 1, before = 0;

  Index begin(Index i) const {
    const Index first = divisor == 1 ? i * step : i * step / divisor;
    return first < before ? 0 : first - before;
  }
  Index end(Index i) const {
    const Index last = (divisor == 1 ? i * step + size : (i * step + size + divisor - 1) / divisor) - before;
    return last < in ? last : in;
  }
};

/// Two axes of windows over x: (n, h.in, w.in, c), which make y: (n, h.out, w.out, c).
struct Pool2dShape {
  Index n;
  Windows h, w;
  Index c;

  Index x_row() const { return w.in * c; }
  Index y_row() const { return w.out * c; }
};

}  // namespace fastnn
