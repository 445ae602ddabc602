#pragma once

#include <cstdint>

#include "fastnn/core/strided.hpp"

namespace fastnn::cpu {

/// y[i] = x[i] for every index i of the walk, whose strides are those of x, then y. The strides of y
/// must not be 0, and x and y must not overlap. T is float or double. Parallel.
template <class T> void copy(const T* x, T* y, const Strided<2>& walk);

/// The same for bytes, one by one: masks.
void copy(const std::uint8_t* x, std::uint8_t* y, const Strided<2>& walk);

/// y[i] = value for i in [0, n). Parallel.
template <class T> void fill(T* y, Index n, T value);

/// Puts one array of a concatenation in its place: piece o of x, `bytes` long, goes to byte o * stride_bytes
/// of y. x: (outer, bytes), dense, apart from y. Sizes may be 0. Parallel.
void copy_pieces(const void* x, void* y, Index outer, Index bytes, Index stride_bytes);

}  // namespace fastnn::cpu
