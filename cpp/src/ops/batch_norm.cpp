// Two passes over memory forward, two backward: the first takes statistics or sums of blocks of rows, the
// second scales. It goes from the last block to the first, whose rows are still in the cache then.

#include "fastnn/batch_norm.hpp"

#include "column_norm.hpp"
#include "kernel.hpp"

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

/// Rows of a strip that are gone down before the next strip, where there are several.
constexpr Index kPartRows = 16;

/// Rows after which lines of an output are asked for.
constexpr Index kAskedRows = 2;

/// Calls fn(number of vectors, first column, position, first row, end) for parts of strips.
template <class T, class Fn> static inline void each_part(Index rows, Index cols, const Fn& fn) {
  const Index step = cols > kStripVectors<Vec<T>> * Vec<T>::lanes ? kPartRows : rows;
  for (Index i = 0; i < rows; i += step)
    each_strip<T>(cols, [&](auto count, Index first, auto at) {
      fn(count, first, at, i, rows - i < step ? rows : i + step);
    });
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
                                     T* y, Index rows, Index cols, const UnaryParameters& given,
                                     bool streams) {
  using V = Vec<T>;
  const auto p = Parameters<V>::of(given);
  with_activation(op, [&](auto functor) {
    using Functor = decltype(functor);
    each_part<T>(rows, cols, [&](auto count, Index first, auto at, Index begin, Index end) {
      constexpr int n = decltype(count)::value;
      const auto m = Strip<V, n>::load(mean + first, at), a = Strip<V, n>::load(scale + first, at),
                 b = Strip<V, n>::load(shift + first, at);
      const T* from = x + begin * cols + first;
      T* to = y + begin * cols + first;
      for (Index i = begin; i < end; ++i, from += cols, to += cols)
        for (int v = 0; v < n; ++v)
          put_and_ask(streams, at, to + v * V::lanes,
                      Functor::value(fma(at.load(from + v * V::lanes) - m.v[v], a.v[v], b.v[v]), p),
                      to + kAskedRows * cols + v * V::lanes);
    });
  });
  if (streams) stream_end();
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
                                        const UnaryParameters& given, bool streams) {
  using V = Vec<T>;
  const auto p = Parameters<V>::of(given);
  with_activation(op, [&](auto functor) {
    each_part<T>(rows, cols, [&](auto count, Index first, auto at, Index begin, Index end) {
      constexpr int n = decltype(count)::value;
      using S = Strip<V, n>;
      const auto own = Slope<decltype(functor), T, n>::load(mean, scale, shift, first, at);
      const auto a = S::load(scale + first, at);
      const auto c = slope ? S::load(offset + first, at) : S::zero();
      const auto s = slope ? S::load(slope + first, at) : S::zero();
      for (Index i = begin; i < end; ++i) {
        const bool counts = slope && (!keep || keep[i]);
        for (int v = 0; v < n; ++v) {
          const Index j = i * cols + first + v * V::lanes;
          const V d = at.load(x + j) - own.mean.v[v], dz = own.dz(at.load(dy + j), d, v, p);
          put_and_ask(streams, at, dx + j, counts ? fma(dz, a.v[v], fma(d, s.v[v], c.v[v])) : dz * a.v[v],
                      dx + j + kAskedRows * cols);
        }
      }
    });
  });
  if (streams) stream_end();
}
FASTNN_INSTANTIATE(column_backward)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY
#include <cmath>

#include "check.hpp"

