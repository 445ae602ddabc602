// Convolution of each channel with a kernel of its own. There is no product of matrices in it: a vector holds
// neighbouring channels of one pixel, and 8 pixels of a row are summed at a time, one tap after the other, so
// that each weight that is loaded serves 8 multiply-adds, whose other operand comes straight from the image.
//
// Windows that reach beyond the image are cut to what lies in it: no copy with zeros around, which would cost
// a third of the time of what is bound by memory. The input gradient is the same loop over the gradients of
// y, one for each phase of the strides (conv_sweep.hpp). The kernel gradient sums rows of pixels, 4 at a
// time, parts of the images apart, which are added in order.
//
// Where windows of 3 x 3 move by one pixel or two and there are 32 registers, three columns of pixels stay in
// them, so that each is loaded once for its results, or for all nine taps of the kernel gradient.
//
// With several kernels for a channel it goes the general way, as groups of one channel each.
#include "fastnn/depthwise_conv2d.hpp"

#include "correlation.hpp"
#include "epilogue.hpp"
#include "kernel.hpp"
#include "slope.hpp"

namespace fastnn::cpu {

/// One row of results of all channels, from the taps' rows that lie in the image.
template <class T> struct DepthwiseRow {
  const T* x;  // pixel 0 of the first tap's row
  const T* w;  // of that row, tap 0
  Index tap_rows, x_row, w_row;
  Index taps, w_tap;  // along the row
  Index shift_first, shift_step, in_step,
      in;  // result t reads in_step t + shift_first + k shift_step, if < in
  Index count, channels;
  const T* bias = nullptr;  // or none
  ColumnNorm<T> norm = {};  // after that
  bool relu = false;        // after that
};

FASTNN_DECLARE(void, depthwise_row, (const DepthwiseRow<T>& s, T* y, Index y_step))
FASTNN_DECLARE(void, depthwise_rows,
               (const DepthwiseRow<T>& two, const DepthwiseRow<T>& one, T* y_two, T* y_one, Index y_step))
FASTNN_DECLARE(void, depthwise_kernel_row, (const DepthwiseRow<T>& s, const T* dy, T* dw))
FASTNN_DECLARE(void, depthwise_add, (const T* x, Index stride, Index count, T* y, Index n))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

constexpr int kPixels = 8;
/// Windows of a part of a row.
constexpr Index kPartWindows = 8;
/// Pixels ahead at which what is stored to is asked for.
constexpr Index kAskedPixels = 2;
/// Whether registers hold the weights and the pixels of a 3 x 3 window beside a sum.
#if defined(FASTNN_ISA_avx512) || defined(FASTNN_ISA_neon)
constexpr bool kHoldsWindows = true;
#else
constexpr bool kHoldsWindows = false;
#endif

/// Windows 3 wide that move along R rows S pixels at a time, in registers: each pixel is loaded once.
/// visit(left, middle, right) gets the columns of each window, zeros outside of the image.
template <int R, int S, class T, class At, class Visit>
static inline void depthwise_windows(const DepthwiseRow<T>& s, Index begin, Index end, At at,
                                     const Visit& visit) {
  using V = Vec<T>;
  const Index pixel = s.channels, row = s.x_row, in = s.in;
  Index j = s.shift_first + begin * S;  // column, and where it is
  const T* x = s.x + j * pixel;
  V a[R], b[R], c[R];
  const auto load = [&](V(&column)[R], Index k) {
    const bool inside = j + k >= 0 && j + k < in;
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) column[r] = inside ? at.load(x + k * pixel + r * row) : V::set(0);
  };
  load(S == 1 ? b : c, 0);
  if constexpr (S == 1) load(c, 1);
  for (Index t = begin; t < end; ++t, j += S, x += S * pixel) {
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
      a[r] = S == 1 ? b[r] : c[r];
      if constexpr (S == 1) b[r] = c[r];
    }
    if constexpr (S == 2) load(b, 1);
    load(c, 2);
    visit(a, b, c);
  }
}

