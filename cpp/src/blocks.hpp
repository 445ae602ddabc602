#pragma once

#include "fastnn/core/strided.hpp"
#include "parallel.hpp"

namespace fastnn {

/// The two innermost axes of a walk, which a kernel covers in one call.
template <int N> struct Block {
  Index rows, cols;
  Index offset[N];  ///< of the block's first element
  Index row_stride[N];
  Index col_stride[N];
};

/// Calls fn(block) for blocks that together cover the walk, in parallel above the grain.
template <int N, typename Fn> void parallel_blocks(const Strided<N>& walk, const Fn& fn) {
  if (walk.size() == 0) return;
  const int axes = walk.axes;
  Block<N> whole{1, 1, {}, {}, {}};
  if (axes > 0) whole.cols = walk.shape[axes - 1];
  if (axes > 1) whole.rows = walk.shape[axes - 2];
  for (int k = 0; k < N; ++k) {
    if (axes > 0) whole.col_stride[k] = walk.strides[k][axes - 1];
    if (axes > 1) whole.row_stride[k] = walk.strides[k][axes - 2];
  }
  const auto part = [&](Index row, Index rows, Index col, Index cols) {
    Block<N> block = whole;
    block.rows = rows;
    block.cols = cols;
    for (int k = 0; k < N; ++k) block.offset[k] += row * whole.row_stride[k] + col * whole.col_stride[k];
    return block;
  };
  if (axes < 2) {
    parallel_ranges(
        whole.cols, 1, [&](Index begin, Index end) { fn(part(0, 1, begin, end - begin)); }, 64);
  } else if (axes == 2) {
    parallel_ranges(whole.rows, whole.cols,
                    [&](Index begin, Index end) { fn(part(begin, end - begin, 0, whole.cols)); });
  } else {
    const Index outer = walk.size() / (whole.rows * whole.cols);
    parallel_ranges(outer, whole.rows * whole.cols, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        Block<N> block = whole;
        for (Index rest = i, axis = axes - 3; axis >= 0; rest /= walk.shape[axis], --axis)
          for (int k = 0; k < N; ++k) block.offset[k] += rest % walk.shape[axis] * walk.strides[k][axis];
        fn(block);
      }
    });
  }
}

}  // namespace fastnn
