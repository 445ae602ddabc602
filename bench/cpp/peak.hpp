// What the machine can do at most. peak.cpp is compiled for the machine it runs on.
#pragma once

#include <cstddef>

namespace peak {

/// Seconds on a steady clock.
double now();

/// Single-precision multiplies and adds per second.
double flops(int threads);

/// Bytes per second of y = 3 x over a footprint of `bytes` (x and y together), each thread on its own
/// part: the better of ordinary and streaming stores.
double bandwidth(int threads, std::size_t bytes);

}  // namespace peak
