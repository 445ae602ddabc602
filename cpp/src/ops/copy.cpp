#include "fastnn/copy.hpp"

#include "blocks.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, copy_block, (const T* x, T* y, const Block<2>& block))
FASTNN_DECLARE(void, fill_span, (T * y, Index n, T value))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/simd.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> static inline void copy_span(const T* x, T* y, Index n) {
  using V = Vec<T>;
  Index i = 0;
  for (; i + V::lanes <= n; i += V::lanes) V::load(x + i).store(y + i);
  if (i < n) V::load_n(x + i, int(n - i)).store_n(y + i, int(n - i));
}

// A transpose in tiles, so that every cache line of both sides is used while it is near.
template <class T> static inline void copy_tiles(const T* x, T* y, const Block<2>& b) {
  constexpr Index kTile = 16;
  for (Index r0 = 0; r0 < b.rows; r0 += kTile)
    for (Index c0 = 0; c0 < b.cols; c0 += kTile)
      for (Index r = r0; r < b.rows && r < r0 + kTile; ++r)
        for (Index c = c0; c < b.cols && c < c0 + kTile; ++c)
          y[r * b.row_stride[1] + c * b.col_stride[1]] = x[r * b.row_stride[0] + c * b.col_stride[0]];
}

template <class T> void copy_block(const T* x, T* y, const Block<2>& b) {
  x += b.offset[0];
  y += b.offset[1];
  if (b.col_stride[0] != 1 || b.col_stride[1] != 1) return copy_tiles(x, y, b);
  for (Index r = 0; r < b.rows; ++r) copy_span(x + r * b.row_stride[0], y + r * b.row_stride[1], b.cols);
}
FASTNN_INSTANTIATE(copy_block)

template <class T> void fill_span(T* y, Index n, T value) {
  using V = Vec<T>;
  const V v = V::set(value);
  Index i = 0;
  for (; i + V::lanes <= n; i += V::lanes) v.store(y + i);
  if (i < n) v.store_n(y + i, int(n - i));
}
FASTNN_INSTANTIATE(fill_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include <cstring>

namespace fastnn::cpu {

template <class T> void copy(const T* x, T* y, const Strided<2>& walk) {
  const auto kernel = FASTNN_SELECT(copy_block<T>);
  parallel_blocks(walk, [=](const Block<2>& block) { kernel(x, y, block); });
}
FASTNN_INSTANTIATE(copy)

void copy(const std::uint8_t* x, std::uint8_t* y, const Strided<2>& walk) {
  parallel_blocks(walk, [=](const Block<2>& block) {
    for (Index r = 0; r < block.rows; ++r) {
      const std::uint8_t* const from = x + block.offset[0] + r * block.row_stride[0];
      std::uint8_t* const to = y + block.offset[1] + r * block.row_stride[1];
      for (Index c = 0; c < block.cols; ++c) to[c * block.col_stride[1]] = from[c * block.col_stride[0]];
    }
  });
}

template <class T> void fill(T* y, Index n, T value) {
  const auto kernel = FASTNN_SELECT(fill_span<T>);
  parallel_ranges(
      n, 1, [=](Index begin, Index end) { kernel(y + begin, end - begin, value); }, 64);
}
FASTNN_INSTANTIATE(fill)

void copy_pieces(const void* x, void* y, Index outer, Index bytes, Index stride_bytes) {
  constexpr Index kTaskBytes = 4 * kGrain;
  if (bytes == 0) return;
  const Index pieces = (bytes + kTaskBytes - 1) / kTaskBytes;
  const char* from = static_cast<const char*>(x);
  char* to = static_cast<char*>(y);
  parallel_ranges(outer * pieces, std::min(bytes, kTaskBytes) / 4, [=](Index begin, Index end) {
    for (Index t = begin; t < end; ++t) {
      const Index o = t / pieces, first = t % pieces * kTaskBytes;
      std::memcpy(to + o * stride_bytes + first, from + o * bytes + first,
                  std::size_t(std::min(kTaskBytes, bytes - first)));
    }
  });
}

}  // namespace fastnn::cpu
#endif
