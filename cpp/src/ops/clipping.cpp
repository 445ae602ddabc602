#include "fastnn/clipping.hpp"

#include "update.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(double, squares_span, (const T* g, Index n))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
namespace fastnn::cpu::FASTNN_ISA {

// Four accumulators, as a fused multiply-add takes four cycles; each adds 32 squares before the sum goes to
// double, which keeps the error at a few ulp.
template <class T> double squares_span(const T* g, Index n) {
  using V = Vec<T>;
  constexpr Index kStep = V::lanes, kBlock = 4 * 32 * kStep;
  double total = 0;
  for (Index first = 0; first < n; first += kBlock) {
    const Index end = n - first < kBlock ? n : first + kBlock;
    V a = V::set(0), b = a, c = a, d = a;
    Index i = first;
    for (; i + 4 * kStep <= end; i += 4 * kStep) {
      const V x = V::load(g + i), y = V::load(g + i + kStep), z = V::load(g + i + 2 * kStep),
              w = V::load(g + i + 3 * kStep);
      a = fma(x, x, a);
      b = fma(y, y, b);
      c = fma(z, z, c);
      d = fma(w, w, d);
    }
    for (; i < end; i += kStep) {
      const V x = V::load_n(g + i, int(end - i < kStep ? end - i : kStep));
      a = fma(x, x, a);
    }
    total += double(sum((a + b) + (c + d)));
  }
  return total;
}
FASTNN_INSTANTIATE(squares_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "partial_sums.hpp"

namespace fastnn::cpu {

template <class T> void squared_norms(const T* g, double* squares, const Run* runs, Index run_count) {
  check_runs("squared_norms", runs, run_count);
  const auto kernel = FASTNN_SELECT(squares_span<T>);
  for (Index r = 0; r < run_count; ++r) {
    const T* const first = g + runs[r].offset;
    squares[r] = partial_sums(runs[r].length, 1,
                              [=](Index begin, Index end) { return kernel(first + begin, end - begin); });
  }
}
FASTNN_INSTANTIATE(squared_norms)

void clip_factors(const double* squares, double* scales, Index count, const ClipSettings& settings) {
  double total = 0;
  for (Index r = 0; r < count; ++r) total += squares[r];
  for (Index r = 0; r < count; ++r) {
    const double norm = std::abs(settings.factor) * std::sqrt(settings.joint ? total : squares[r]);
    const double clipped = norm > settings.limit ? settings.limit / norm : 1;
    const bool lost = std::isnan(norm) || (settings.joint && std::isinf(norm));
    scales[r] = lost ? std::numeric_limits<double>::quiet_NaN() : settings.factor * clipped;
  }
}

}  // namespace fastnn::cpu
#endif