/// Calls run.template operator()<R, S>() for a row of windows 3 wide of which R rows lie in the image, and
/// returns true, if these windows move S pixels at a time and fit into registers.
template <class T, class Run> static bool depthwise_in_registers(const DepthwiseRow<T>& s, const Run& run) {
  if constexpr (kHoldsWindows) {
    if (s.taps != 3 || s.shift_step != 1 || s.tap_rows < 2 || s.tap_rows > 3) return false;
    const bool all = s.tap_rows == 3;
    switch (s.in_step) {
      case 1: all ? run.template operator()<3, 1>() : run.template operator()<2, 1>(); return true;
      case 2: all ? run.template operator()<3, 2>() : run.template operator()<2, 2>(); return true;
      default: return false;
    }
  }
  return false;
}

/// First result, or the one after the last, whose tap k lies in the row.
struct TapRange {
  Index begin, end;
  template <class T> TapRange(const DepthwiseRow<T>& s, Index k) {
    const Index shift = s.shift_first + k * s.shift_step, room = s.in - shift;
    begin = shift < 0 ? (-shift + s.in_step - 1) / s.in_step : 0;
    end = room <= 0 ? 0 : (room + s.in_step - 1) / s.in_step;
    if (end > s.count) end = s.count;
    if (begin > end) begin = end;
  }
};

/// What max makes relu of, or nothing.
template <class V> static inline V least_of(bool relu) {
  return V::set(relu ? typename V::T(0) : typename V::T(-__builtin_inf()));
}

/// P results in a row, at vector `at` of the channels, from taps [k, k_end).
template <int P, class T, class At> static inline void depthwise_pixels(const DepthwiseRow<T>& s, Index t,
                                                                        Index k, Index k_end, At at, T* y,
                                                                        Index y_step) {
  using V = Vec<T>;
  V sums[P];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) sums[p] = V::set(0);
  const Index pixel = s.in_step * s.channels;
  for (Index r = 0; r < s.tap_rows; ++r) {
    const T* x = s.x + r * s.x_row + (t * s.in_step + s.shift_first + k * s.shift_step) * s.channels;
    const T* w = s.w + r * s.w_row + k * s.w_tap;
    for (Index q = k; q < k_end; ++q, x += s.shift_step * s.channels, w += s.w_tap) {
      const V weight = at.load(w);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sums[p] = fma(weight, at.load(x + p * pixel), sums[p]);
    }
  }
  if (s.bias) {
    const V bias = at.load(s.bias);
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sums[p] = sums[p] + bias;
  }
  if (s.norm.mean) {
    const V mean = at.load(s.norm.mean), scale = at.load(s.norm.scale), shift = at.load(s.norm.shift);
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sums[p] = fma(sums[p] - mean, scale, shift);
  }
  const V least = least_of<V>(s.relu);
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) at.store(y + (t + p) * y_step, max(least, sums[p]));
}

/// Calls fn(begin, end) for equal parts of a row of results, short enough that their pixels stay in the
/// first-level cache while one vector of channels after the other goes over them: neighbours share lines, and
/// pixels a KiB apart share a sixteenth of the cache.
template <class T, class Fn> static inline void depthwise_parts(const DepthwiseRow<T>& s, const Fn& fn) {
  const Index parts = (s.count + kPartWindows - 1) / kPartWindows,
              size = parts ? (s.count + parts - 1) / parts : 1;
  for (Index begin = 0; begin < s.count; begin += size)
    fn(begin, s.count - begin < size ? s.count : begin + size);
}

/// A row of results of windows 3 wide, R rows of them. ends: whether more than the bias is done to them.
template <int R, int S, class T>
static void depthwise_row_of_windows(const DepthwiseRow<T>& s, T* y, Index y_step) {
  using V = Vec<T>;
  const Index w_row = s.w_row, w_tap = s.w_tap;
  depthwise_parts(s, [&](Index begin, Index end) {
    row_each<T>(s.channels, [&](auto at) {
      V w[R][3];
#pragma GCC unroll 3
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
        for (int k = 0; k < 3; ++k) w[r][k] = at.load(s.w + r * w_row + k * w_tap);
      const V bias = s.bias ? at.load(s.bias) : V::set(0), least = least_of<V>(s.relu);
      // Without a norm (v - 0) 1 + -0, which is v, also where v is -0.
      const V mean = s.norm.mean ? at.load(s.norm.mean) : V::set(0);
      const V scale = s.norm.mean ? at.load(s.norm.scale) : V::set(1);
      const V shift = s.norm.mean ? at.load(s.norm.shift) : V::set(T(-0.0));
      T* to = y + begin * y_step;
      depthwise_windows<R, S>(s, begin, end, at, [&](const V(&a)[R], const V(&b)[R], const V(&c)[R]) {
        V sum = bias;
#pragma GCC unroll 3
        for (int r = 0; r < R; ++r) sum = fma(w[r][2], c[r], fma(w[r][1], b[r], fma(w[r][0], a[r], sum)));
        sum = max(least, fma(sum - mean, scale, shift));
        __builtin_prefetch(to + kAskedPixels * y_step + at.i);
        at.store(to, sum);
        to += y_step;
      });
    });
  });
}

