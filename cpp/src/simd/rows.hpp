#pragma once

// Passes over one row of n elements, tail included, for kernels that reduce along a row. The function
// gets a position `at` with at.load(p, fill) and at.store(p, v); lanes beyond the row are left out of
// sums and of stores.

#include "simd/math.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// A whole vector at position i.
template <class V> struct Whole {
  using T = typename V::T;
  Index i;
  V load(const T* p, T = 0) const { return V::load(p + i); }
  void store(T* p, V v) const { v.store(p + i); }
  void stream(T* p, V v) const { v.stream(p + i); }
  V keep(V v) const { return v; }
};

/// The last n lanes of a row, at position i.
template <class V> struct Tail {
  using T = typename V::T;
  Index i;
  int n;
  V load(const T* p, T fill = 0) const { return V::load_n(p + i, n, fill); }
  void store(T* p, V v) const { v.store_n(p + i, n); }
  void stream(T* p, V v) const { store(p, v); }
  /// v with zeros beyond the row.
  V keep(V v) const {
    T lane[V::lanes];
    v.store(lane);
    return V::load_n(lane, n);
  }
};

/// Stores v at p: past the caches if so.
template <class At, class V> static inline void put(bool streams, At at, typename V::T* p, V v) {
  if (streams)
    at.stream(p, v);
  else
    at.store(p, v);
}

/// The same, and asks for the line at `later`, which is stored to soon: several stretches of memory that are
/// stored to side by side are not foreseen.
template <class At, class V>
static inline void put_and_ask(bool streams, At at, typename V::T* p, V v, const typename V::T* later) {
  if (!streams) __builtin_prefetch(later + at.i);
  put(streams, at, p, v);
}

template <class T, class Fn> static inline void row_each(Index n, const Fn& fn) {
  using V = Vec<T>;
  Index i = 0;
  for (; i + V::lanes <= n; i += V::lanes) fn(Whole<V>{i});
  if (i < n) fn(Tail<V>{i, int(n - i)});
}

/// Sum of fn(at) over the row: lane by lane, then across the lanes in a fixed order.
template <class T, class Fn> static inline T row_sum(Index n, const Fn& fn) {
  using V = Vec<T>;
  V total = V::set(0);
  row_each<T>(n, [&](auto at) { total = total + at.keep(fn(at)); });
  return sum(total);
}

/// Sum of fn(at) over a long row: in four accumulators, as an addition takes four cycles and two start in
/// each, with at most 32 additions in T one after the other and the rest in double.
template <class T, class Fn> static inline double long_sum(Index n, const Fn& fn) {
  using V = Vec<T>;
  constexpr Index kStep = V::lanes, kBlock = 32 * 4 * kStep;
  double total = 0;
  Index i = 0;
  while (i + 4 * kStep <= n) {
    const Index stop = n - i < kBlock ? n : i + kBlock;
    V a = V::set(0), b = a, c = a, d = a;
    for (; i + 4 * kStep <= stop; i += 4 * kStep) {
      a = a + fn(Whole<V>{i});
      b = b + fn(Whole<V>{i + kStep});
      c = c + fn(Whole<V>{i + 2 * kStep});
      d = d + fn(Whole<V>{i + 3 * kStep});
    }
    total += double(sum((a + b) + (c + d)));
  }
  if (i == n) return total;
  V rest = V::set(0);
  for (; i + kStep <= n; i += kStep) rest = rest + fn(Whole<V>{i});
  if (i < n) {
    const Tail<V> tail{i, int(n - i)};
    rest = rest + tail.keep(fn(tail));
  }
  return total + double(sum(rest));
}

/// Largest element of the row, -infinity if it is empty. NaNs are passed over.
template <class T> static inline T row_max(const T* x, Index n) {
  using V = Vec<T>;
  const T lowest = T(-__builtin_inf());
  V m = V::set(lowest);
  row_each<T>(n, [&](auto at) { m = max(at.load(x, lowest), m); });
  return max_lane(m);
}

}  // namespace fastnn::cpu::FASTNN_ISA
