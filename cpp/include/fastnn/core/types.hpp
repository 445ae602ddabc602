#pragma once

#include <cstdint>

namespace fastnn {

/// Sizes, strides and positions, in elements unless a name says bytes.
using Index = std::int64_t;

/// The most axes an array may have after axes that lie together in memory have been merged.
constexpr int kMaxAxes = 16;

/// What a loss does with its values: keeps them, adds them up, or takes their mean.
enum class Reduction { none, sum, mean };

}  // namespace fastnn
