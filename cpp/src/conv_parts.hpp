#pragma once

// Gradients of a kernel that tasks have summed over parts of the pixels, each to a copy of its own.

#include "conv_kernels.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {

/// y = the sum of `count` copies of `size` elements each, in order. y may be the first of them.
template <class T> void add_parts(const ConvKernels<T>& run, const T* copies, Index size, Index count, T* y) {
  parallel_ranges(
      size, count,
      [&](Index begin, Index end) { run.add(copies + begin, size, count, y + begin, end - begin); }, 64);
}

}  // namespace fastnn::cpu
