#pragma once

#include "fastnn/core/windows.hpp"

namespace fastnn::cpu {

/// What a sum over a window is divided by: the elements in it, padding left out; those it has with padding;
/// nothing.
enum class PoolDivisor { covered, window, none };

// x, dx: (n, h, w, c), y, dy: (n, oh, ow, c), dense, float or double; sizes in `shape`. n and c may be 0.
// Windows lie in order and each holds at least one element: else std::invalid_argument. No output may overlap
// an input.

/// Largest element of each window: y[n, i, j, c] = max of x[n, p, q, c] over the window (i, j). NaN if there
/// is one. Parallel over rows of y.
template <class T> void max_pool2d(const T* x, T* y, Pool2dShape shape);

/// Gradient of max_pool2d: dx[p, q] is the sum of dy over the windows whose largest element is (p, q): the
/// first one of equal elements, row by row; the last NaN if there is one. Windows have at most 2^24 elements,
/// else std::invalid_argument. Parallel over images or rows of dx; sums run in the order of the windows.
template <class T> void max_pool2d_backward(const T* x, const T* dy, T* dx, Pool2dShape shape);

/// Sum over each window: y[n, i, j, c] = (sum of x[n, p, q, c] over the window) / divisor. Each row of the
/// window is added up by itself. Parallel over rows of y.
template <class T> void avg_pool2d(const T* x, T* y, Pool2dShape shape, PoolDivisor divisor);

/// Gradient of avg_pool2d: dx[p, q] = sum of dy[i, j] / divisor over the windows that cover (p, q). Parallel
/// over rows of dx.
template <class T> void avg_pool2d_backward(const T* dy, T* dx, Pool2dShape shape, PoolDivisor divisor);

}  // namespace fastnn::cpu
