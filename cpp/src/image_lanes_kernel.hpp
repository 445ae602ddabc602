#pragma once

// A correlation with as many images side by side as a vector has lanes, in terms of Vec<T>: every pixel and
// channel of theirs is one vector, so that any number of channels fills all lanes.
//
//     y[i, r, :] = sum_{s, p} w[s length + p, r] * x[pixel[i] + stretch[s] + p, :]
//
// A tile is R channels out by N pixels. All products of an element are added one after the other, as in
// conv_kernel.hpp, which makes the same bits. Only floats in vectors: with one lane there is nothing to gain,
// and double would be 25 KB more of the library.

#include "conv_kernel.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Channels of a tile at most, and sums that stay in registers.
#if defined(FASTNN_ISA_avx512) || defined(FASTNN_ISA_neon)
constexpr int kImageRows = 8, kImageSums = 25;
#elif defined(FASTNN_ISA_avx2)
constexpr int kImageRows = 6, kImageSums = 12;
#else
constexpr int kImageRows = 4, kImageSums = 8;
#endif

template <class T> constexpr bool kImageLanes = sizeof(T) == sizeof(float) && Vec<T>::lanes > 1;

/// Pixels of a tile with this many channels.
constexpr int image_pixels(int rows) {
  return kImageSums / rows < kImagePixels ? kImageSums / rows : int(kImagePixels);
}

/// R channels from `row` on, pixels [first, first + image_pixels(R)).
/// Not inlined: the pointers to pixels need all registers there are.
template <int R, class T>
[[gnu::noinline]] static void image_tile(const ImageProduct<T>& p, Index row, Index first) {
  using V = Vec<T>;
  constexpr int N = image_pixels(R), L = V::lanes;
  V sums[R][N];
  const T* x[N];
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) {
    x[j] = p.x + p.pixels[first + j];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) sums[i][j] = V::set(0);
  }
  const T* w = p.w + row;
  for (Index s = 0; s < p.stretches; ++s) {
    const Index begin = p.stretch[s], end = begin + p.length * L;
#pragma GCC unroll 1
    for (Index at = begin; at != end; at += L) {
      V v[N];
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) v[j] = V::load(x[j] + at);
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) {
        const V weight = V::set(w[i]);
#pragma GCC unroll 8
        for (int j = 0; j < N; ++j) sums[i][j] = fma(v[j], weight, sums[i][j]);
      }
      w += p.channels;
    }
  }
  T* y = p.y + (first * p.channels + row) * L;
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j, y += p.channels * L)
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) sums[i][j].store(y + i * L);
}

/// Pixels [begin, end) in tiles of R channels, the last of which may lie over the one before it.
template <int R, class T>
static void image_tiles(const ImageProduct<T>& p, Index row, int rows, Index begin, Index end) {
  if constexpr (R > 1)
    if (rows < R) return image_tiles<R - 1>(p, row, rows, begin, end);
  constexpr Index N = image_pixels(R);
  for (Index at = begin; at < end; at += N)
    image_tile<R>(p, row, at + N <= p.count || p.count < N ? at : p.count - N);
}

template <class T> static void image_lanes(const ImageProduct<T>& p) {
  if constexpr (kImageLanes<T>) {
    ImageProduct<T> q = p;
    Index pixels[kImagePixels];
    if (p.count < kImagePixels) {
      for (Index i = 0; i < kImagePixels; ++i) pixels[i] = p.pixels[i < p.count ? i : p.count - 1];
      q.pixels = pixels;
    }
    const Index groups = (p.channels + kImageRows - 1) / kImageRows;
    for (Index at = 0; at < p.count; at += kImageTile)
      for (Index g = 0; g < groups; ++g) {
        const Index row = p.channels * g / groups, end = p.channels * (g + 1) / groups;
        image_tiles<kImageRows>(q, row, int(end - row), at,
                                at + kImageTile < p.count ? at + kImageTile : p.count);
      }
  }
}

