#pragma once

// The kernel gradient is a product over pixels. As tiles then walk from pixel to pixel, pixels are copied by
// blocks of the 8 channels a tile has as rows. Chunks are cut into fixed parts, each of which adds to a copy
// of dw of its own; these are added in order.

#include "conv_chunks.hpp"
#include "conv_kernels.hpp"
#include "conv_parts.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

/// The gradient of a forward correlation with respect to its kernel, from pixels as Pixels lays them out.
template <class T, class Pixels> class KernelGradient {
 public:
  KernelGradient(const ConvKernels<T>& run, const Correlation& s, const T* x, const T* dy)
      : run_(run),
        s_(s),
        dy_(dy),
        chunks_(s.n, s.rows.count, s.cols.count, kGradientPixels),
        source_(x, s, chunks_.largest(), run),
        depth_(s.depth()),
        panels_(parts(parts(s.group_o(), run.lanes), run.tile_vectors)) {}

  void operator()(T* dw) const {
    const Index size = depth_ * s_.o;  // of dw
    const Index work = s_.n * s_.rows.count * s_.cols.count * size;
    const Index wanted = std::clamp<Index>(work / kGrainMultiplies, 1, kMaxTasks);
    // Copies of dw first, as each needs its pixels once; then rows of it.
    const Index most = std::clamp<Index>(kPartElements / std::max<Index>(1, size), 1, kMaxParts);
    const Index pixel_parts = std::clamp<Index>(s_.n * s_.rows.count * s_.cols.count / kPartPixels, 1,
                                                std::min({wanted, most, chunks_.size()}));
    const Index row_parts =
        std::clamp<Index>(depth_ / kPartRows, 1, parts(std::min(wanted, kMinTasks), pixel_parts * s_.groups));
    const Workspace<T> memory(std::size_t(pixel_parts > 1 ? pixel_parts * size : 0));
    parallel_tasks(pixel_parts * s_.groups * row_parts, [&](Index task) {
      const Index part = task / row_parts / s_.groups, group = task / row_parts % s_.groups,
                  q = task % row_parts;
      range(pixel_parts > 1 ? memory.data() + part * size : dw, group, chunks_.size() * part / pixel_parts,
            chunks_.size() * (part + 1) / pixel_parts, depth_ * q / row_parts, depth_ * (q + 1) / row_parts);
    });
    if (pixel_parts > 1) add_parts(run_, memory.data(), size, pixel_parts, dw);
  }

 private:
  /// Pixels of a chunk whose gradients, a panel at a time, stay in the first-level cache.
  static constexpr Index kGradientPixels = 192;
  /// Partial kernel gradients at most, elements of them all, and pixels that outweigh adding one up.
  static constexpr Index kMaxParts = 16, kPartElements = 1 << 22, kPartPixels = 256;
  /// Where that makes fewer than kMinTasks tasks, each takes some rows of it, which have to outweigh copying
  /// pixels.
  static constexpr Index kMinTasks = 8, kPartRows = 64;

  /// Rows [row, row_end) of dw, in the order in which their pixels lie, from chunks [begin, end).
  void range(T* dw, Index group, Index begin, Index end, Index row, Index row_end) const {
    const Chunk largest = chunks_.largest();
    const Index rows = row_end - row, lines = largest.images * largest.rows;
    const Workspace<Index> tables(std::size_t(2 * rows + lines));
    Index *const in = tables.data(), *const out = in + rows, *const begins = out + rows;
    for (Index i = 0; i < rows; ++i) {
      const auto [tap, channel] = source_.element(row + i);
      in[i] = tap / s_.cols.taps * s_.rows.shift_step * source_.row() +
              tap % s_.cols.taps * s_.cols.shift_step * source_.pixel() + source_.channel(channel);
      out[i] = (tap * s_.group_c() + channel) * s_.w_in;
    }
    const Index padded = up(s_.group_o(), run_.lanes);
    const Workspace<T> scratch(std::size_t(source_.scratch() + largest.pixels() * padded));
    T* const packed = scratch.data() + source_.scratch();
    for (Index i = begin; i < end; ++i) {
      const Chunk chunk = chunks_[i];
      const Index pixels = chunk.pixels();
      pack(dy_ + result_of(s_, chunk) + group * s_.group_o(), packed, pixels);
      for (Index m = 0; m < chunk.images; ++m)
        for (Index r = 0; r < chunk.rows; ++r)
          begins[m * chunk.rows + r] = m * source_.image() + r * s_.rows.in_step * source_.row();
      run_.multiply({source_.of(chunk, group, scratch.data()), in, begins, chunk.images * chunk.rows,
                     chunk.cols, s_.cols.in_step * source_.pixel(), packed, pixels, 0,
                     dw + group * s_.w_group, out, rows, s_.group_o(), panels_, i > begin},
                    0, panels_);
    }
  }

  /// The gradients of a chunk, whose pixels lie together.
  void pack(const T* dy, T* packed, Index pixels) const {
    if (panels_ == 1) return run_.pack(dy, s_.o, 1, packed, pixels, 0, pixels, s_.group_o(), 1, 0);
    run_.pack_rows(dy, s_.o, packed, pixels, s_.group_o(), panels_, 0, pixels);
  }

  const ConvKernels<T>& run_;
  const Correlation& s_;
  const T* const dy_;
  const Chunks chunks_;
  const Pixels source_;
  const Index depth_, panels_;
};

}  // namespace fastnn::cpu
