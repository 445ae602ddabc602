// What the machine can do at most. peak.cpp is compiled for the machine it runs on.
#pragma once

#include <cstddef>

namespace peak {

/// Seconds on a steady clock.
double now();

/// Single-precision multiplies and adds per second, over `rounds` of 12 vectors: 4 million last some 20 ms.
double flops(int threads, long rounds = 4'000'000);

/// Bytes per second of y = 3 x over a footprint of `bytes` (x and y together), each thread on its own
/// part: the better of ordinary and streaming stores.
double bandwidth(int threads, std::size_t bytes);

}  // namespace peak