template <class T> void depthwise_row(const DepthwiseRow<T>& s, T* y, Index y_step) {
  if (depthwise_in_registers(s, [&]<int R, int S>() { depthwise_row_of_windows<R, S>(s, y, y_step); }))
    return;
  // Results [begin, end) have all their taps.
  Index begin = 0, end = s.count;
  for (Index k = 0; k < s.taps; ++k) {
    const TapRange range(s, k);
    if (range.begin > begin) begin = range.begin;
    if (range.end < end) end = range.end;
  }
  if (begin > end) begin = end = s.count;
  const auto edge = [&](Index t) {
    Index k = 0, k_end = s.taps;
    while (k < k_end && (t < TapRange(s, k).begin || t >= TapRange(s, k).end)) ++k;
    while (k_end > k && (t < TapRange(s, k_end - 1).begin || t >= TapRange(s, k_end - 1).end)) --k_end;
    row_each<T>(s.channels, [&](auto at) { depthwise_pixels<1>(s, t, k, k_end, at, y, y_step); });
  };
  for (Index t = 0; t < begin; ++t) edge(t);
  Index t = begin;
  for (; t + kPixels <= end; t += kPixels)
    row_each<T>(s.channels, [&](auto at) { depthwise_pixels<kPixels>(s, t, 0, s.taps, at, y, y_step); });
  for (; t + 2 <= end; t += 2)
    row_each<T>(s.channels, [&](auto at) { depthwise_pixels<2>(s, t, 0, s.taps, at, y, y_step); });
  for (; t < end; ++t)
    row_each<T>(s.channels, [&](auto at) { depthwise_pixels<1>(s, t, 0, s.taps, at, y, y_step); });
  for (t = end; t < s.count; ++t) edge(t);
}
FASTNN_INSTANTIATE(depthwise_row)

/// The results of `two`, each from two neighbouring pixels of R rows, and those of `one`, each from a single
/// one of the same rows: each pixel is loaded once for both, and what is stored lies side by side.
template <int R, class T> static void depthwise_rows_of_pairs(const DepthwiseRow<T>& two,
                                                              const DepthwiseRow<T>& one, T* y_two, T* y_one,
                                                              Index y_step) {
  using V = Vec<T>;
  const T *const x = two.x, *const w_two = two.w, *const w_one = one.w;
  const Index channels = two.channels, row = two.x_row, w_row = two.w_row, w_tap = two.w_tap, in = two.in;
  // Pixel j is the second one of result j - shift_two and the only one of result j - shift_one.
  const Index shift_two = two.shift_first + 1, shift_one = one.shift_first;
  const Index end_two = shift_two + two.count, end_one = shift_one + one.count;
  const Index first = shift_two < shift_one ? shift_two : shift_one;
  const Index last = end_two > end_one ? end_two : end_one;
  for (Index begin = first; begin < last; begin += kPartWindows) {
    const Index end = last - begin < kPartWindows ? last : begin + kPartWindows;
    row_each<T>(channels, [&](auto at) {
      V left[R], right[R], only[R], a[R], b[R];
      const auto load = [&](V(&pixel)[R], Index j) {
        const bool inside = j >= 0 && j < in;
#pragma GCC unroll 2
        for (int r = 0; r < R; ++r) pixel[r] = inside ? at.load(x + j * channels + r * row) : V::set(0);
      };
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r) {
        left[r] = at.load(w_two + r * w_row), right[r] = at.load(w_two + r * w_row + w_tap);
        only[r] = at.load(w_one + r * w_row);
      }
      load(a, begin - 1);
      for (Index j = begin; j < end; ++j) {
        load(b, j);
        V pair = left[0] * a[0], single = only[0] * b[0];
        if constexpr (R == 2) {
          pair = fma(left[1], a[1], pair);
          single = fma(only[1], b[1], single);
        }
#pragma GCC unroll 2
        for (int r = 0; r < R; ++r) {
          pair = fma(right[r], b[r], pair);
          a[r] = b[r];
        }
        T *const to_two = y_two + (j - shift_two) * y_step, *const to_one = y_one + (j - shift_one) * y_step;
        __builtin_prefetch(to_two + y_step + at.i);
        __builtin_prefetch(to_one + y_step + at.i);
        if (j >= shift_two && j < end_two) at.store(to_two, pair);
        if (j >= shift_one && j < end_one) at.store(to_one, single);
      }
    });
  }
}