namespace fastnn {

void BatchNormShape::check(const char* op) const {
  fastnn::check(op, rows >= 0 && channels >= 0, "expected rows, channels >= 0, got (", rows, ", ", channels,
                ")");
}

bool norm_activation(Unary op) {
  return op == Unary::linear || op == Unary::relu || op == Unary::leaky_relu || op == Unary::bounded_relu ||
         op == Unary::silu;
}

namespace cpu {
namespace {

double kept_rows(const std::uint8_t* keep, Index rows) {
  return keep ? double(rows - std::count(keep, keep + rows, 0)) : double(rows);
}

/// The moments of each channel. memory: room for two numbers a channel.
template <class T>
Moments batch_moments(const T* x, const std::uint8_t* keep, const BatchNormShape& s, double* memory) {
  const ColumnBlocks blocks(1, s.rows, s.channels, !keep);
  const auto kernel = FASTNN_SELECT(column_moments<T>);
  std::fill_n(memory, 2 * s.channels, 0.0);
  Moments all{0, memory, memory + s.channels};
  add_up_blocks(
      blocks, s.channels,
      [&](const auto& b, double* mean, double* squares) {
        kernel(x + b.first, keep ? keep + b.row : nullptr, b.rows, b.cols, mean, squares);
      },
      [&](const auto& b, const double* mean, const double* squares) {
        all.merge(keep ? kept_rows(keep + b.row, b.count) : double(b.rows), mean, squares, s.channels);
      });
  return all;
}

/// Sets what xhat gamma + beta is made with.
template <class T>
void set_scale(ColumnParameters<T>& own, const T* gamma, const T* beta, const T* mean, const T* inverse) {
  own.set(0, own.mean, [=](Index c) { return mean[c]; });
  own.set(0, own.scale, [=](Index c) { return gamma ? gamma[c] * inverse[c] : inverse[c]; });
  own.set(0, own.shift, [=](Index c) { return beta ? beta[c] : T(0); });
}

/// y = activation((x - mean) inverse gamma + beta).
template <class T> void scale(const T* x, const T* gamma, const T* beta, const T* mean, const T* inverse,
                              T* y, const BatchNormShape& s, Unary activation, const UnaryParameters& p) {
  const ColumnBlocks blocks(1, s.rows, s.channels);
  ColumnParameters<T> own(1, blocks);
  set_scale(own, gamma, beta, mean, inverse);
  const auto kernel = FASTNN_SELECT(column_scale<T>);
  const bool streamed = streams(y, s.rows * s.channels, blocks.cols());
  blocks.each_backward([&](Index, const auto& b) {
    kernel(activation, x + b.first, own.get(0, own.mean), own.get(0, own.scale), own.get(0, own.shift),
           y + b.first, b.rows, b.cols, p, streamed);
  });
}

void check_activation(const char* op, Unary activation) {
  check(op, norm_activation(activation),
        "expected activation linear, relu, leaky_relu, bounded_relu or silu, "
        "got number ",
        int(activation));
}

/// The backward pass: through the statistics, too, unless they were given.
template <class T> void backward(const T* x, const T* gamma, const T* beta, const std::uint8_t* keep,
                                 const T* mean, const T* inverse, const T* dy, T* dx, T* dgamma, T* dbeta,
                                 const BatchNormShape& s, Unary activation, const UnaryParameters& p,
                                 bool given) {
  const ColumnBlocks blocks(1, s.rows, s.channels, !keep);
  const Index channels = s.channels;
  ColumnParameters<T> own(1, blocks);
  set_scale(own, gamma, beta, mean, inverse);
  const T *const center = own.get(0, own.mean), *const scale = own.get(0, own.scale),
                 *const shift = own.get(0, own.shift);
  const double n = kept_rows(keep, s.rows);
  const bool through = !given && n > 0;
  if (dgamma || dbeta || through) {
    const Workspace<double> totals(std::size_t(2 * channels));
    double *const sums = totals.data(), *const products = sums + channels;
    std::fill_n(sums, 2 * channels, 0.0);
    const auto kernel = FASTNN_SELECT(column_sums<T>);
    add_up_blocks(
        blocks, channels,
        [&](const auto& b, double* part, double* part_products) {
          kernel(activation, x + b.first, dy + b.first, center, scale, shift, b.rows, b.cols, part,
                 part_products, p);
        },
        [&](const auto&, const double* part, const double* part_products) {
          for (Index c = 0; c < channels; ++c) sums[c] += part[c];
          for (Index c = 0; c < channels; ++c) products[c] += part_products[c];
        });
    for (Index c = 0; dbeta && c < channels; ++c) dbeta[c] = T(sums[c]);
    for (Index c = 0; dgamma && c < channels; ++c) dgamma[c] = T(products[c] * double(inverse[c]));
    own.set(0, own.offset, [=](Index c) { return T(-double(scale[c]) * sums[c] / n); });
    own.set(0, own.slope, [=](Index c) {
      return T(-double(scale[c]) * double(inverse[c]) * double(inverse[c]) * products[c] / n);
    });
  }
  if (!dx) return;
  const auto kernel = FASTNN_SELECT(column_backward<T>);
  const bool streamed = streams(dx, s.rows * s.channels, blocks.cols());
  blocks.each_backward([&](Index, const auto& b) {
    kernel(activation, x + b.first, dy + b.first, keep ? keep + b.row : nullptr, center, scale, shift,
           own.get(0, own.offset), through ? own.get(0, own.slope) : nullptr, dx + b.first, b.rows, b.cols, p,
           streamed);
  });
}

}  // namespace

template <class T> void batch_norm(const T* x, const T* gamma, const T* beta, const std::uint8_t* keep, T* y,
                                   T* mean, T* inverse, T* moving_mean, T* moving_variance,
                                   const BatchNormShape& s, double momentum, double epsilon, Unary activation,
                                   const UnaryParameters& p) {
  s.check("batch_norm");
  check_activation("batch_norm", activation);
  const Workspace<double> memory(std::size_t(2 * s.channels));
  const Moments moments = batch_moments(x, keep, s, memory.data());
  const double n = moments.count > 0 ? moments.count : 1;
  for (Index c = 0; c < s.channels; ++c) {
    const double variance = moments.squares[c] / n;
    mean[c] = T(moments.mean[c]);
    inverse[c] = T(1 / std::sqrt(variance + epsilon));
    if (moving_mean && moments.count > 0)
      moving_mean[c] = T(momentum * double(moving_mean[c]) + (1 - momentum) * moments.mean[c]);
    if (moving_variance && moments.count > 0)
      moving_variance[c] = T(momentum * double(moving_variance[c]) + (1 - momentum) * variance);
  }
  scale(x, gamma, beta, mean, inverse, y, s, activation, p);
}
FASTNN_INSTANTIATE(batch_norm)

template <class T> void batch_norm_inference(const T* x, const T* gamma, const T* beta, const T* mean,
                                             const T* variance, T* y, T* inverse, const BatchNormShape& s,
                                             double epsilon, Unary activation, const UnaryParameters& p) {
  s.check("batch_norm_inference");
  check_activation("batch_norm_inference", activation);
  const Workspace<T> memory(std::size_t(inverse ? 0 : s.channels));
  T* const own = inverse ? inverse : memory.data();
  for (Index c = 0; c < s.channels; ++c) own[c] = inverse_deviation(variance[c], epsilon);
  scale(x, gamma, beta, mean, own, y, s, activation, p);
}
FASTNN_INSTANTIATE(batch_norm_inference)

template <class T> void batch_norm_backward(const T* x, const T* gamma, const T* beta,
                                            const std::uint8_t* keep, const T* mean, const T* inverse,
                                            const T* dy, T* dx, T* dgamma, T* dbeta, const BatchNormShape& s,
                                            Unary activation, const UnaryParameters& p) {
  s.check("batch_norm_backward");
  check_activation("batch_norm_backward", activation);
  backward(x, gamma, beta, keep, mean, inverse, dy, dx, dgamma, dbeta, s, activation, p, false);
}
FASTNN_INSTANTIATE(batch_norm_backward)

template <class T> void batch_norm_inference_backward(const T* x, const T* gamma, const T* beta,
                                                      const T* mean, const T* inverse, const T* dy, T* dx,
                                                      T* dgamma, T* dbeta, const BatchNormShape& s,
                                                      Unary activation, const UnaryParameters& p) {
  s.check("batch_norm_inference_backward");
  check_activation("batch_norm_inference_backward", activation);
  backward<T>(x, gamma, beta, nullptr, mean, inverse, dy, dx, dgamma, dbeta, s, activation, p, true);
}
FASTNN_INSTANTIATE(batch_norm_inference_backward)

}  // namespace cpu
}  // namespace fastnn
#endif
