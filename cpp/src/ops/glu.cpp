#include "fastnn/glu.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, glu_range, (const T* x, T* y, Index inner, Index begin, Index end))
FASTNN_DECLARE(void, glu_backward_range,
               (const T* x, const T* dy, T* dx, Index inner, Index begin, Index end))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Calls fn(from, to, n) for the pieces of [begin, end) of y that lie in one row each: `to` in y, `from`
/// where x has what it is made of, with the gate `inner` elements behind.
template <class Fn> static inline void each_piece(Index inner, Index begin, Index end, const Fn& fn) {
  while (begin < end) {
    const Index row = begin / inner, left = (row + 1) * inner - begin;
    const Index n = left < end - begin ? left : end - begin;
    fn(begin + row * inner, begin, n);
    begin += n;
  }
}

template <class T> void glu_range(const T* x, T* y, Index inner, Index begin, Index end) {
  each_piece(inner, begin, end, [&](Index from, Index to, Index n) {
    const T *linear = x + from, *gate = linear + inner;
    row_each<T>(n, [&](auto at) { at.store(y + to, at.load(linear) * sigmoid(at.load(gate))); });
  });
}
FASTNN_INSTANTIATE(glu_range)

template <class T>
void glu_backward_range(const T* x, const T* dy, T* dx, Index inner, Index begin, Index end) {
  using V = Vec<T>;
  each_piece(inner, begin, end, [&](Index from, Index to, Index n) {
    const T *linear = x + from, *gate = linear + inner;
    T *dlinear = dx + from, *dgate = dlinear + inner;
    row_each<T>(n, [&](auto at) {
      const V s = sigmoid(at.load(gate)), g = at.load(dy + to) * s;
      at.store(dgate, g * at.load(linear) * (V::set(1) - s));
      at.store(dlinear, g);
    });
  });
}
FASTNN_INSTANTIATE(glu_backward_range)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {
namespace {

/// Elements that cost as much as one here, in a pass that only copies: an exponential and a division.
constexpr Index kCost = 2;

void check_sizes(const char* op, Index outer, Index inner) {
  check(op, outer >= 0 && inner >= 0, "expected outer, inner >= 0, got (", outer, ", ", inner, ")");
}

}  // namespace

template <class T> void glu(const T* x, T* y, Index outer, Index inner) {
  check_sizes("glu", outer, inner);
  const auto kernel = FASTNN_SELECT(glu_range<T>);
  parallel_ranges(
      outer * inner, kCost, [=](Index begin, Index end) { kernel(x, y, inner, begin, end); }, 64);
}
FASTNN_INSTANTIATE(glu)

template <class T> void glu_backward(const T* x, const T* dy, T* dx, Index outer, Index inner) {
  check_sizes("glu_backward", outer, inner);
  const auto kernel = FASTNN_SELECT(glu_backward_range<T>);
  parallel_ranges(
      outer * inner, kCost, [=](Index begin, Index end) { kernel(x, dy, dx, inner, begin, end); }, 64);
}
FASTNN_INSTANTIATE(glu_backward)

}  // namespace fastnn::cpu
#endif
