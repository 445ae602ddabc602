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
namespace fastnn::cpu::FASTNN_ISA {

// kBlocks blocks side by side, word by word, so that the compiler makes vectors of them: c[j][l] is word j of
// counter l before and of the result after.
template <int kBlocks>
static inline void philox_rounds(std::uint32_t (&c)[4][kBlocks], std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    for (int l = 0; l < kBlocks; ++l) {
      const std::uint64_t a = 0xD2511F53ull * c[0][l], b = 0xCD9E8D57ull * c[2][l];
      c[0][l] = std::uint32_t(b >> 32) ^ c[1][l] ^ k0;
      c[2][l] = std::uint32_t(a >> 32) ^ c[3][l] ^ k1;
      c[1][l] = std::uint32_t(b);
      c[3][l] = std::uint32_t(a);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

/// The words of the blocks (kBlocks batch + l, step), l in [0, kBlocks), as philox_rounds() leaves them.
/// kBlocks is a power of two: adding l carries nothing.
template <int kBlocks>
static inline void philox_batch(const RandomKey& key, std::uint64_t batch, std::uint32_t (&c)[4][kBlocks]) {
  const std::uint64_t first = batch * kBlocks;
  for (int l = 0; l < kBlocks; ++l) {
    c[0][l] = std::uint32_t(first) + std::uint32_t(l);
    c[1][l] = std::uint32_t(first >> 32);
    c[2][l] = key.step[0];
    c[3][l] = key.step[1];
  }
  philox_rounds(c, key.key[0], key.key[1]);
}

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
