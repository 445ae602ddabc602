#include "fastnn/averages.hpp"

#include "update.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, accumulate_span, (T * total, const T* x, Index n))
FASTNN_DECLARE(void, move_average_span, (T * average, const T* x, Index n, T momentum, T added))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
namespace fastnn::cpu::FASTNN_ISA {

template <class T> void accumulate_span(T* total, const T* x, Index n) {
  if (!x) return row_each<T>(n, [&](auto at) { at.store(total, Vec<T>::set(0)); });
  row_each<T>(n, [&](auto at) { at.store(total, at.load(total) + at.load(x)); });
}
FASTNN_INSTANTIATE(accumulate_span)

template <class T> void move_average_span(T* average, const T* x, Index n, T momentum, T added) {
  using V = Vec<T>;
  if (momentum == T(0)) return row_each<T>(n, [&](auto at) { at.store(average, at.load(x)); });
  const V keep = V::set(momentum), add = V::set(added);
  row_each<T>(n, [&](auto at) { at.store(average, fma(add, at.load(x), keep * at.load(average))); });
}
FASTNN_INSTANTIATE(move_average_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
namespace fastnn::cpu {

template <class T> void accumulate(T* total, const T* x, const Run* runs, Index run_count) {
  check_runs("accumulate", runs, run_count);
  const auto kernel = FASTNN_SELECT(accumulate_span<T>);
  for (Index r = 0; r < run_count; ++r)
    parallel_run(runs[r], [&](Index i, Index n) { kernel(total + i, shifted(x, i), n); });
}
FASTNN_INSTANTIATE(accumulate)

template <class T> void move_average(T* average, const T* x, const Run* runs, Index run_count,
                                     const std::int64_t* step, double momentum) {
  check_runs("move_average", runs, run_count);
  const auto kernel = FASTNN_SELECT(move_average_span<T>);
  const T keep = *step <= 1 ? T(0) : T(momentum), added = T(1 - momentum);
  for (Index r = 0; r < run_count; ++r)
    parallel_run(runs[r], [&](Index i, Index n) { kernel(average + i, x + i, n, keep, added); });
}
FASTNN_INSTANTIATE(move_average)

}  // namespace fastnn::cpu
#endif
