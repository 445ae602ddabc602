#pragma once

// What normalisation by channel consists of, where channels are columns: moments of the columns of a block of
// rows, the pass that scales and shifts them, and the same two passes backward. batch_norm.cpp and
// group_norm.cpp put them together.
//
// A strip of some columns, whose parameters and sums stay in registers, goes down the rows of a block.

#include "fastnn/elementwise.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

/// Rows that share one shift, and whose sums are taken in T before they go to double.
constexpr Index kMomentRows = 64;

FASTNN_DECLARE(void, column_moments,
               (const T* x, const std::uint8_t* keep, Index rows, Index cols, double* mean, double* squares))
FASTNN_DECLARE(void, column_scale,
               (Unary op, const T* x, const T* mean, const T* scale, const T* shift, T* y, Index rows,
                Index cols, const UnaryParameters& p, bool streams))
FASTNN_DECLARE(void, column_sums,
               (Unary op, const T* x, const T* dy, const T* mean, const T* scale, const T* shift, Index rows,
                Index cols, double* sums, double* products, const UnaryParameters& p))
FASTNN_DECLARE(void, column_backward,
               (Unary op, const T* x, const T* dy, const std::uint8_t* keep, const T* mean, const T* scale,
                const T* shift, const T* offset, const T* slope, T* dx, Index rows, Index cols,
                const UnaryParameters& p, bool streams))

}  // namespace fastnn::cpu

#if FASTNN_ENTRY
#include <algorithm>
#include <cmath>
#include <numeric>

#include "parallel.hpp"
#include "streaming.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

/// 1 / sqrt(variance + epsilon), as T.
template <class T> T inverse_deviation(T variance, double epsilon) {
  return T(1 / std::sqrt(double(variance) + epsilon));
}

/// Rows of channels seen as fewer and wider rows, several of them side by side, so that few channels fill the
/// vectors, too; and what is left over. Samples are cut into blocks of about a grain.
class ColumnBlocks {
 public:
  struct Block {
    Index sample;
    Index row, count;         ///< of the rows as they were
    Index first, rows, cols;  ///< first element; the block as kernels see it: dense
  };

  /// samples of so many rows each; fold: whether rows may be put side by side.
  ColumnBlocks(Index samples, Index rows, Index channels, bool fold = true)
      : samples_(samples), rows_(rows), channels_(channels), times_(fold ? times_for(rows, channels) : 1) {
    const Index wide = rows / times_, elements = std::max<Index>(1, cols());
    chunk_ = std::max<Index>(16, kGrain / elements / kMomentRows * kMomentRows);
    chunks_ = (wide + chunk_ - 1) / chunk_;
    blocks_ = chunks_ + (rows % times_ != 0);
  }

  Index times() const { return times_; }
  Index cols() const { return times_ * channels_; }
  Index count() const { return samples_ * blocks_; }
  Index of_sample() const { return blocks_; }

  Block at(Index block) const {
    const Index sample = block / blocks_, own = block % blocks_;
    const Index row = own * chunk_ * times_, first = (sample * rows_ + row) * channels_;
    if (own < chunks_) {
      const Index rows = std::min(chunk_, rows_ / times_ - own * chunk_);
      return {sample, row, rows * times_, first, rows, cols()};
    }
    const Index done = rows_ / times_ * times_, rest = rows_ - done;
    return {sample, done, rest, (sample * rows_ + done) * channels_, 1, rest * channels_};
  }

  /// Calls fn(number, block) for each, in parallel.
  template <typename Fn> void each(const Fn& fn) const {
    parallel_ranges(count(), chunk_ * cols(), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) fn(i, at(i));
    });
  }

  /// The same from the last block to the first: a second pass finds what the first read last in the cache.
  /// Each thread's own blocks, since those of others are in caches of others.
  template <typename Fn> void each_backward(const Fn& fn) const {
    const Index all = count(), threads = threads_for(all);
    parallel_ranges(all, chunk_ * cols(), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Index thread = ((i + 1) * threads - 1) / all;
        const Index turned = all * thread / threads + all * (thread + 1) / threads - 1 - i;
        fn(turned, at(turned));
      }
    });
  }

 private:
  /// Rows that make up whole strips of 64 columns, if that is at most 1024 columns and there are enough rows.
  static Index times_for(Index rows, Index channels) {
    constexpr Index kStrip = 64, kMost = 1024;
    if (channels <= 0) return 1;
    Index times = kStrip / std::gcd(channels, kStrip);
    if (times * channels > kMost) times = std::max<Index>(1, kStrip / channels);
    while (times > 1 && rows < 8 * times) times /= 2;
    return times;
  }

  Index samples_, rows_, channels_, times_, chunk_, chunks_, blocks_;
};

/// What the columns of each sample are normalised with, as kernels take it.
template <class T> class ColumnParameters {
 public:
  enum Part { mean, scale, shift, offset, slope, parts };

  ColumnParameters(Index samples, const ColumnBlocks& blocks)
      : memory_(std::size_t(samples * parts * blocks.cols())), cols_(blocks.cols()), times_(blocks.times()) {}

  const T* get(Index sample, Part part) const { return memory_.data() + (sample * parts + part) * cols_; }

  /// Sets a part to fn(channel), again for each of the rows that lie side by side.
  template <typename Fn> void set(Index sample, Part part, const Fn& fn) {
    T* const to = memory_.data() + (sample * parts + part) * cols_;
    const Index channels = cols_ / times_;
    for (Index c = 0; c < channels; ++c) to[c] = fn(c);
    for (Index i = 1; i < times_; ++i) std::copy_n(to, channels, to + i * channels);
  }

 private:
  Workspace<T> memory_;
  Index cols_, times_;
};

/// Sums of the blocks of one sample after the other: first `channels` numbers, then as many again.
/// kernel(block, to, to + cols): what a block has. add(sample, block, numbers, others): takes them over.
template <typename Kernel, typename Add>
void add_up_blocks(const ColumnBlocks& blocks, Index channels, const Kernel& kernel, const Add& add) {
  const Index cols = blocks.cols();
  const Workspace<double> parts(std::size_t(blocks.count() * 2 * cols));
  blocks.each([&](Index i, const ColumnBlocks::Block& b) {
    double* const part = parts.data() + i * 2 * cols;
    kernel(b, part, part + cols);
  });
  for (Index i = 0; i < blocks.count(); ++i) {
    const ColumnBlocks::Block b = blocks.at(i);
    for (Index at = 0; at < b.cols; at += channels) {
      const double* const part = parts.data() + i * 2 * cols + at;
      add(b, part, part + cols);
    }
  }
}

/// Mean and sum of squares about it of some values, for each of several columns, to which others are added.
struct Moments {
  double count = 0;
  double* mean;
  double* squares;

  /// Adds n values with these moments (Chan, Golub and LeVeque, 1983).
  void merge(double n, const double* other_mean, const double* other_squares, Index cols) {
    if (n == 0) return;
    const double total = count + n, share = n / total, weight = count * share;
    for (Index j = 0; j < cols; ++j) {
      const double delta = other_mean[j] - mean[j];
      mean[j] += delta * share;
      squares[j] += other_squares[j] + delta * delta * weight;
    }
    count = total;
  }
};

}  // namespace fastnn::cpu
#endif
