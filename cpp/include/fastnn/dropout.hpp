#pragma once

#include "fastnn/core/strided.hpp"

namespace fastnn::cpu {

// Random decisions come from Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as
// 1, 2, 3, SC11), a function of (key, counter) in integer arithmetic: the same bits on every instruction set
// and at any number of threads, and element e depends on (seed, stream, step, e) alone.
//
// state: seed, stream, step, which every call moves on by 1. The key is the first half of philox(counter =
// stream, key = seed). Block i has the counter (i, step), two 64-bit numbers, and 16 bytes, its words from
// the lower end on. A decision is a number of 32 bits: an element is kept if its is at least dropped(rate).
// Byte e % 16 of block e / 16 is the upper byte of element e's, which settles 255 elements of 256. Those that
// have the threshold's upper byte, in stretch s of 256 elements, take their other bits in turn: the i-th of
// them is kept if the upper 24 bits of word i % 4 of block 2^63 + 64 s + i / 4 are at least those of the
// threshold.

/// How many of 2^32 decisions drop an element: rate, rounded to 2^-32, and less than 1.
inline Index dropped(double rate) {
  const Index all = Index(1) << 32, count = Index(rate * double(all) + 0.5);
  return count < all ? count : all - 1;
}

/// What kept elements are multiplied with: the inverse of the exact share that is kept, so that the mean
/// stays.
inline double dropout_scale(double rate) { return 0x1p32 / (0x1p32 - double(dropped(rate))); }

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
