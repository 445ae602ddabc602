#include "fastnn/dropout.hpp"

#include "blocks.hpp"
#include "dropout_kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, philox_words, (const std::uint32_t* counter, const std::uint32_t* key, T* words))
FASTNN_DECLARE(void, dropout_span,
               (const RandomKey& key, const T* x, T* y, std::uint8_t* mask, Index begin, Index end,
                Index drop, T scale))
FASTNN_DECLARE(void, dropout_apply_block,
               (const T* x, const std::uint8_t* mask, T* y, const Block<3>& block, T scale))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------

namespace fastnn::cpu::FASTNN_ISA {

template <class T> void philox_words(const std::uint32_t* counter, const std::uint32_t* key, T* words) {
  std::uint32_t lanes[4 * U64::lanes];
  const auto word = [=](int j) { return U64::set(counter[j]); };
  Philox({{key[0], key[1]}, {0, 0}}).rounds(word(0), word(1), word(2), word(3), lanes);
  for (int j = 0; j < 4; ++j) words[j] = T(lanes[j]);
}
template decltype(philox_words<std::uint32_t>) philox_words<std::uint32_t>;

template <class T> static inline void apply(const T* x, const std::uint8_t* mask, T* y, Index n, T scale) {
  for (Index i = 0; i < n; ++i) y[i] = mask[i] ? scale * x[i] : T(0);
}

// begin is a multiple of kStretch. Without x, only the mask is made.
template <class T> void dropout_span(const RandomKey& key, const T* x, T* y, std::uint8_t* mask, Index begin,
                                     Index end, Index drop, T scale) {
  const Philox philox(key);
  for (Index first = begin; first < end; first += kStretch) {
    const Index count = end - first < kStretch ? end - first : kStretch;
    std::uint8_t last[kStretch], *keep = count == kStretch ? mask + first : last;
    keep_stretch(philox, std::uint64_t(first / kStretch), std::uint32_t(drop), keep);
    if (keep == last) memcpy(mask + first, last, std::size_t(count));
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

}  // namespace

void philox(const std::uint32_t* counter, const std::uint32_t* key, std::uint32_t* words) {
  FASTNN_SELECT(philox_words<std::uint32_t>)(counter, key, words);
}

template <class T>
void dropout(std::uint64_t* state, const T* x, T* y, std::uint8_t* mask, Index n, double rate) {
  check_rate(rate);
  const RandomKey key = random_key(state);
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