/// Results turned back after bias, normalisation and relu, a square of lanes at a time.
template <class T> static void image_results(const ImageResults<T>& p) {
  using V = Vec<T>;
  constexpr int L = V::lanes;
  if constexpr (kImageLanes<T>) {
    Index channel = 0;
    for (Index at = 0; at < p.elements; at += L) {
      V square[L];
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i) square[i] = V::load(p.x + (at + i) * L);
      if (p.bias) {
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i) square[i] = square[i] + V::set(p.bias[channel + i]);
      }
      if (p.norm.mean) {
        const ColumnNorm<T> norm = p.norm.from(channel);
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i)
          square[i] = fma(square[i] - V::set(norm.mean[i]), V::set(norm.scale[i]), V::set(norm.shift[i]));
      }
      if (p.relu) {
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i) square[i] = max(V::set(0), square[i]);
      }
      transpose(square);
      const int width = int(p.elements - at < L ? p.elements - at : L);
      const bool whole = width == L && p.images == L;
      T edge[L * L];
      T* const to = whole ? p.y + at : edge;
      const Index step = whole ? p.y_image : L;
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i) square[i].store(to + i * step);
      for (Index i = 0; !whole && i < p.images; ++i)
        V::load_n(edge + i * L, width).store_n(p.y + i * p.y_image + at, width);
      for (channel += L; channel >= p.channels;) channel -= p.channels;
    }
  }
}

/// Elements of the window and channels of a tile of gradients.
#if defined(FASTNN_ISA_avx512) || defined(FASTNN_ISA_neon)
constexpr int kImageSumRows = 5, kImageSumChannels = 4;
#else
constexpr int kImageSumRows = 4, kImageSumChannels = 3;
#endif

/// kImageSumRows elements of the window by S channels.
template <int S, class T> static void image_sum(const ImageSums<T>& p, Index element, Index channel) {
  using V = Vec<T>;
  constexpr int R = kImageSumRows, L = V::lanes;
  V sums[R][S];
  T* const to = p.sums + (element * p.channels + channel) * L;
  const Index step = p.channels * L;
#pragma GCC unroll 5
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < S; ++j) sums[i][j] = V::load(to + i * step + j * L);
  const T* dy = p.dy + channel * L;
  for (Index r = 0; r < p.rows; ++r) {
    const T* x[R];
#pragma GCC unroll 5
    for (int i = 0; i < R; ++i) x[i] = p.x + p.places[element + i] + r * p.x_row;
#pragma GCC unroll 1
    for (Index q = 0; q < p.pixels; ++q, dy += step) {
      V g[S];
#pragma GCC unroll 4
      for (int j = 0; j < S; ++j) g[j] = V::load(dy + j * L);
#pragma GCC unroll 5
      for (int i = 0; i < R; ++i) {
        const V v = V::load(x[i] + q * p.x_pixel);
#pragma GCC unroll 4
        for (int j = 0; j < S; ++j) sums[i][j] = fma(v, g[j], sums[i][j]);
      }
    }
  }
#pragma GCC unroll 5
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < S; ++j) sums[i][j].store(to + i * step + j * L);
}

template <class T, int S = kImageSumChannels> static auto select_image_sum(Index channels) {
  if constexpr (S > 1)
    if (channels < S) return select_image_sum<T, S - 1>(channels);
  return &image_sum<S, T>;
}

template <class T> static void image_sums(const ImageSums<T>& p) {
  if constexpr (kImageLanes<T>) {
    const Index groups = (p.channels + kImageSumChannels - 1) / kImageSumChannels;
    for (Index g = 0; g < groups; ++g) {
      const Index channel = p.channels * g / groups;
      const auto add = select_image_sum<T>(p.channels * (g + 1) / groups - channel);
      for (Index i = 0; i < p.elements; i += kImageSumRows) add(p, i, channel);
    }
  }
}

/// y = the sums of n vectors across their lanes.
template <class T> static void image_totals(const T* x, T* y, Index n) {
  if constexpr (kImageLanes<T>)
    for (Index i = 0; i < n; ++i) y[i] = sum(Vec<T>::load(x + i * Vec<T>::lanes));
}

}  // namespace fastnn::cpu::FASTNN_ISA
