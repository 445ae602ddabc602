#include "fastnn/dropout.hpp"

#include "blocks.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

/// A key of Philox and the upper half of its counters.
struct RandomKey {
  std::uint32_t key[2];
  std::uint32_t step[2];
};

FASTNN_DECLARE(void, philox_words, (const std::uint32_t* counter, const std::uint32_t* key, T* words))
FASTNN_DECLARE(void, dropout_span,
               (const RandomKey& key, const T* x, T* y, std::uint8_t* mask, Index begin, Index end,
                Index drop, T scale))
FASTNN_DECLARE(void, dropout_apply_block,
               (const T* x, const std::uint8_t* mask, T* y, const Block<3>& block, T scale))

/// Elements that are decided together: two batches.
constexpr Index kStretch = 256;

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------

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

template <class T> void philox_words(const std::uint32_t* counter, const std::uint32_t* key, T* words) {
  std::uint32_t c[4][1];
  for (int j = 0; j < 4; ++j) c[j][0] = counter[j];
  philox_rounds(c, key[0], key[1]);
  for (int j = 0; j < 4; ++j) words[j] = T(c[j][0]);
}
template decltype(philox_words<std::uint32_t>) philox_words<std::uint32_t>;

// Decides kStretch elements, two batches, from `stretch` on. With the 16 blocks of a single batch GCC 12
// unrolls the lanes before it could make vectors of them: 2.8 times slower on an EPYC with AVX-512.
static inline void keep_stretch(const RandomKey& key, std::uint64_t stretch, std::uint32_t drop,
                                std::uint8_t* keep) {
  constexpr int kBlocks = int(kStretch) / 8;
  std::uint32_t c[4][kBlocks];
  const std::uint64_t first = stretch * kBlocks;  // a multiple of 32: adding l carries nothing
  for (int l = 0; l < kBlocks; ++l) {
    c[0][l] = std::uint32_t(first) + std::uint32_t(l);
    c[1][l] = std::uint32_t(first >> 32);
    c[2][l] = key.step[0];
    c[3][l] = key.step[1];
  }
  philox_rounds(c, key.key[0], key.key[1]);
  for (int batch = 0; batch < kBlocks / 16; ++batch) {
    std::uint8_t* out = keep + 128 * batch;
    for (int j = 0; j < 4; ++j) {
      const std::uint32_t* word = c[j] + 16 * batch;
      for (int l = 0; l < 16; ++l) out[32 * j + l] = std::uint8_t((word[l] & 0xFFFFu) >= drop);
      for (int l = 0; l < 16; ++l) out[32 * j + 16 + l] = std::uint8_t((word[l] >> 16) >= drop);
    }
  }
}

template <class T> static inline void apply(const T* x, const std::uint8_t* mask, T* y, Index n, T scale) {
  for (Index i = 0; i < n; ++i) y[i] = mask[i] ? scale * x[i] : T(0);
}

// begin is a multiple of kStretch. Without x, only the mask is made.
template <class T> void dropout_span(const RandomKey& key, const T* x, T* y, std::uint8_t* mask, Index begin,
                                     Index end, Index drop, T scale) {
  for (Index first = begin; first < end; first += kStretch) {
    const Index count = end - first < kStretch ? end - first : kStretch;
    std::uint8_t keep[kStretch];
    keep_stretch(key, std::uint64_t(first / kStretch), std::uint32_t(drop), keep);
    for (Index i = 0; i < count; ++i) mask[first + i] = keep[i];
    if (x) apply(x + first, keep, y + first, count, scale);
  }
}
FASTNN_INSTANTIATE(dropout_span)

template <class T>
void dropout_apply_block(const T* x, const std::uint8_t* mask, T* y, const Block<3>& block, T scale) {
  x += block.offset[0];
  mask += block.offset[1];
  y += block.offset[2];
  for (Index r = 0; r < block.rows; ++r) {
    if (block.col_stride[1] == 1)
      apply(x, mask, y, block.cols, scale);
    else
      for (Index i = 0; i < block.cols; ++i) y[i] = *mask ? scale * x[i] : T(0);
    x += block.row_stride[0];
    mask += block.row_stride[1];
    y += block.row_stride[2];
  }
}
FASTNN_INSTANTIATE(dropout_apply_block)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"

namespace fastnn::cpu {
namespace {

void check_rate(double rate) {
  check("dropout", rate >= 0 && rate < 1, "expected rate in [0, 1), got ", rate);
}

RandomKey key_of(const std::uint64_t* state) {
  const auto low = [](std::uint64_t x) { return std::uint32_t(x); };
  const auto high = [](std::uint64_t x) { return std::uint32_t(x >> 32); };
  const std::uint32_t counter[4] = {low(state[1]), high(state[1]), 0, 0};
  const std::uint32_t seed[2] = {low(state[0]), high(state[0])};
  std::uint32_t words[4];
  philox(counter, seed, words);
  return {{words[0], words[1]}, {low(state[2]), high(state[2])}};
}

}  // namespace

void philox(const std::uint32_t* counter, const std::uint32_t* key, std::uint32_t* words) {
  FASTNN_SELECT(philox_words<std::uint32_t>)(counter, key, words);
}

template <class T>
void dropout(std::uint64_t* state, const T* x, T* y, std::uint8_t* mask, Index n, double rate) {
  check_rate(rate);
  const RandomKey key = key_of(state);
  ++state[2];
  const T scale = T(dropout_scale(rate));
  const auto kernel = FASTNN_SELECT(dropout_span<T>);
  parallel_ranges(
      n, 1, [&](Index begin, Index end) { kernel(key, x, y, mask, begin, end, dropped(rate), scale); },
      kStretch);
}
FASTNN_INSTANTIATE(dropout)

void dropout_mask(std::uint64_t* state, std::uint8_t* mask, Index n, double rate) {
  dropout<float>(state, nullptr, nullptr, mask, n, rate);
}

template <class T>
void dropout_apply(const T* x, const std::uint8_t* mask, T* y, const Strided<3>& walk, double rate) {
  check_rate(rate);
  const T scale = T(dropout_scale(rate));
  const auto kernel = FASTNN_SELECT(dropout_apply_block<T>);
  parallel_blocks(walk, [=](const Block<3>& block) { kernel(x, mask, y, block, scale); });
}
FASTNN_INSTANTIATE(dropout_apply)

}  // namespace fastnn::cpu
#endif
