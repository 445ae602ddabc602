#pragma once

#include "fastnn/optimizers.hpp"

// Sums and moving averages over the runs of flat buffers, element by element. T is float or double. Buffers
// do not overlap. Parallel above a grain. Throws std::invalid_argument for a negative offset or length.

namespace fastnn::cpu {

/// total += x; total = 0 without x (null).
template <class T> void accumulate(T* total, const T* x, const Run* runs, Index run_count);

/// average = momentum average + (1 - momentum) x; average = x while *step is at most 1, or if momentum is 0.
template <class T> void move_average(T* average, const T* x, const Run* runs, Index run_count,
                                     const std::int64_t* step, double momentum);

}  // namespace fastnn::cpu