template <class T> void depthwise_rows(const DepthwiseRow<T>& two, const DepthwiseRow<T>& one, T* y_two,
                                       T* y_one, Index y_step) {
  switch (two.tap_rows) {
    case 1: return depthwise_rows_of_pairs<1>(two, one, y_two, y_one, y_step);
    case 2: return depthwise_rows_of_pairs<2>(two, one, y_two, y_one, y_step);
    default: depthwise_row(two, y_two, y_step), depthwise_row(one, y_one, y_step);
  }
}
FASTNN_INSTANTIATE(depthwise_rows)

/// dw[k] += sum_t x[t, k] dy[t] for J taps in a row from k on, results [begin, end), in four interleaved
/// sums.
template <int J, class T, class At> static inline void depthwise_taps(const DepthwiseRow<T>& s, const T* x,
                                                                      const T* dy, Index k, Index begin,
                                                                      Index end, At at, T* dw) {
  using V = Vec<T>;
  constexpr int U = 4;
  V sums[U][J];
#pragma GCC unroll 4
  for (int u = 0; u < U; ++u)
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) sums[u][j] = V::set(0);
  const Index pixel = s.in_step * s.channels, tap = s.shift_step * s.channels;
  x += (begin * s.in_step + s.shift_first + k * s.shift_step) * s.channels;
  dy += begin * s.channels;
  const auto step = [&](V(&into)[J], int u) {
    const V g = at.load(dy + u * s.channels);
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) into[j] = fma(g, at.load(x + u * pixel + j * tap), into[j]);
  };
  Index t = begin;
  for (; t + U <= end; t += U, x += U * pixel, dy += U * s.channels)
#pragma GCC unroll 4
    for (int u = 0; u < U; ++u) step(sums[u], u);
  for (; t < end; ++t, x += pixel, dy += s.channels) step(sums[0], 0);
#pragma GCC unroll 4
  for (int j = 0; j < J; ++j) {
    T* const to = dw + (k + j) * s.w_tap;
    at.store(to, at.load(to) + ((sums[0][j] + sums[1][j]) + (sums[2][j] + sums[3][j])));
  }
}

/// The same for 3 taps and 4 vectors of channels side by side, each sum in order.
template <class T> static void depthwise_taps_of_four(const DepthwiseRow<T>& s, const T* x, const T* dy,
                                                      Index k, Index begin, Index end, Index channel, T* dw) {
  using V = Vec<T>;
  constexpr int J = 3, N = 4, L = V::lanes;
  V sums[N][J];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n)
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) sums[n][j] = V::load(dw + (k + j) * s.w_tap + channel + n * L);
  const Index pixel = s.in_step * s.channels, tap = s.shift_step * s.channels;
  x += (begin * s.in_step + s.shift_first + k * s.shift_step) * s.channels + channel;
  dy += begin * s.channels + channel;
  for (Index t = begin; t < end; ++t, x += pixel, dy += s.channels)
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const V g = V::load(dy + n * L);
#pragma GCC unroll 4
      for (int j = 0; j < J; ++j) sums[n][j] = fma(g, V::load(x + j * tap + n * L), sums[n][j]);
    }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n)
#pragma GCC unroll 4
    for (int j = 0; j < J; ++j) sums[n][j].store(dw + (k + j) * s.w_tap + channel + n * L);
}

