#pragma once

// Entry points of functions that make a row of every row: checks, and the split of the rows.

#include "check.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {

/// Calls kernel(inputs + at, ..., y + at, count, cols) on ranges of rows; all arrays are (rows, cols), dense.
template <class T, typename Kernel, typename... Inputs>
void map_rows(const char* op, const Kernel& kernel, Index rows, Index cols, T* y, const Inputs*... inputs) {
  check(op, rows >= 0 && cols >= 0, "expected rows, cols >= 0, got (", rows, ", ", cols, ")");
  parallel_ranges(rows, cols, [=](Index begin, Index end) {
    kernel((inputs + begin * cols)..., y + begin * cols, end - begin, cols);
  });
}

}  // namespace fastnn::cpu
