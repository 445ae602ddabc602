#pragma once

#include <cstdint>

#include "fastnn/core/types.hpp"

namespace fastnn::cpu {

// Normally distributed numbers from Philox4x32-10 (see dropout.hpp) by Box and Muller's transform (A note on
// the generation of random normal deviates, 1958): z1 = r cos(2 pi u2), z2 = r sin(2 pi u2) with r = sqrt(-2
// log u1). Element e depends on (seed, stream, step, e) alone, up to the last bits that instruction sets
// differ in.
//
// state: seed, stream, step, which every call moves on by 1; the key is that of dropout. Elements are made in
// batches of 128: batch b takes the counters (32 b + l, step), l in [0, 32). Words w0 and w1 of block l give
// its elements l and 32 + l, words w2 and w3 its elements 64 + l and 96 + l, with u1 = (w + 1/2) / 2^32 of
// the first word of a pair and u2 = w / 2^32 of the second. All is computed in double and rounded once: the
// largest |z| is 6.8.

/// y[e] = mean + stddev z[e]. y: (n), dense, T is float or double. Parallel.
template <class T> void normal(std::uint64_t* state, T* y, Index n, double mean, double stddev);

}  // namespace fastnn::cpu
