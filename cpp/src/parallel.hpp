#pragma once

// Work is split into tasks by shape alone, or in ways that leave the bits of a result (gemm_plan.hpp), never
// by the number of threads, and tasks write disjoint memory: so bits are the same at any thread count.

#include <algorithm>

#if defined(__x86_64__)
#include <xmmintrin.h>  // _mm_getcsr: a tenth of what immintrin.h takes to read
#endif

#include "fastnn/core/threads.hpp"
#include "fastnn/core/types.hpp"
#include "workers.hpp"

namespace fastnn {

/// Elements of a pass over memory that are worth a task of their own, some microseconds of work. A second
/// thread costs 1 us when it is awake and waiting, and some 10 us when it sleeps: small work stays on one
/// thread.
constexpr Index kGrain = 32 * 1024;
/// Multiply-adds that are.
constexpr Index kGrainMultiplies = 500 * 1000;
/// Pieces a product or a convolution is cut into at most: fine enough for many threads, coarse enough to read
/// its factor rarely.
constexpr Index kMaxTasks = 64;

/// Pieces of `size` that cover x, and how far they reach.
inline Index parts(Index x, Index size) { return (x + size - 1) / size; }
inline Index up(Index x, Index size) { return parts(x, size) * size; }

/// Flushes denormals to zero while alive and restores the caller's mode: optimizer moments decay into
/// denormals, on which arithmetic is some hundred times slower.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }  // FTZ, DAZ
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  FlushDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(before_ | (1ull << 24)));  // FZ
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
  unsigned long long before_;
#else
  FlushDenormals() {}
#endif
 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

/// Threads worth having for `tasks` tasks here: 1 inside a task or in a forked child.
inline int threads_for(Index tasks) {
  if (tasks < 2 || forked() || in_shared_task()) return 1;
  return int(std::min<Index>(tasks, num_threads()));
}

/// Calls fn(task) once for every task in [0, tasks), on several threads if there are several tasks.
/// The caller chooses tasks big enough to be worth a thread. fn must not throw.
template <typename Fn> void parallel_tasks(Index tasks, const Fn& fn) {
  const FlushDenormals flush;
  const int threads = threads_for(tasks);
  if (threads == 1) {
    for (Index t = 0; t < tasks; ++t) fn(t);
    return;
  }
  const auto run = [](const void* what, Index task) { (*static_cast<const Fn*>(what))(task); };
  share_tasks({tasks, run, &fn}, threads);
}

/// Calls fn(begin, end) on disjoint ranges that cover [0, count), all but the last ending at multiples of
/// `step`. One item costs as much as `cost` elements. Two grains are the least that several threads share, in
/// pieces of half a grain and more: three would leave two threads two of them to wait for.
template <typename Fn>
void parallel_ranges(Index count, Index cost, const Fn& fn, Index step = 1, Index grain = kGrain) {
  if (count <= 0) return;
  const Index steps = (count + step - 1) / step;
  const Index least = std::max<Index>(1, grain / std::max<Index>(1, cost * step));  // steps in a range
  const Index grains = steps / least, tasks = grains < 2 ? 1 : std::min(steps, 2 * grains);
  parallel_tasks(tasks, [&](Index t) {
    const Index begin = steps * t / tasks * step, end = std::min(count, steps * (t + 1) / tasks * step);
    fn(begin, end);
  });
}

}  // namespace fastnn
