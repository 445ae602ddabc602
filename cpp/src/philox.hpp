#pragma once

// Philox4x32-10, which random kernels share; see dropout.hpp.

#include "kernel.hpp"

namespace fastnn::cpu {

/// A key of Philox and the upper half of its counters.
struct RandomKey {
  std::uint32_t key[2];
  std::uint32_t step[2];
};

}  // namespace fastnn::cpu

#if FASTNN_KERNELS
#include "simd/simd.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// A key and what its rounds make of it.
class Philox {
 public:
  explicit Philox(const RandomKey& key) : step_{key.step[0], key.step[1]} {
    std::uint32_t k0 = key.key[0], k1 = key.key[1];
    for (auto& round : keys_) {
      round[0] = k0, round[1] = k1;
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
  }

  /// The words of the blocks (first + l, step), l in [0, kBlocks), 4 of a block together.
  template <int kBlocks> void blocks(std::uint64_t first, std::uint32_t (&words)[4 * kBlocks]) const {
    static_assert(kBlocks % U64::lanes == 0);
    for (int l = 0; l < kBlocks; l += U64::lanes) {
      const U64 count = U64::count(first + std::uint64_t(l));
      rounds(count, high(count), U64::set(step_[0]), U64::set(step_[1]), words + 4 * l);
    }
  }

  // A block in each lane: a product of 32-bit words is a lane of 64 bits, whose upper half is in nobody's
  // way, as products take the lower ones alone. No shuffles: 6 operations a round.
  void rounds(U64 a, U64 b, U64 c, U64 d, std::uint32_t* words) const {
#pragma GCC unroll 10
    for (const auto& key : keys_) {
      const U64 p = low_product(a, U64::set(0xD2511F53u)), q = low_product(c, U64::set(0xCD9E8D57u));
      a = xor3(high(q), b, U64::set(key[0]));
      c = xor3(high(p), d, U64::set(key[1]));
      b = q;
      d = p;
    }
    store_words(words, a, b, c, d);
  }

 private:
  std::uint64_t keys_[10][2], step_[2];
};

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY
#include "fastnn/dropout.hpp"

namespace fastnn::cpu {

/// The key of a stream, from its state: seed, stream, step.
inline RandomKey random_key(const std::uint64_t* state) {
  const auto low = [](std::uint64_t x) { return std::uint32_t(x); };
  const auto high = [](std::uint64_t x) { return std::uint32_t(x >> 32); };
  const std::uint32_t counter[4] = {low(state[1]), high(state[1]), 0, 0};
  const std::uint32_t seed[2] = {low(state[0]), high(state[0])};
  std::uint32_t words[4];
  philox(counter, seed, words);
  return {{words[0], words[1]}, {low(state[2]), high(state[2])}};
}

}  // namespace fastnn::cpu
#endif
