#pragma once

// Outputs that are larger than the caches will hold are stored past them: no line is read before it is
// written over. Sapphire Rapids, one thread, a copy of x to y, GB/s of both with ordinary and with streaming
// stores: 16 MiB each 29 and 38, 28 MiB 21 and 34, 32 MiB 8 and 33. A reader of y that comes next finds it in
// the third level without them: up to 24 MiB it loses more than the copy gains.

#include <cstdint>

#include "fastnn/core/types.hpp"

namespace fastnn {

constexpr Index kStreamBytes = Index(24) << 20;

/// Whether an output of so many elements is streamed. Vectors are stored from each multiple of `row` elements
/// on, so those have to be whole cache lines.
template <class T> bool streams(const T* y, Index count, Index row) {
  constexpr Index kLine = 64;
  return count * Index(sizeof(T)) >= kStreamBytes && row * Index(sizeof(T)) % kLine == 0 &&
         reinterpret_cast<std::uintptr_t>(y) % kLine == 0;
}

}  // namespace fastnn
