#pragma once

#include "fastnn/core/strided.hpp"

namespace fastnn::cpu {

// Random decisions come from Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as
// 1, 2, 3, SC11), a function of (key, counter) in integer arithmetic: the same bits on every instruction set
// and at any number of threads, and element e depends on (seed, stream, step, e) alone.
//
// state: seed, stream, step, which every call moves on by 1. The key is the first half of philox(counter =
// stream, key = seed). Elements are decided in batches of 128: batch b takes the counters (16 b + l, step), l
// in [0, 16), as two 64-bit numbers; its element 32 j + 16 h + l is decided by half h (0: low) of word j of
// block l. An element is kept if that 16-bit number is at least dropped(rate).

/// How many of 65536 decisions drop an element: rate, rounded to 1/65536, and less than 1.
inline Index dropped(double rate) {
  const Index count = Index(rate * 65536 + 0.5);
  return count < 65536 ? count : 65535;
}

/// What kept elements are multiplied with: the inverse of the exact share that is kept, so that the mean
/// stays.
inline double dropout_scale(double rate) { return 65536.0 / double(65536 - dropped(rate)); }

/// mask[e] = 1 if element e is kept, else 0; y[e] = mask[e] ? scale x[e] : 0.
///
/// x, y: (n), dense, T is float or double, y may be x. mask: (n). rate in [0, 1): throws
/// std::invalid_argument otherwise. Parallel.
template <class T>
void dropout(std::uint64_t* state, const T* x, T* y, std::uint8_t* mask, Index n, double rate);

/// The mask alone.
void dropout_mask(std::uint64_t* state, std::uint8_t* mask, Index n, double rate);

/// y = mask ? scale x : 0, walked together: the mask may be broadcast; x and y are dense. Also the gradient.
/// Strides of x, mask, y. y may be x. Parallel.
template <class T>
void dropout_apply(const T* x, const std::uint8_t* mask, T* y, const Strided<3>& walk, double rate);

/// words = Philox4x32-10 of a counter of four words and a key of two. For tests against published vectors.
void philox(const std::uint32_t* counter, const std::uint32_t* key, std::uint32_t* words);

}  // namespace fastnn::cpu
