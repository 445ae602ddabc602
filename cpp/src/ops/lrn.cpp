#include "fastnn/lrn.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, lrn_rows, (const T* x, T* y, Index rows, Index cols, const LrnSettings& s, T* scratch))
FASTNN_DECLARE(void, lrn_backward_rows,
               (const T* x, const T* dy, T* dx, Index rows, Index cols, const LrnSettings& s, T* scratch))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// A row with so many zeros on both sides that windows need not be cut.
template <class T> struct Padded {
  T* start;
  Index before;

  Padded(T* memory, Index before_, Index cols, Index behind) : start(memory), before(before_) {
    for (Index i = 0; i < before; ++i) memory[i] = 0;
    for (Index i = 0; i < behind; ++i) memory[before + cols + i] = 0;
  }
  T* row() const { return start + before; }
  /// The sum of the window that begins so many places before `at`.
  template <class At> Vec<T> window(At at, Index size) const {
    Vec<T> total = Vec<T>::set(0);
    for (Index i = 0; i < size; ++i) total = total + at.load(start + i);
    return total;
  }
};

template <class T> void lrn_rows(const T* x, T* y, Index rows, Index cols, const LrnSettings& s, T* scratch) {
  using V = Vec<T>;
  const V alpha = V::set(T(s.alpha)), k = V::set(T(s.k)), minus_beta = V::set(T(-s.beta));
  const Padded<T> squares(scratch, s.size / 2, cols, (s.size - 1) / 2);
  for (Index r = 0; r < rows; ++r, x += cols, y += cols) {
    row_each<T>(cols, [&](auto at) { at.store(squares.row(), at.load(x) * at.load(x)); });
    row_each<T>(cols, [&](auto at) {
      const V d = fma(alpha, squares.window(at, s.size), k);
      at.store(y, at.load(x) * exp(minus_beta * log(d)));
    });
  }
}
FASTNN_INSTANTIATE(lrn_rows)

template <class T> void lrn_backward_rows(const T* x, const T* dy, T* dx, Index rows, Index cols,
                                          const LrnSettings& s, T* scratch) {
  using V = Vec<T>;
  const V alpha = V::set(T(s.alpha)), k = V::set(T(s.k)), minus_beta = V::set(T(-s.beta));
  const V factor = V::set(T(2 * s.alpha * s.beta));
  const Padded<T> squares(scratch, s.size / 2, cols, (s.size - 1) / 2);
  const Padded<T> terms(scratch + cols + s.size, (s.size - 1) / 2, cols, s.size / 2);
  for (Index r = 0; r < rows; ++r, x += cols, dy += cols, dx += cols) {
    row_each<T>(cols, [&](auto at) { at.store(squares.row(), at.load(x) * at.load(x)); });
    row_each<T>(cols, [&](auto at) {
      const V d = fma(alpha, squares.window(at, s.size), k);
      const V scaled = at.load(dy) * exp(minus_beta * log(d));
      at.store(dx, scaled);
      at.store(terms.row(), scaled * at.load(x) / d);
    });
    row_each<T>(cols, [&](auto at) {
      at.store(dx, fnma(factor * at.load(x), terms.window(at, s.size), at.load(dx)));
    });
  }
}
FASTNN_INSTANTIATE(lrn_backward_rows)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {
namespace {

/// Calls fn(first row, rows, scratch) for ranges of rows. An element costs as much as size + 16 of a copy.
template <class T, typename Fn>
void each_range(const char* op, Index rows, Index channels, const LrnSettings& s, const Fn& fn) {
  check(op, rows >= 0 && channels >= 0, "expected rows, channels >= 0, got (", rows, ", ", channels, ")");
  check(op, s.size >= 1, "expected size >= 1, got ", s.size);
  parallel_ranges(rows, channels * (s.size + 16), [&](Index begin, Index end) {
    const Workspace<T> scratch(std::size_t(2 * (channels + s.size)));
    fn(begin, end - begin, scratch.data());
  });
}

}  // namespace

template <class T> void lrn(const T* x, T* y, Index rows, Index channels, const LrnSettings& s) {
  const auto kernel = FASTNN_SELECT(lrn_rows<T>);
  each_range<T>("lrn", rows, channels, s, [&](Index begin, Index count, T* scratch) {
    kernel(x + begin * channels, y + begin * channels, count, channels, s, scratch);
  });
}
FASTNN_INSTANTIATE(lrn)

template <class T>
void lrn_backward(const T* x, const T* dy, T* dx, Index rows, Index channels, const LrnSettings& s) {
  const auto kernel = FASTNN_SELECT(lrn_backward_rows<T>);
  each_range<T>("lrn_backward", rows, channels, s, [&](Index begin, Index count, T* scratch) {
    const Index at = begin * channels;
    kernel(x + at, dy + at, dx + at, count, channels, s, scratch);
  });
}
FASTNN_INSTANTIATE(lrn_backward)

}  // namespace fastnn::cpu
#endif
