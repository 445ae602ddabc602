#pragma once

// Random decisions of dropout, for the kernels that make them: see fastnn/dropout.hpp.

#include "kernel.hpp"
#include "philox.hpp"

namespace fastnn::cpu {

/// Elements that are decided together: the bytes of 16 blocks.
constexpr Index kStretch = 256;

}  // namespace fastnn::cpu

#if FASTNN_KERNELS
#include <string.h>

namespace fastnn::cpu::FASTNN_ISA {

/// Bit 7 of each byte of x that is 0.
static inline std::uint64_t zero_bytes(std::uint64_t x) {
  constexpr std::uint64_t kLow = 0x7F7F7F7F7F7F7F7Full;
  return ~(((x & kLow) + kLow) | x | kLow);
}

/// Decides the elements of a stretch whose byte is that of the threshold, one in 256: the next words of a
/// sequence of their own give them the other 24 bits.
static inline void decide_ties(const Philox& philox, std::uint64_t stretch, std::uint32_t drop,
                               const std::uint32_t (&words)[kStretch / 4], std::uint8_t* keep) {
  constexpr int kBlocks = 8;
  const std::uint64_t same = (drop >> 24) * 0x0101010101010101ull;
  std::uint64_t block = std::uint64_t(1) << 63 | stretch * 64;
  std::uint32_t next[4 * kBlocks];
  int used = 4 * kBlocks;
  for (Index i = 0; i < kStretch; i += 8) {
    std::uint64_t eight;
    memcpy(&eight, words + i / 4, 8);
    for (std::uint64_t ties = zero_bytes(eight ^ same); ties; ties &= ties - 1) {
      if (used == 4 * kBlocks) {
        philox.blocks<kBlocks>(block, next);
        block += kBlocks;
        used = 0;
      }
      keep[i + __builtin_ctzll(ties) / 8] = (next[used++] >> 8) >= (drop & 0xFFFFFFu);
    }
  }
}

/// Decides kStretch elements from `stretch` on. drop: of 2^32.
static inline void keep_stretch(const Philox& philox, std::uint64_t stretch, std::uint32_t drop,
                                std::uint8_t* keep) {
  std::uint32_t words[kStretch / 4];
  std::uint8_t byte[kStretch];
  philox.blocks<int(kStretch) / 16>(stretch * (kStretch / 16), words);
  memcpy(byte, words, sizeof byte);
  const std::uint8_t least = std::uint8_t(drop >> 24);
  for (Index i = 0; i < kStretch; ++i) keep[i] = byte[i] >= least;
  if (drop & 0xFFFFFFu) decide_ties(philox, stretch, drop, words, keep);
}

}  // namespace fastnn::cpu::FASTNN_ISA
#endif
