#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

constexpr Index kMostPlaces = 1 << 24;  ///< positions that float counts exactly

// x, dx: (n, pixels, c), y, dy, places: (n, c), dense, float or double. n and c may be 0. No output may
// overlap an input.

/// max_pool2d of one window that holds the whole image, and where its largest element is. NaN if there is
/// one. places: null, or takes the pixel of that element: the first of equal ones, the last NaN; pixels are
/// at most kMostPlaces then, else std::invalid_argument. Parallel over images and blocks of channels.
template <class T> void global_max_pool(const T* x, T* y, T* places, Index n, Index pixels, Index c);

/// Gradient of global_max_pool: dx[n, p, c] = dy[n, c] if places[n, c] is p, else 0. Parallel over pixels.
template <class T>
void global_max_pool_backward(const T* places, const T* dy, T* dx, Index n, Index pixels, Index c);

}  // namespace fastnn::cpu
