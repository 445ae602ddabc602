#pragma once

// One axis of a convolution, forward or backward. Both are sums of shifted images: result t of an axis lies
// at out_first + out_step t and reads, for each tap k, position in_step t + shift(k) of the source, which is
// multiplied with row index(k) of the kernel.
//
// forward          out_step 1, in_step = stride, shift(k) = k dilation - padding
// input gradient   the sources are gradients of the outputs. Result p + stride t is reached by those taps i
//                  alone for which i dilation = p + padding modulo the stride, from the outputs
//                  t + (p + padding - i dilation) / stride: for each phase p a sweep with in_step 1.

#include <numeric>

#include "fastnn/core/types.hpp"

namespace fastnn {

struct Sweep {
  Index in = 0, out = 0;  // lengths of the axis in the source and in the result
  Index count = 0, out_first = 0, out_step = 1, in_step = 1;
  Index taps = 0, shift_first = 0, shift_step = 1, index_first = 0, index_step = 1;

  Index shift(Index tap) const { return shift_first + tap * shift_step; }
  Index index(Index tap) const { return index_first + tap * index_step; }
  /// Positions of the source that `results` results in a row read, outside of it as well.
  Index span(Index results) const { return (results - 1) * in_step + (taps - 1) * shift_step + 1; }
  bool leaves_source() const { return shift_first < 0 || shift_first + span(count) > in; }

  static Sweep forward(Index in, Index out, Index taps, Index stride, Index dilation, Index padding) {
    return {in, out, out, 0, 1, stride, taps, -padding, dilation, 0, 1};
  }

  /// Phase p of the gradient of an axis of length `out` that was convolved to length `in`. Taps go backwards,
  /// so that shifts rise.
  static Sweep backward(Index in, Index out, Index kernel, Index stride, Index dilation, Index padding,
                        Index p) {
    Sweep s;
    s.in = in, s.out = out, s.out_first = p, s.out_step = stride;
    s.count = out > p ? (out - p + stride - 1) / stride : 0;
    const Index step = stride / std::gcd(stride, dilation);
    Index first = 0;
    while (first < step && (p + padding - first * dilation) % stride != 0) ++first;
    s.taps = first < step && first < kernel ? (kernel - first + step - 1) / step : 0;
    const Index last = first + (s.taps - 1) * step;
    s.index_first = last, s.index_step = -step;
    s.shift_first = (p + padding - last * dilation) / stride, s.shift_step = step * dilation / stride;
    return s;
  }

  /// All phases of that gradient at once, without dilation: result t is what lies from position
  /// stride t - padding % stride on, taps those of conv_phases.hpp.
  static Sweep backward(Index in, Index out, Index kernel, Index stride, Index padding) {
    Sweep s;
    const Index first = padding / stride;
    s.in = in, s.count = s.out = out > 0 ? (out - 1 + padding) / stride - first + 1 : 0;
    s.taps = (kernel + stride - 1) / stride;
    s.index_first = s.taps - 1, s.index_step = -1;
    s.shift_first = first - s.index_first;
    return s;
  }

  /// That gradient where kernels have 3 taps and stride is 2, from position -(padding + 1) % 2 on, as
  /// StrideTwoGradient of winograd_kernel.hpp wants it: the middle tap alone, then the other two.
  static Sweep backward_of_three(Index in, Index out, Index padding) {
    Sweep s;
    const Index before = (padding + 1) % 2;
    s.in = in, s.count = s.out = out + before, s.taps = 3;
    s.index_first = 2, s.index_step = -1;
    s.shift_first = (padding - before - 1) / 2;
    return s;
  }
};

}  // namespace fastnn
