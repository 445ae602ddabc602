#pragma once

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

/// What stands around an array: a constant; its outermost elements; its mirror image, without or with those.
/// Mirror images go on being mirrored as far as needed. NumPy's names.
enum class PadMode { constant, edge, reflect, symmetric };

/// x of lengths shape[axis] with before[axis] elements in front and after[axis] behind, along each of its
/// axes.
struct PadShape {
  int axes = 0;
  Index shape[kMaxAxes] = {}, before[kMaxAxes] = {}, after[kMaxAxes] = {};

  Index out(int axis) const { return before[axis] + shape[axis] + after[axis]; }
};

/// y = x with what stands around it. x, y: dense; y has lengths out(axis). value: the constant. Counts are >=
/// 0 and in other modes than constant an axis to be padded has an element, else std::invalid_argument.
/// Parallel over the first axes.
template <class T> void pad(const T* x, T* y, PadShape shape, PadMode mode, T value);

/// Gradient of pad: dx[i] = sum of dy over the places that x[i] was copied to, in their order. Parallel over
/// the axes in front of the first padded one.
template <class T> void pad_backward(const T* dy, T* dx, PadShape shape, PadMode mode);

}  // namespace fastnn::cpu
