#pragma once

// Random decisions of dropout, for the kernels that make them: see fastnn/dropout.hpp.

#include "kernel.hpp"
#include "philox.hpp"

namespace fastnn::cpu {

/// Elements that are decided together: two batches.
constexpr Index kStretch = 256;

}  // namespace fastnn::cpu

#if FASTNN_KERNELS
namespace fastnn::cpu::FASTNN_ISA {

// Decides kStretch elements, two batches, from `stretch` on. With the 16 blocks of a single batch GCC 12
// unrolls the lanes before it could make vectors of them: 2.8 times slower on an EPYC with AVX-512.
static inline void keep_stretch(const RandomKey& key, std::uint64_t stretch, std::uint32_t drop,
                                std::uint8_t* keep) {
  constexpr int kBlocks = int(kStretch) / 8;
  std::uint32_t c[4][kBlocks];
  philox_batch(key, stretch, c);
  for (int batch = 0; batch < kBlocks / 16; ++batch) {
    std::uint8_t* out = keep + 128 * batch;
    for (int j = 0; j < 4; ++j) {
      const std::uint32_t* word = c[j] + 16 * batch;
      for (int l = 0; l < 16; ++l) out[32 * j + l] = std::uint8_t((word[l] & 0xFFFFu) >= drop);
      for (int l = 0; l < 16; ++l) out[32 * j + 16 + l] = std::uint8_t((word[l] >> 16) >= drop);
    }
  }
}

}  // namespace fastnn::cpu::FASTNN_ISA
#endif
