// The axes from the last padded one on make a line: n places of `inner` elements each, copied in one go in
// the middle and place by place around it. The axes in front of it say which line of x a line of y is made
// of.

#include "fastnn/pad.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, add_to, (const T* x, T* y, Index n))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> void add_to(const T* x, T* y, Index n) {
  row_each<T>(n, [&](auto at) { at.store(y, at.load(y) + at.load(x)); });
}
FASTNN_INSTANTIATE(add_to)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include <algorithm>

#include "check.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {
namespace {

/// Which of n elements stands at place i, outside [0, n) too; -1 for none.
Index source(Index i, Index n, PadMode mode) {
  if (i >= 0 && i < n) return i;
  if (mode == PadMode::constant) return -1;
  if (mode == PadMode::edge || n == 1) return i < 0 ? 0 : n - 1;
  const Index again =
      mode == PadMode::reflect ? 1 : 0;  // elements that the image does not repeat, at each end
  const Index period = 2 * (n - again);
  const Index place = ((i % period) + period) % period;
  return place < n ? place : period - place - 1 + again;
}

/// An array of PadShape as lines.
class Lines {
 public:
  Lines(const char* op, const PadShape& shape, PadMode mode) : shape_(shape), mode_(mode) {
    int last = -1;
    for (int axis = 0; axis < shape.axes; ++axis) {
      const Index n = shape.shape[axis], before = shape.before[axis], after = shape.after[axis];
      check(op, n >= 0 && before >= 0 && after >= 0, "expected lengths and padding >= 0, got ", n, ", ",
            before, ", ", after);
      check(op, n > 0 || mode == PadMode::constant || before + after == 0,
            "expected at least 1 element along a padded axis, got an empty axis ", axis);
      if (before + after > 0) last = axis;
    }
    line_axis_ = std::max(last, 0);
    for (int axis = line_axis_ + 1; axis < shape.axes; ++axis) inner_ *= shape.shape[axis];
    if (shape.axes > 0) {
      n_ = shape.shape[line_axis_];
      before_ = shape.before[line_axis_];
      after_ = shape.after[line_axis_];
    }
    while (free_axes_ < line_axis_ && shape.before[free_axes_] + shape.after[free_axes_] == 0)
      free_ *= shape.shape[free_axes_++];
    for (int axis = free_axes_; axis < line_axis_; ++axis) lines_ *= shape.out(axis);
    for (int axis = free_axes_; axis < line_axis_; ++axis) x_lines_ *= shape.shape[axis];
  }

  Index free() const { return free_; }    ///< blocks that nothing is put between
  Index lines() const { return lines_; }  ///< of y in such a block
  Index x_line() const { return n_ * inner_; }
  Index y_line() const { return (before_ + n_ + after_) * inner_; }
  Index x_block() const { return x_lines_ * x_line(); }

  /// The line of x in a block that line i of y is made of; -1 for none.
  Index source_line(Index i) const {
    Index line = 0, step = 1;
    for (int axis = line_axis_ - 1; axis >= free_axes_; --axis) {
      const Index place = source(i % shape_.out(axis) - shape_.before[axis], shape_.shape[axis], mode_);
      if (place < 0) return -1;
      line += place * step;
      step *= shape_.shape[axis];
      i /= shape_.out(axis);
    }
    return line;
  }

  /// Calls fn(element of y, element of x or -1, count) for the places before and behind the middle of a line.
  template <typename Fn> void around(const Fn& fn) const {
    for (Index i = -before_; i < n_ + after_; ++i) {
      if (i == 0) i = n_;
      if (i == n_ + after_) break;
      const Index from = source(i, n_, mode_);
      fn((before_ + i) * inner_, from < 0 ? from : from * inner_, inner_);
    }
  }
  Index middle() const { return before_ * inner_; }  ///< where it begins in a line of y

 private:
  PadShape shape_;
  PadMode mode_;
  int line_axis_ = 0, free_axes_ = 0;
  Index n_ = 1, before_ = 0, after_ = 0, inner_ = 1, free_ = 1, lines_ = 1, x_lines_ = 1;
};

}  // namespace

template <class T> void pad(const T* x, T* y, PadShape shape, PadMode mode, T value) {
  const Lines lines("pad", shape, mode);
  parallel_ranges(lines.free() * lines.lines(), lines.y_line(), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      T* to = y + i * lines.y_line();
      const Index line = lines.source_line(i % lines.lines());
      if (line < 0) {
        std::fill(to, to + lines.y_line(), value);
        continue;
      }
      const T* from = x + i / lines.lines() * lines.x_block() + line * lines.x_line();
      std::copy(from, from + lines.x_line(), to + lines.middle());
      lines.around([&](Index at, Index place, Index count) {
        if (place < 0)
          std::fill(to + at, to + at + count, value);
        else
          std::copy(from + place, from + place + count, to + at);
      });
    }
  });
}
FASTNN_INSTANTIATE(pad)

template <class T> void pad_backward(const T* dy, T* dx, PadShape shape, PadMode mode) {
  const Lines lines("pad_backward", shape, mode);
  const auto add = FASTNN_SELECT(add_to<T>);
  parallel_ranges(lines.free(), lines.lines() * lines.y_line(), [&](Index begin, Index end) {
    std::fill(dx + begin * lines.x_block(), dx + end * lines.x_block(), T(0));
    for (Index i = begin * lines.lines(); i < end * lines.lines(); ++i) {
      const T* from = dy + i * lines.y_line();
      const Index line = lines.source_line(i % lines.lines());
      if (line < 0) continue;
      T* to = dx + i / lines.lines() * lines.x_block() + line * lines.x_line();
      add(from + lines.middle(), to, lines.x_line());
      lines.around([&](Index at, Index place, Index count) {
        if (place >= 0) add(from + at, to + place, count);
      });
    }
  });
}
FASTNN_INSTANTIATE(pad_backward)

}  // namespace fastnn::cpu
#endif
