#pragma once

#include <cstdint>

#include "fastnn/core/types.hpp"

namespace fastnn {

/// Types of array elements that numbers come in.
enum class Element { boolean, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64 };

namespace cpu {

/// y[i] = x[i] as a T, for i in [0, n): rounded to nearest where T is float or double. T: float, double, or
/// std::int64_t, to which only integers and booleans may be converted (uint64 wraps around).
/// x: dense, of the given type. n may be 0. Throws std::invalid_argument for n < 0 and for floating x where T
/// is std::int64_t. Parallel.
template <class T> void cast(Element type, const void* x, T* y, Index n);

}  // namespace cpu
}  // namespace fastnn
