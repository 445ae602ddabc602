#pragma once

#include "fastnn/core/strided.hpp"

namespace fastnn {

enum class Extreme { max, min };

namespace cpu {

// Everywhere: T is float or double; x: (outer, n, inner), dense, is reduced over n to y: (outer, inner),
// dense, which must not overlap x. Sizes may be 0. Throws std::invalid_argument if one is negative. Parallel;
// how the work is split depends on the sizes alone.

/// y[o, j] = sum_i x[o, i, j] / divisor; 0 / divisor if n is 0.
///
/// Order: at most 64 elements one after the other are added in T, in several accumulators per vector lane;
/// the sums of such blocks are added up in double within chunks of some 16 thousand elements, and then the
/// chunks. So the rounding error stays at a few ulp however large n is.
template <class T> void sum(const T* x, T* y, Index outer, Index n, Index inner, T divisor);

/// dx = dy / divisor, walked together: dy has stride 0 along what sum() reduced, dx is dense.
template <class T> void sum_backward(const T* dy, T* dx, const Strided<2>& walk, T divisor);

/// y[o, j] = max_i (or min_i) x[o, i, j]; NaN if there is a NaN. Throws std::invalid_argument if n is 0 and y
/// is not empty.
template <class T> void extreme(Extreme which, const T* x, T* y, Index outer, Index n, Index inner);

/// Gradient of extreme(): dx[o, i, j] = dy[o, j] / (number of i where x equals y) where x[o, i, j] = y[o, j],
/// else 0. Where y is NaN, the NaNs share. y: what extreme() gave. Parallel over outer and inner.
template <class T>
void extreme_backward(const T* x, const T* y, const T* dy, T* dx, Index outer, Index n, Index inner);

/// y[o, j] = the first i at which extreme() is found; the first NaN if there is one. Throws
/// std::invalid_argument if n is 0 and y is not empty. Parallel over outer and inner.
template <class T>
void arg_extreme(Extreme which, const T* x, std::int64_t* y, Index outer, Index n, Index inner);

/// count[0] = number of rows r of scores: (rows, cols) whose first largest element is at labels[r]. cols must
/// not be 0 unless rows is. Parallel over rows.
template <class T>
void count_correct(const T* scores, const std::int64_t* labels, std::int64_t* count, Index rows, Index cols);

}  // namespace cpu
}  // namespace fastnn
