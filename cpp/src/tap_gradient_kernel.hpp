#pragma once

// The gradient of narrow windows with respect to their kernel, in terms of Vec<T>. For one row of x and one
// of the gradients of y, all taps k of a row of the window and some channels i of x:
//
//     dw[i, k, :] += sum_j x[j, i] dy[j + left - k, :]
//
// The vectors dy[j + left - k, :] of all taps stay in registers and move on by one with j, so that an element
// of x is loaded once for all taps and dy once for all channels: with 3 taps and 8 channels 9 loads for 24
// multiply-adds. Results beyond the row are zeros; nothing is copied.

#include "conv_kernels.hpp"
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Sums that stay in registers, beside the vectors of dy and one of x.
#if defined(FASTNN_ISA_avx512) || defined(FASTNN_ISA_neon)
constexpr int kTapSums = 27;
#else
constexpr int kTapSums = 9;
#endif

/// Calls fn(line, tap, where its sum lies in dw) for all of K taps and S lines.
template <int K, int S, class T, class Fn>
[[gnu::always_inline]] static inline void each_tap_sum(const TapProduct<T>& p, const Fn& fn) {
#pragma GCC unroll 9
  for (int s = 0; s < S; ++s)
#pragma GCC unroll 5
    for (int k = 0; k < K; ++k) fn(s, k, p.dw + p.places[s] + k * p.tap);
}

/// K taps and S lines.
template <int K, int S, class T> static void tap_sums(const TapProduct<T>& p) {
  using V = Vec<T>;
  V sums[S][K];
  each_tap_sum<K, S>(p, [&](int s, int k, T* at) { sums[s][k] = V::load_n(at, p.width); });
  for (Index r = 0; r < p.rows; ++r) {
    const T* x[S];
#pragma GCC unroll 9
    for (int s = 0; s < S; ++s) x[s] = p.x[r * S + s];
    const T* const dy = p.dy + r * p.dy_row;
    V g[K];
#pragma GCC unroll 5
    for (int k = 1; k < K; ++k) {
      const Index t = p.left - k;
      g[k - 1] = V::load_n(dy + t * p.dy_pixel, t >= 0 && t < p.out ? p.width : 0);
    }
    // Pixels before the first result, those with a result that comes into reach, and those behind.
    const Index first = p.left < 0 ? (-p.left < p.in ? -p.left : p.in) : 0;
    Index last = p.out - p.left < p.in ? p.out - p.left : p.in;
    if (last < first) last = first;
    for (int part = 0; part < 3; ++part) {
      const Index begin = part == 0 ? 0 : part == 1 ? first : last;
      const Index end = part == 0 ? first : part == 1 ? last : p.in;
      const int width = part == 1 ? p.width : 0;
      const T* next = dy + (begin + p.left) * p.dy_pixel;
#pragma GCC unroll 1
      for (Index j = begin * p.x_pixel; j < end * p.x_pixel; j += p.x_pixel, next += p.dy_pixel) {
#pragma GCC unroll 5
        for (int k = K - 1; k > 0; --k) g[k] = g[k - 1];
        g[0] = V::load_n(next, width);
        __builtin_prefetch(next + p.ahead);
#pragma GCC unroll 9
        for (int s = 0; s < S; ++s) {
          const V v = V::set(x[s][j]);
#pragma GCC unroll 5
          for (int k = 0; k < K; ++k) sums[s][k] = fma(v, g[k], sums[s][k]);
        }
      }
    }
  }
  each_tap_sum<K, S>(p, [&](int s, int k, T* at) { sums[s][k].store_n(at, p.width); });
}

/// The same where all windows lie inside of rows: goes from result to result, so that pixels at edges, which
/// few windows reach, cost no more than these. A load for each multiply-add, and both start twice a cycle.
template <int K, int S, class T> static void inner_tap_sums(const TapProduct<T>& p) {
  using V = Vec<T>;
  V sums[S][K];
  each_tap_sum<K, S>(p, [&](int s, int k, T* at) { sums[s][k] = V::load_n(at, p.width); });
  for (Index r = 0; r < p.rows; ++r) {
    const T* x[S];
#pragma GCC unroll 9
    for (int s = 0; s < S; ++s) x[s] = p.x[r * S + s];
    const T* dy = p.dy + r * p.dy_row;
#pragma GCC unroll 1
    for (Index j = 0; j < p.out; ++j, dy += p.dy_pixel) {
      const V g = V::load_n(dy, p.width);
#pragma GCC unroll 9
      for (int s = 0; s < S; ++s) {
#pragma GCC unroll 5
        for (int k = 0; k < K; ++k) sums[s][k] = fma(V::set(x[s][k * p.x_pixel]), g, sums[s][k]);
        x[s] += p.x_pixel;
      }
    }
  }
  each_tap_sum<K, S>(p, [&](int s, int k, T* at) { sums[s][k].store_n(at, p.width); });
}

template <int K, int S, class T> static void tap_sums_of(const TapProduct<T>& p, Index lines) {
  if constexpr (S > 1)
    if (lines < S) return tap_sums_of<K, S - 1>(p, lines);
  tap_sums<K, S>(p);
}

/// Lines that one call adds up, at most.
static constexpr Index tap_lines(Index taps) { return kTapSums / taps < 9 ? kTapSums / taps : 9; }

template <class T> static void tap_gradient(const TapProduct<T>& p, Index taps, Index lines) {
  if constexpr (tap_lines(5) == 5)
    if (p.inner && taps == 5 && lines == 5) return inner_tap_sums<5, 5>(p);
  if (taps == 3) return tap_sums_of<3, int(tap_lines(3))>(p, lines);
  tap_sums_of<5, int(tap_lines(5))>(p, lines);
}

}  // namespace fastnn::cpu::FASTNN_ISA