/// All taps of windows 3 wide, R rows of them.
template <int R, int S, class T>
static void depthwise_kernel_of_windows(const DepthwiseRow<T>& s, const T* dy, T* dw) {
  using V = Vec<T>;
  const Index channels = s.channels, w_row = s.w_row, w_tap = s.w_tap;
  depthwise_parts(s, [&](Index begin, Index end) {
    row_each<T>(channels, [&](auto at) {
      V sums[R][3];
#pragma GCC unroll 3
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
        for (int k = 0; k < 3; ++k) sums[r][k] = V::set(0);
      const T* from = dy + begin * channels;
      depthwise_windows<R, S>(s, begin, end, at, [&](const V(&a)[R], const V(&b)[R], const V(&c)[R]) {
        const V g = at.load(from);
        from += channels;
#pragma GCC unroll 3
        for (int r = 0; r < R; ++r) {
          sums[r][0] = fma(g, a[r], sums[r][0]);
          sums[r][1] = fma(g, b[r], sums[r][1]);
          sums[r][2] = fma(g, c[r], sums[r][2]);
        }
      });
      T* to = dw;
#pragma GCC unroll 3
      for (int r = 0; r < R; ++r, to += w_row) {
        T* tap = to;
#pragma GCC unroll 3
        for (int k = 0; k < 3; ++k, tap += w_tap) at.store(tap, at.load(tap) + sums[r][k]);
      }
    });
  });
}

template <class T> void depthwise_kernel_row(const DepthwiseRow<T>& s, const T* dy, T* dw) {
  if (depthwise_in_registers(s, [&]<int R, int S>() { depthwise_kernel_of_windows<R, S>(s, dy, dw); }))
    return;
  for (Index r = 0; r < s.tap_rows; ++r) {
    const T* const x = s.x + r * s.x_row;
    T* const to = dw + r * s.w_row;
    for (Index k = 0; k < s.taps; k += 4) {
      const Index some = s.taps - k < 4 ? s.taps - k : 4;
      // What all of these taps share, then what is left of each.
      Index begin = 0, end = s.count;
      for (Index j = k; j < k + some; ++j) {
        const TapRange range(s, j);
        if (range.begin > begin) begin = range.begin;
        if (range.end < end) end = range.end;
      }
      if (begin > end) begin = end = 0;
      const Index four = some == 3 && begin < end ? s.channels / (4 * Vec<T>::lanes) * 4 * Vec<T>::lanes : 0;
      for (Index c = 0; c < four; c += 4 * Vec<T>::lanes)
        depthwise_taps_of_four(s, x, dy, k, begin, end, c, to);
      row_each<T>(s.channels, [&](auto at) {
        if (begin < end && at.i >= four) switch (some) {
            case 1: depthwise_taps<1>(s, x, dy, k, begin, end, at, to); break;
            case 2: depthwise_taps<2>(s, x, dy, k, begin, end, at, to); break;
            case 3: depthwise_taps<3>(s, x, dy, k, begin, end, at, to); break;
            default: depthwise_taps<4>(s, x, dy, k, begin, end, at, to);
          }
        for (Index j = k; j < k + some; ++j) {
          const TapRange own(s, j);
          const Index before = begin < end ? begin : own.end;
          if (own.begin < before) depthwise_taps<1>(s, x, dy, j, own.begin, before, at, to);
          if (begin < end && end < own.end) depthwise_taps<1>(s, x, dy, j, end, own.end, at, to);
        }
      });
    }
  }
}
FASTNN_INSTANTIATE(depthwise_kernel_row)

/// y = the sum of `count` rows that lie `stride` apart, of n elements each.
template <class T> void depthwise_add(const T* x, Index stride, Index count, T* y, Index n) {
  row_each<T>(n, [&](auto at) {
    Vec<T> total = at.load(x);
    for (Index i = 1; i < count; ++i) total = total + at.load(x + i * stride);
    at.store(y, total);
  });
}
FASTNN_INSTANTIATE(depthwise_add)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include <optional>

