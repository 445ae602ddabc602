#pragma once

// What the update rules of the optimizers share: clipping, scaling and decay inside the pass that updates,
// and the walk over runs.

#include "fastnn/optimizers.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

/// What happens before a rule's formula: g = clip(scale g), p -= decay p. plain: nothing of it. shared: what
/// is updated may lie in the cache of another thread's processor.
template <class T> struct Before {
  T scale, limit, decay;
  bool plain, shared;
};

}  // namespace fastnn::cpu

#if FASTNN_KERNELS
#include <algorithm>

#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// A position whose loads ask for what lies 1 KiB further, as up to five buffers side by side are not
/// foreseen across their pages: Adam at 1e7 weights 11.1 to 10.2 ms. Where threads share the work, what will
/// be written is asked for as one's own: a line that another thread wrote last would come to be read, and
/// once more to be written. What lies behind the n elements may be another thread's.
template <class At> struct Asking {
  using T = typename At::T;
  At at;
  Index later;
  bool shared;
  Asking(At position, Index n, bool is_shared)
      : at(position), later(std::min(at.i + Index(1024 / sizeof(T)), n - 1)), shared(is_shared) {}
  auto load(const T* p) const {
    if (shared)
      __builtin_prefetch(p + later, 1);
    else
      __builtin_prefetch(p + later);
    return at.load(p);
  }
  auto load_only(const T* p) const {
    __builtin_prefetch(p + later);
    return at.load(p);
  }
  template <class V> void store(T* p, V v) const { at.store(p, v); }
};

/// p = fn(at, gradient, weight) for n elements, gradient and weight as `before` leaves them.
///
/// A rule loads all its slots before it stores one: buffers of some megabytes begin at the same place of a
/// page, and a load waits for an earlier store to the same place of another page (Adam at 1e6 weights: 293
/// us, else 340 to 440).
template <class T, class Fn>
static inline void update_each(T* p, const T* g, Index n, const Before<T>& before, const Fn& fn) {
  using V = Vec<T>;
  if (before.plain)
    return row_each<T>(n, [&](auto position) {
      const Asking at(position, n, before.shared);
      const V weight = at.load(p);
      at.store(p, fn(at, at.load_only(g), weight));
    });
  const V scale = V::set(before.scale), low = V::set(-before.limit), high = V::set(before.limit),
          decay = V::set(before.decay);
  row_each<T>(n, [&](auto position) {
    const Asking at(position, n, before.shared);
    const V weight = at.load(p);
    const V gradient = min(high, max(low, scale * at.load_only(g)));  // in this order a NaN stays
    at.store(p, fn(at, gradient, fnma(decay, weight, weight)));
  });
}

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY
#include <cmath>
#include <limits>

#include "check.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {

/// A part of a buffer that may be absent.
template <class T> T* shifted(T* buffer, Index by) { return buffer ? buffer + by : nullptr; }

/// Epsilon for sqrt(s + inside) + outside in place of the root of s / correction, all multiplied by
/// sqrt(correction).
struct Epsilons {
  double inside = 0, outside = 0;

  Epsilons(double epsilon, Epsilon placement, double correction = 1) {
    if (placement == Epsilon::inside)
      inside = epsilon * correction;
    else
      outside = placement == Epsilon::hat ? epsilon : epsilon * std::sqrt(correction);
  }
};

inline void check_runs(const char* op, const Run* runs, Index run_count) {
  for (Index r = 0; r < run_count; ++r)
    check(op, runs[r].offset >= 0 && runs[r].length >= 0, "expected runs with offset, length >= 0, got (",
          runs[r].offset, ", ", runs[r].length, ")");
}

/// Calls fn(begin, length) on pieces that cover one run.
template <typename Fn> void parallel_run(const Run& run, const Fn& fn) {
  parallel_ranges(
      run.length, 1, [&](Index begin, Index end) { fn(run.offset + begin, end - begin); }, 64);
}

/// Calls fn(begin, length, before) on pieces that cover the runs.
template <class T, typename Fn> void parallel_updates(const char* op, const Run* runs, Index run_count,
                                                      const double* scales, double learning_rate,
                                                      const UpdateSettings& settings, const Fn& fn) {
  check_runs(op, runs, run_count);
  const bool clipped = settings.clip_value > 0;
  for (Index r = 0; r < run_count; ++r) {
    const double decay = runs[r].decayed ? learning_rate * settings.weight_decay : 0;
    const Before<T> before{T(scales ? scales[r] : 1),
                           clipped ? T(settings.clip_value) : std::numeric_limits<T>::infinity(), T(decay),
                           !scales && !clipped && decay == 0, num_threads() > 1};
    parallel_run(runs[r], [&](Index i, Index n) { fn(i, n, before); });
  }
}

}  // namespace fastnn::cpu
#endif
