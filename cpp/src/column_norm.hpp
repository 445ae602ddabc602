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
                Index cols, const UnaryParameters& p))
FASTNN_DECLARE(void, column_sums,
               (Unary op, const T* x, const T* dy, const T* mean, const T* scale, const T* shift, Index rows,
                Index cols, double* sums, double* products, const UnaryParameters& p))
FASTNN_DECLARE(void, column_backward,
               (Unary op, const T* x, const T* dy, const std::uint8_t* keep, const T* mean, const T* scale,
                const T* shift, const T* offset, const T* slope, T* dx, Index rows, Index cols,
                const UnaryParameters& p))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS
#include "elementwise.hpp"
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Vectors in a strip: with two sums for each and their parameters they fill the registers there are.
template <class V> constexpr int kStripVectors = V::lanes * sizeof(typename V::T) == 64 ? 4 : 2;

template <int n> struct Count { static constexpr int value = n; };

/// Calls fn(number of vectors, first column, position) for strips that cover the columns.
template <class T, class Fn> static inline void each_strip(Index cols, const Fn& fn) {
  using V = Vec<T>;
  constexpr Index kStep = V::lanes;
  constexpr int kWide = kStripVectors<V>;
  Index j = 0;
  for (; j + kWide * kStep <= cols; j += kWide * kStep) fn(Count<kWide>{}, j, Whole<V>{0});
  for (; j + kStep <= cols; j += kStep) fn(Count<1>{}, j, Whole<V>{0});
  if (j < cols) fn(Count<1>{}, j, Tail<V>{0, int(cols - j)});
}

/// Calls fn with the functor of an activation, whose slope may be taken at z for each of these.
template <class Fn> static inline void with_activation(Unary op, const Fn& fn) {
  switch (op) {
    case Unary::relu: return fn(Relu{});
    case Unary::leaky_relu: return fn(LeakyRelu{});
    case Unary::bounded_relu: return fn(BoundedRelu{});
    case Unary::silu: return fn(Silu{});
    default: return fn(Linear{});
  }
}

template <class Functor> constexpr bool kIsIdentity = false;
template <> constexpr bool kIsIdentity<Linear> = true;

template <class V, int n> struct Strip {
  V v[n];

  template <class At> static Strip load(const typename V::T* p, At at) {
    Strip s;
    for (int i = 0; i < n; ++i) s.v[i] = at.load(p + i * V::lanes);
    return s;
  }
  static Strip zero() {
    Strip s;
    for (int i = 0; i < n; ++i) s.v[i] = V::set(0);
    return s;
  }
  /// The elements of this and of the other, added up.
  void store_sum(const Strip& other, typename V::T* to) const {
    for (int i = 0; i < n; ++i) (v[i] + other.v[i]).store(to + i * V::lanes);
  }
};

/// mean and squares: the mean of each column over the rows that are kept, and the sum of squares about it.
template <class T, int n, class At> static inline void moments_of_strip(const T* x, const std::uint8_t* keep,
                                                                        Index rows, Index stride, At at,
                                                                        double* mean, double* squares) {
  using V = Vec<T>;
  constexpr int kWidth = n * V::lanes;
  double count = 0;
  for (int j = 0; j < kWidth; ++j) mean[j] = squares[j] = 0;
  for (Index first = 0; first < rows; first += kMomentRows, x += kMomentRows * stride) {
    const Index last = rows - first < kMomentRows ? rows - first : kMomentRows;
    const std::uint8_t* const kept = keep ? keep + first : nullptr;
    Index i = 0;
    while (kept && i < last && !kept[i]) ++i;
    if (i == last) continue;
    const auto shift = Strip<V, n>::load(x + i * stride, at);
    Strip<V, n> a[2] = {Strip<V, n>::zero(), Strip<V, n>::zero()}, b[2] = {a[0], a[0]};
    const auto take = [&](Index row, int to) {
      for (int v = 0; v < n; ++v) {
        const V d = at.load(x + row * stride + v * V::lanes) - shift.v[v];
        a[to].v[v] = a[to].v[v] + d;
        b[to].v[v] = fma(d, d, b[to].v[v]);
      }
    };
    Index taken = last;
    if (kept) {
      for (taken = 0; i < last; ++i)
        if (kept[i]) take(i, 0), ++taken;
    } else {
      for (; i + 2 <= last; i += 2) take(i, 0), take(i + 1, 1);
      if (i < last) take(i, 0);
    }
    T from[kWidth], sum[kWidth], square[kWidth];
    for (int v = 0; v < n; ++v) shift.v[v].store(from + v * V::lanes);
    a[0].store_sum(a[1], sum);
    b[0].store_sum(b[1], square);
    const double own = double(taken), share = own / (count + own);
    for (int j = 0; j < kWidth; ++j) {
      const double beyond = double(sum[j]) / own, delta = double(from[j]) + beyond - mean[j];
      const double about = double(square[j]) - double(sum[j]) * beyond;
      mean[j] += delta * share;
      squares[j] += (about < 0 ? 0 : about) + delta * delta * (count * share);
    }
    count += own;
  }
}

template <class T> void column_moments(const T* x, const std::uint8_t* keep, Index rows, Index cols,
                                       double* mean, double* squares) {
  each_strip<T>(cols, [&](auto count, Index first, auto at) {
    constexpr int n = decltype(count)::value, kWidth = n * Vec<T>::lanes;
    double own_mean[kWidth], own_squares[kWidth];
    moments_of_strip<T, n>(x + first, keep, rows, cols, at, own_mean, own_squares);
    const Index width = cols - first < kWidth ? cols - first : kWidth;
    for (Index j = 0; j < width; ++j) {
      mean[first + j] = own_mean[j];
      squares[first + j] = own_squares[j];
    }
  });
}
FASTNN_INSTANTIATE(column_moments)