#include "check.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {
namespace {

/// Parts of the images whose kernel gradients are summed apart, at most.
constexpr Index kMaxParts = 16;

/// Row t of the results of a correlation of image `image`, whose kernel is c wide.
template <class T>
DepthwiseRow<T> row_of(const Correlation& s, const T* x, const T* w, Index image, Index t) {
  const Index first = t * s.rows.in_step + s.rows.shift_first, step = std::max<Index>(1, s.rows.shift_step);
  const Index begin = std::min(s.rows.taps, first < 0 ? (-first + step - 1) / step : 0);
  const Index end =
      std::clamp<Index>(first >= s.rows.in ? 0 : (s.rows.in - first + step - 1) / step, begin, s.rows.taps);
  DepthwiseRow<T> row;
  row.x_row = s.rows.shift_step * s.cols.in * s.c, row.w_row = s.rows.index_step * s.w_row;
  row.tap_rows = end - begin;
  row.x = row.tap_rows ? x + ((image * s.rows.in + first) * s.cols.in) * s.c + begin * row.x_row : x;
  row.w = row.tap_rows && s.cols.taps ? w + s.rows.index(begin) * s.w_row + s.cols.index_first * s.w_tap : w;
  row.taps = s.cols.taps, row.w_tap = s.cols.index_step * s.w_tap;
  row.shift_first = s.cols.shift_first, row.shift_step = s.cols.shift_step;
  row.in_step = s.cols.in_step, row.in = s.cols.in;
  row.count = s.cols.count, row.channels = s.c;
  return row;
}

/// Rows of results of correlations.
template <class T> class ChannelRows {
 public:
  ChannelRows(const T* x, const T* w, T* y, const ConvEpilogue<T>& epilogue)
      : x_(x), w_(w), y_(y), epilogue_(epilogue) {}

  /// Row t of image `image`.
  void operator()(const Correlation& s, Index image, Index t) const {
    if (s.cols.count == 0) return;
    const Index at = place(s, image, t), step = s.cols.out_step * s.c;
    DepthwiseRow<T> row = row_of(s, x_, w_, image, t);
    row.bias = epilogue_.bias, row.norm = epilogue_.norm, row.relu = is_relu(epilogue_);
    kernel_(row, y_ + at, step);
    if (is_done_by_tiles(epilogue_)) return;
    const bool together = step == s.c;
    finish_(epilogue_, 1, y_ + at, epilogue_.z ? epilogue_.z + at : nullptr, step, nullptr,
            together ? 1 : s.cols.count, together ? s.cols.count * s.c : s.c);
  }

  /// Row t of two correlations, see are_pairs, without an epilogue.
  void pairs(const Correlation& two, const Correlation& one, Index image, Index t) const {
    pairs_(row_of(two, x_, w_, image, t), row_of(one, x_, w_, image, t), y_ + place(two, image, t),
           y_ + place(one, image, t), two.cols.out_step * two.c);
  }

 private:
  /// Where row t of the results begins.
  static Index place(const Correlation& s, Index image, Index t) {
    const Index line = image * s.rows.out + s.rows.out_first + t * s.rows.out_step;
    return (line * s.cols.out + s.cols.out_first) * s.c;
  }

  const T *const x_, *const w_;
  T* const y_;
  const ConvEpilogue<T>& epilogue_;
  decltype(FASTNN_SELECT(depthwise_row<T>)) kernel_ = FASTNN_SELECT(depthwise_row<T>);
  decltype(FASTNN_SELECT(depthwise_rows<T>)) pairs_ = FASTNN_SELECT(depthwise_rows<T>);
  decltype(FASTNN_SELECT(epilogue_rows<T>)) finish_ = FASTNN_SELECT(epilogue_rows<T>);
};

/// Whether result t of one of these reads two neighbours and of the other one: windows of 3 two apart.
bool are_pairs(const Sweep& two, const Sweep& one) {
  return two.taps == 2 && two.shift_step == 1 && one.taps == 1;
}

/// The input gradient from dz: the phases of the strides row by row, so that they find dz in the cache.
template <class T> void input_gradient(const T* dz, const T* w, T* dx, const Conv2dShape& s) {
  const Workspace<Correlation> phases(std::size_t(s.stride_h * s.stride_w));
  for (Index i = 0; i < s.stride_h * s.stride_w; ++i)
    phases.data()[i] = Correlation::backward(s, i / s.stride_w, i % s.stride_w);
  const ConvEpilogue<T> none;
  const ChannelRows<T> rows(dz, w, dx, none);
  const auto row = [&](const Correlation* columns, Index image, Index t) {
    if (t >= columns->rows.count) return;
    if (s.stride_w == 2 && are_pairs(columns[0].cols, columns[1].cols))
      return rows.pairs(columns[0], columns[1], image, t);
    if (s.stride_w == 2 && are_pairs(columns[1].cols, columns[0].cols))
      return rows.pairs(columns[1], columns[0], image, t);
    for (Index k = 0; k < s.stride_w; ++k) rows(columns[k], image, t);
  };
  const Index most = parts(s.h, s.stride_h);
  parallel_ranges(s.n * most, s.stride_h * s.w * s.c, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      for (Index k = 0; k < s.stride_h; ++k) row(phases.data() + k * s.stride_w, i / most, i % most);
  });
}

