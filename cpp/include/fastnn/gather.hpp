#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

// Everywhere: sizes may be 0, arrays are dense and apart from each other. An index k stands for k + n if it
// is negative; throws std::invalid_argument for one outside [-n, n), before anything is written.

/// y[o, k] = x[o, indices[k]] for slices of `bytes` bytes: x: (outer, n, bytes), y: (outer, count, bytes),
/// but slice x[o, i] starts at byte (o * n + i) * stride_bytes. Without wrap negative indices throw as well.
/// Parallel.
void gather(const void* x, const std::int64_t* indices, void* y, Index outer, Index n, Index count,
            Index bytes, Index stride_bytes, bool wrap);

/// dx[o, i] = sum of dy[o, k] over all k with indices[k] = i, in the order of k.
/// dy: (outer, count, inner), dx: (outer, n, inner). T is float or double. Parallel over outer, inner and
/// blocks of i.
template <class T> void gather_backward(const T* dy, const std::int64_t* indices, T* dx, Index outer, Index n,
                                        Index count, Index inner);

/// y[o, c, i] = 1 if indices[o, i] = c, else 0. indices: (outer, inner); one outside [0, classes) gives
/// zeros. Parallel.
template <class T> void one_hot(const std::int64_t* indices, T* y, Index outer, Index classes, Index inner);

}  // namespace fastnn::cpu