template <class T> void column_scale(Unary op, const T* x, const T* mean, const T* scale, const T* shift,
                                     T* y, Index rows, Index cols, const UnaryParameters& given) {
  using V = Vec<T>;
  const auto p = Parameters<V>::of(given);
  with_activation(op, [&](auto functor) {
    using Functor = decltype(functor);
    each_strip<T>(cols, [&](auto count, Index first, auto at) {
      constexpr int n = decltype(count)::value;
      const auto m = Strip<V, n>::load(mean + first, at), a = Strip<V, n>::load(scale + first, at),
                 b = Strip<V, n>::load(shift + first, at);
      const T* from = x + first;
      T* to = y + first;
      for (Index i = 0; i < rows; ++i, from += cols, to += cols)
        for (int v = 0; v < n; ++v)
          at.store(to + v * V::lanes,
                   Functor::value(fma(at.load(from + v * V::lanes) - m.v[v], a.v[v], b.v[v]), p));
    });
  });
}
FASTNN_INSTANTIATE(column_scale)

/// Columns of x and dy, with what dz = dy activation'(z) is made from.
template <class Functor, class T, int n> struct Slope {
  using V = Vec<T>;
  Strip<V, n> mean, scale, shift;

  template <class At> static Slope load(const T* mean, const T* scale, const T* shift, Index first, At at) {
    using S = Strip<V, n>;
    if constexpr (kIsIdentity<Functor>) return {S::load(mean + first, at), S::zero(), S::zero()};
    return {S::load(mean + first, at), S::load(scale + first, at), S::load(shift + first, at)};
  }
  /// dz, of dy and of d = x - mean.
  V dz(V dy, V d, int v, const Parameters<V>& p) const {
    if constexpr (kIsIdentity<Functor>) return dy;
    return dy * Functor::slope(fma(d, scale.v[v], shift.v[v]), p);
  }
};

template <class T> void column_sums(Unary op, const T* x, const T* dy, const T* mean, const T* scale,
                                    const T* shift, Index rows, Index cols, double* sums, double* products,
                                    const UnaryParameters& given) {
  using V = Vec<T>;
  const auto p = Parameters<V>::of(given);
  with_activation(op, [&](auto functor) {
    each_strip<T>(cols, [&](auto count, Index first, auto at) {
      constexpr int n = decltype(count)::value, kWidth = n * V::lanes;
      using S = Strip<V, n>;
      const auto slope = Slope<decltype(functor), T, n>::load(mean, scale, shift, first, at);
      double total[kWidth] = {}, total_product[kWidth] = {};
      for (Index block = 0; block < rows; block += kMomentRows) {
        const Index stop = rows - block < kMomentRows ? rows : block + kMomentRows;
        S a[2] = {S::zero(), S::zero()}, b[2] = {a[0], a[0]};
        const auto take = [&](Index row, int to) {
          for (int v = 0; v < n; ++v) {
            const Index i = row * cols + first + v * V::lanes;
            const V d = at.load(x + i) - slope.mean.v[v], dz = slope.dz(at.load(dy + i), d, v, p);
            a[to].v[v] = a[to].v[v] + dz;
            b[to].v[v] = fma(dz, d, b[to].v[v]);
          }
        };
        Index i = block;
        for (; i + 2 <= stop; i += 2) take(i, 0), take(i + 1, 1);
        if (i < stop) take(i, 0);
        T sum[kWidth], product[kWidth];
        a[0].store_sum(a[1], sum);
        b[0].store_sum(b[1], product);
        for (int j = 0; j < kWidth; ++j) {
          total[j] += double(sum[j]);
          total_product[j] += double(product[j]);
        }
      }
      const Index width = cols - first < kWidth ? cols - first : kWidth;
      for (Index j = 0; j < width; ++j) {
        sums[first + j] = total[j];
        products[first + j] = total_product[j];
      }
    });
  });
}
FASTNN_INSTANTIATE(column_sums)

/// dx = dz scale + (x - mean) slope + offset, without the last two where keep is 0, or if slope is null.
template <class T> void column_backward(Unary op, const T* x, const T* dy, const std::uint8_t* keep,
                                        const T* mean, const T* scale, const T* shift, const T* offset,
                                        const T* slope, T* dx, Index rows, Index cols,
                                        const UnaryParameters& given) {
  using V = Vec<T>;
  const auto p = Parameters<V>::of(given);
  with_activation(op, [&](auto functor) {
    each_strip<T>(cols, [&](auto count, Index first, auto at) {
      constexpr int n = decltype(count)::value;
      using S = Strip<V, n>;
      const auto own = Slope<decltype(functor), T, n>::load(mean, scale, shift, first, at);
      const auto a = S::load(scale + first, at);
      const auto c = slope ? S::load(offset + first, at) : S::zero();
      const auto s = slope ? S::load(slope + first, at) : S::zero();
      for (Index i = 0; i < rows; ++i) {
        const bool counts = slope && (!keep || keep[i]);
        for (int v = 0; v < n; ++v) {
          const Index j = i * cols + first + v * V::lanes;
          const V d = at.load(x + j) - own.mean.v[v], dz = own.dz(at.load(dy + j), d, v, p);
          at.store(dx + j, counts ? fma(dz, a.v[v], fma(d, s.v[v], c.v[v])) : dz * a.v[v]);
        }
      }
    });
  });
}
FASTNN_INSTANTIATE(column_backward)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY
#include <algorithm>
#include <numeric>

#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

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
  template <typename Fn> void each_backward(const Fn& fn) const {
    parallel_ranges(count(), chunk_ * cols(), [&](Index begin, Index end) {
      for (Index i = end - 1; i >= begin; --i) fn(i, at(i));
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