template <class T> void kernel_gradient(const T* x, const T* dy, T* dw, const Correlation& s) {
  const Index size = s.rows.taps * s.w_row, rows = s.n * s.rows.count, row = s.cols.count * s.c;
  const Index parts =
      std::clamp<Index>(rows * row / (4 * kGrain), 1, std::min(kMaxParts, std::max<Index>(1, rows)));
  const auto kernel = FASTNN_SELECT(depthwise_kernel_row<T>);
  const Workspace<T> memory(std::size_t(parts > 1 ? parts * size : 0));
  parallel_tasks(parts, [&](Index part) {
    T* const to = parts > 1 ? memory.data() + part * size : dw;
    std::fill_n(to, size, T(0));
    for (Index i = rows * part / parts; i < rows * (part + 1) / parts; ++i) {
      // The rows of the kernel that meet the image are found as if `dw` were it.
      const DepthwiseRow<T> taps = row_of<T>(s, x, to, i / s.rows.count, i % s.rows.count);
      kernel(taps, dy + i * row, to + (taps.w - to));
    }
  });
  if (parts > 1) FASTNN_SELECT(depthwise_add<T>)(memory.data(), size, parts, dw, size);
}

void check(const char* op, const Conv2dShape& s) {
  s.check(op);
  fastnn::check(op, s.groups == s.c || s.c == 0, "expected a group for each of ", s.c, " channels, got ",
                s.groups);
}

}  // namespace

template <class T>
void correlate_channels(const T* x, const T* w, T* y, const Correlation& s, const ConvEpilogue<T>& epilogue) {
  const ChannelRows<T> rows(x, w, y, epilogue);
  parallel_ranges(s.n * s.rows.count, s.cols.count * s.c, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) rows(s, i / s.rows.count, i % s.rows.count);
  });
}
FASTNN_INSTANTIATE(correlate_channels)

template <class T> void depthwise_conv2d(const T* x, const T* w, const T* b, T* y, T* z, const Conv2dShape& s,
                                         Unary activation, const UnaryParameters& parameters) {
  check("depthwise_conv2d", s);
  const ConvEpilogue<T> epilogue{{b, activation, parameters, z}};
  if (s.o != s.c) return correlate(x, w, y, Correlation::forward(s), epilogue);
  correlate_channels(x, w, y, Correlation::forward(s), epilogue);
}
FASTNN_INSTANTIATE(depthwise_conv2d)

template <class T> void depthwise_conv2d_backward(const T* x, const T* w, const T* saved, const T* dy, T* dx,
                                                  T* dw, T* db, const Conv2dShape& s, Unary activation,
                                                  const UnaryParameters& parameters) {
  check("depthwise_conv2d_backward", s);
  if (!dx && !dw && !db) return;
  std::optional<Workspace<T>> memory;
  const T* dz = dy;
  if (activation != Unary::linear) {
    T* const product = memory.emplace(std::size_t(s.pixels() * s.o)).data();
    slope(saved, dy, product, db, s.pixels(), s.o, activation, parameters);
    dz = product;
  } else if (db) {
    slope<T>(dy, dy, nullptr, db, s.pixels(), s.o, activation, parameters);
  }
  const bool plain = s.o == s.c;
  const Correlation forward = Correlation::forward(s);
  if (dw) plain ? kernel_gradient(x, dz, dw, forward) : correlate_kernel(x, dz, dw, forward);
  if (dx && plain) return input_gradient(dz, w, dx, s);
  for (Index i = 0; dx && i < s.stride_h; ++i)
    for (Index j = 0; j < s.stride_w; ++j) correlate<T>(dz, w, dx, Correlation::backward(s, i, j));
}
FASTNN_INSTANTIATE(depthwise_conv2d_backward)

}  // namespace fastnn::cpu
#endif
