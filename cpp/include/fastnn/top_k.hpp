#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

/// The k largest elements of each row, in descending order, and where they are; of equal ones the first comes
/// first, and NaN counts as less than everything.
///
/// x: (rows, cols), values, indices: (rows, k), dense and apart from each other; T is float or double. Throws
/// std::invalid_argument unless 0 <= k <= cols. Parallel over rows.
template <class T> void top_k(const T* x, T* values, std::int64_t* indices, Index rows, Index cols, Index k);

/// dx = dvalues where they were found, else 0. dx: (rows, cols). Parallel over rows.
template <class T>
void top_k_backward(const T* dvalues, const std::int64_t* indices, T* dx, Index rows, Index cols, Index k);

}  // namespace fastnn::cpu
