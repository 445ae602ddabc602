#pragma once

// Transposes blocks of lanes x lanes elements in registers.

#include "simd/simd.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <int... I> struct Positions {};
template <int N, int... I> struct PositionsUpTo : PositionsUpTo<N - 1, N - 1, I...> {};
template <int... I> struct PositionsUpTo<0, I...> { using type = Positions<I...>; };

/// a[first], b[first], a[first + 1], b[first + 1], ...
template <int first, class R, int... I> static inline R interleave(R a, R b, Positions<I...>) {
  constexpr int lanes = sizeof...(I);
  return __builtin_shufflevector(a, b, (first + I / 2 + (I % 2) * lanes)...);
}

/// Element j of row i becomes element i of row j. Interleaving the first half of the rows with the second
/// turns the index (row, lane) by one bit; after log2(lanes) times the two have changed places.
template <class V> static inline void transpose(V (&rows)[V::lanes]) {
  if constexpr (V::lanes > 1) {
    using All = typename PositionsUpTo<V::lanes>::type;
    constexpr int half = V::lanes / 2;
#pragma GCC unroll 4
    for (int step = 1; step < V::lanes; step *= 2) {
      V turned[V::lanes];
#pragma GCC unroll 8
      for (int i = 0; i < half; ++i) {
        turned[2 * i].v = interleave<0>(rows[i].v, rows[i + half].v, All{});
        turned[2 * i + 1].v = interleave<half>(rows[i].v, rows[i + half].v, All{});
      }
#pragma GCC unroll 16
      for (int i = 0; i < V::lanes; ++i) rows[i] = turned[i];
    }
  }
}

}  // namespace fastnn::cpu::FASTNN_ISA
