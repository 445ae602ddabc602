// Two rows of x are blended into one, then the pixels of that; the gradient runs the other way.

#include "fastnn/resize2d.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

/// y = (1 - weight) x[low] + weight x[high].
template <class T> struct Tap {
  Index low, high;
  T weight;
};

FASTNN_DECLARE(void, resize_row,
               (const T* x, T* y, const Tap<T>& row, const Tap<T>* cols, const Resize2dShape& shape,
                T* scratch))
FASTNN_DECLARE(void, resize_backward_row,
               (const T* dy, T* dx, const Tap<T>& row, const Tap<T>* cols, const Resize2dShape& shape,
                T* scratch))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> void resize_row(const T* x, T* y, const Tap<T>& row, const Tap<T>* cols,
                                   const Resize2dShape& shape, T* scratch) {
  using V = Vec<T>;
  const Index c = shape.c, line = shape.w * c;
  const auto blend = [](V low, V high, V weight) { return fma(weight, high - low, low); };
  const V down = V::set(row.weight);
  row_each<T>(line, [&](auto at) {
    at.store(scratch, blend(at.load(x + row.low * line), at.load(x + row.high * line), down));
  });
  for (Index j = 0; j < shape.ow; ++j, y += c) {
    const T *low = scratch + cols[j].low * c, *high = scratch + cols[j].high * c;
    const V weight = V::set(cols[j].weight);
    row_each<T>(c, [&](auto at) { at.store(y, blend(at.load(low), at.load(high), weight)); });
  }
}
FASTNN_INSTANTIATE(resize_row)

template <class T> void resize_backward_row(const T* dy, T* dx, const Tap<T>& row, const Tap<T>* cols,
                                            const Resize2dShape& shape, T* scratch) {
  using V = Vec<T>;
  const Index c = shape.c, line = shape.w * c;
  row_each<T>(line, [&](auto at) { at.store(scratch, V::set(0)); });
  for (Index j = 0; j < shape.ow; ++j, dy += c) {
    T *low = scratch + cols[j].low * c, *high = scratch + cols[j].high * c;
    const V near = V::set(1 - cols[j].weight), far = V::set(cols[j].weight);
    row_each<T>(c, [&](auto at) { at.store(low, fma(near, at.load(dy), at.load(low))); });
    row_each<T>(c, [&](auto at) { at.store(high, fma(far, at.load(dy), at.load(high))); });
  }
  T *low = dx + row.low * line, *high = dx + row.high * line;
  const V near = V::set(1 - row.weight), far = V::set(row.weight);
  row_each<T>(line, [&](auto at) { at.store(low, fma(near, at.load(scratch), at.load(low))); });
  row_each<T>(line, [&](auto at) { at.store(high, fma(far, at.load(scratch), at.load(high))); });
}
FASTNN_INSTANTIATE(resize_backward_row)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {
namespace {

void check_shape(const char* op, const Resize2dShape& s) {
  check(op, s.n >= 0 && s.c >= 0 && s.h > 0 && s.w > 0 && s.oh > 0 && s.ow > 0,
        "expected images of at least 1 x 1, got ", s.h, " x ", s.w, " -> ", s.oh, " x ", s.ow);
}

template <class T> void find_taps(Index in, Index out, Tap<T>* taps) {
  for (Index i = 0; i < out; ++i) {
    const double place = (double(i) + 0.5) * double(in) / double(out) - 0.5;
    const double inside = std::min(std::max(place, 0.0), double(in - 1));
    const Index low = Index(std::floor(inside));
    taps[i] = {low, std::min(low + 1, in - 1), T(inside - double(low))};
  }
}

}  // namespace

template <class T> void resize2d(const T* x, T* y, Resize2dShape shape) {
  check_shape("resize2d", shape);
  const Workspace<Tap<T>> rows(std::size_t(shape.oh)), cols(std::size_t(shape.ow));
  find_taps(shape.h, shape.oh, rows.data());
  find_taps(shape.w, shape.ow, cols.data());
  parallel_ranges(shape.n * shape.oh, (shape.w + shape.ow) * shape.c, [&](Index begin, Index end) {
    const Workspace<T> scratch(std::size_t(shape.w * shape.c));
    for (Index i = begin; i < end; ++i) FASTNN_SELECT(resize_row<T>)
    (x + i / shape.oh * (shape.h * shape.w * shape.c), y + i * (shape.ow * shape.c),
     rows.data()[i % shape.oh], cols.data(), shape, scratch.data());
  });
}
FASTNN_INSTANTIATE(resize2d)

template <class T> void resize2d_backward(const T* dy, T* dx, Resize2dShape shape) {
  check_shape("resize2d_backward", shape);
  const Workspace<Tap<T>> rows(std::size_t(shape.oh)), cols(std::size_t(shape.ow));
  find_taps(shape.h, shape.oh, rows.data());
  find_taps(shape.w, shape.ow, cols.data());
  const Index image = shape.h * shape.w * shape.c, line = shape.ow * shape.c;
  parallel_ranges(shape.n, image + shape.oh * line, [&](Index begin, Index end) {
    const Workspace<T> scratch(std::size_t(shape.w * shape.c));
    std::fill(dx + begin * image, dx + end * image, T(0));
    for (Index i = begin * shape.oh; i < end * shape.oh; ++i) FASTNN_SELECT(resize_backward_row<T>)
    (dy + i * line, dx + i / shape.oh * image, rows.data()[i % shape.oh], cols.data(), shape, scratch.data());
  });
}
FASTNN_INSTANTIATE(resize2d_backward)

}  // namespace fastnn::cpu
#endif
