#pragma once

// The gradient of correlations with respect to their kernel, by Winograd's algorithm
// (winograd_kernel.hpp). Of the tiles of conv_winograd.hpp a chunk at a time is transformed:
//
//     v (36, c / lanes, tiles, lanes)   patches of x, in blocks of as many channels as a vector holds
//     d (36, panels, tiles, 48)         gradients of y, packed as the right operand
//     m (36, c, o)                      36 sums of products over tiles, to which every chunk adds
//
// and dw comes from m at the end. As m is read and written once for each chunk, chunks grow with it. Rounding
// errors grow with the number of tiles that are added one after the other: every 192 tiles go into a second m
// first. Tasks take some tiles, each with an m of its own, or some channels of x.

#include "conv_winograd.hpp"

namespace fastnn::cpu {

template <class T> class WinogradGradient {
 public:
  WinogradGradient(const ConvKernels<T>& run, const WinogradKernels<T>& way, const Correlation& s, const T* x,
                   const T* dy)
      : run_(run),
        way_(way),
        s_(s),
        x_(x),
        dy_(dy),
        tiles_(s, way.form),
        products_(way.form.points * way.form.points),
        weights_(way.form.weights * way.form.weights),
        depth_(tiles_.depth),
        size_(depth_ * s.o),
        line_(tiles_.phases * s.c),
        line_blocks_(parts(line_, run.lanes)),
        blocks_(tiles_.phases * line_blocks_),
        panels_(parts(parts(s.o, run.lanes), run.tile_vectors)),
        chunk_(
            std::min(up(tiles_.count, 8), std::clamp<Index>(2 * size_ / (depth_ + s.o) / 8 * 8, 64, kRun))) {}

  /// The way that is faster than the sum itself, or none: tiles enough to outweigh the sums of products being
  /// more than taps.
  static const WinogradKernels<T>* of(const ConvKernels<T>& run, const Correlation& s) {
    return winograd_way(run, s, pays);
  }

  void operator()(T* dw) const {
    const Index wanted = std::clamp<Index>(tiles_.count * products_ * size_ / kGrainMultiplies, 1, kMaxTasks);
    const Index tile_parts = std::clamp<Index>(
        std::min({wanted, kMemory / (weights_ * size_), tiles_.count / chunk_}), 1, kMaxParts);
    const Index block_parts = std::clamp<Index>(blocks_ * run_.lanes / kPartChannels, 1,
                                                parts(std::min(wanted, kMinTasks), tile_parts));
    const Index step = (parts(tiles_.count, tile_parts) > run_chunks_ * chunk_ ? 2 : 1) * weights_ * size_;
    const Workspace<T> m(std::size_t(tile_parts * step));
    parallel_tasks(tile_parts * block_parts, [&](Index task) {
      const Index part = task / block_parts, q = task % block_parts;
      range(m.data() + part * step, tiles_.count * part / tile_parts, tiles_.count * (part + 1) / tile_parts,
            blocks_ * q / block_parts, blocks_ * (q + 1) / block_parts);
    });
    const bool phases = tiles_.phases > 1;
    const Workspace<T> memory(phases ? tiles_.taps().elements() : 0);
    T* const taps = phases ? memory.data() : dw;
    parallel_ranges(
        size_, weights_ * tile_parts,
        [&](Index begin, Index end) {
          for (Index e = 0; tile_parts > 1 && e < weights_; ++e) {
            T* const sum = m.data() + e * size_ + begin;
            run_.add(sum, step, tile_parts, sum, end - begin);
          }
          way_.kernel_gradient(m.data() + begin, size_, taps + begin, size_, end - begin);
        },
        64);
    if (phases) tiles_.taps().join(taps, dw);
  }

 private:
  static bool pays(const WinogradTiles& tiles) {
    const Correlation& s = tiles.s;
    const Index pixels = s.n * s.rows.count * s.cols.count, phases = tiles.phases * tiles.phases;
    const Index sums = tiles.form.weights < 6                            ? 200
                       : tiles.depth * s.o < WinogradTiles::kLargeKernel ? 300
                                                                         : 1500;
    return tiles.depth * s.o >= tiles.least(tiles.form.least_gradient, tiles.phases, s.c) &&
           s.rows.taps * s.cols.taps * pixels > phases * (tiles.work() + sums);
  }

  static constexpr Index kLine = kWinogradLine<T>;
  /// Tiles whose products are added one after the other.
  static constexpr Index kRun = 192;
  /// Elements of all copies of m: 16 MiB of floats, copies, tasks that make more of them needless, and
  /// channels that outweigh transforming the gradients of y once more.
  static constexpr Index kMemory = 1 << 22, kMaxParts = 4, kMinTasks = 8, kPartChannels = 64;

  /// Adds up the tiles [begin, end) for the blocks of channels [block, block_end). m: two of them, if there
  /// are more chunks than a run has.
  void range(T* m, Index begin, Index end, Index block, Index block_end) const {
    const Index lanes = run_.lanes, first = channel(block), rows = channel(block_end) - first;
    const Index v_step = (block_end - block) * lanes * chunk_ + kLine,
                d_step = up(s_.o, lanes) * chunk_ + kLine;
    const Workspace<Index> tables(std::size_t(2 * rows + 1));
    Index *const a_rows = tables.data(), *const c_rows = a_rows + rows, *const stretch = c_rows + rows;
    for (Index b = block; b < block_end; ++b)
      for (Index i = channel(b); i < channel(b + 1); ++i)
        a_rows[i - first] = (b - block) * lanes * chunk_ + i - channel(b), c_rows[i - first] = i * s_.o;
    *stretch = 0;
    const Workspace<T> scratch(std::size_t(products_ * (v_step + d_step + std::max(depth_, s_.o))));
    T *const v = scratch.data(), *const d = v + products_ * v_step, *const copy = d + products_ * d_step;
    const Index chunks = parts(end - begin, chunk_);
    for (Index i = 0; i < chunks; ++i) {
      const Index tile = begin + (end - begin) * i / chunks,
                  count = begin + (end - begin) * (i + 1) / chunks - tile;
      for (Index t = 0; t < count; ++t) {
        gather(tile + t, block, block_end, v + t * lanes, v_step, copy);
        spread(tile + t, d, d_step, t, copy);
      }
      T* const sums = i < run_chunks_ ? m : m + weights_ * size_;
      for (Index e = 0; e < products_; ++e)
        run_.multiply({v + e * v_step, a_rows, stretch, 1, count, lanes, d + e * d_step, chunk_, 0,
                       sums + way_.form.place(e) * size_, c_rows, rows, s_.o, panels_,
                       i % run_chunks_ > 0 || way_.form.shares(e)},
                      0, panels_);
      if (sums != m && ((i + 1) % run_chunks_ == 0 || i + 1 == chunks))
        for (Index e = 0; e < weights_; ++e) {
          T* const to = m + e * size_ + first * s_.o;
          run_.add(to, weights_ * size_, 2, to, rows * s_.o);
        }
    }
  }

  void gather(Index tile, Index block, Index block_end, T* v, Index v_step, T* copy) const {
    const WinogradPatch<T> patch = tiles_.source(x_, tile, copy);
    const Index phases = tiles_.phases;
    for (Index b = block; b < block_end; ++b, v += chunk_ * run_.lanes) {
      const Index row = b / line_blocks_, first = channel(b);
      way_.patch(patch.at + row * patch.row + first - row * line_, phases * patch.row, phases * patch.pixel,
                 v, v_step, channel(b + 1) - first);
    }
  }

  /// The first channel of a block: those of a row of phases lie together in x.
  Index channel(Index block) const {
    return block / line_blocks_ * line_ + block % line_blocks_ * run_.lanes;
  }

  void spread(Index tile, T* d, Index d_step, Index t, T* copy) const {
    const WinogradPatch<T> patch = tiles_.results(dy_, tile, copy);
    for (Index panel = 0; panel < panels_; ++panel) {
      const WinogradColumns q(s_.o, run_.lanes, panels_, panel);
      way_.gradients(patch.at + q.first, patch.row, patch.pixel, d + q.first * chunk_ + t * q.count, d_step,
                     q.width);
    }
  }

  const ConvKernels<T>& run_;
  const WinogradKernels<T>& way_;
  const Correlation& s_;
  const T* const x_;
  const T* const dy_;
  const WinogradTiles tiles_;
  const Index products_, weights_, depth_, size_, line_, line_blocks_, blocks_, panels_, chunk_,
      run_chunks_ = std::max<Index>(1, kRun / chunk_);
};

}  // namespace fastnn::cpu
