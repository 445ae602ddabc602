// Pooling over windows of a channels-last image.
//
// All passes are bound by memory, so each reads and writes every array once, and what windows share is found
// in the cache. With many channels a vector lies along the channels of one pixel. With few, most of its lanes
// would be empty: there, vectors lie along the row (w*c elements). The rows of the windows are first made one
// row, in which every element then takes in those c, 2c ... behind it, and the pixels where windows begin are
// the result.
//
// The gradient of the maximum is found from x, not from stored positions: a position per output costs a
// fourth of reading x again with 2x2 windows, but memory for as long as the tape lives. Where one window is
// the whole image it is the other way round: global_max_pool.cpp.

#include "fastnn/pool2d.hpp"

#include "fastnn/global_max_pool.hpp"
#include "kernel.hpp"
#include "max_pool_gradient.hpp"

namespace fastnn::cpu {

/// The rows of one image that a task of max_pool2d_backward writes, and what its windows are like.
struct Band {
  Span rows;     ///< of dx
  Span windows;  ///< rows of dy whose windows reach into them
  bool clears;   ///< whether there are pixels between windows
  bool streams;  ///< whether dx goes past the caches
};

FASTNN_DECLARE(void, max_pool_pixels,
               (const T* x, T* y, const Span& rows, const Span* cols, const Pool2dShape& shape))
FASTNN_DECLARE(void, max_pool_folded,
               (const T* x, T* y, const Span& rows, const Pool2dShape& shape, T* scratch))
FASTNN_DECLARE(void, max_pool_backward_band,
               (const T* x, const T* dy, T* dx, const Span* rows, const Span* cols, const Band& band,
                const Pool2dShape& shape))
FASTNN_DECLARE(void, avg_pool_pixels,
               (const T* x, T* y, const Span& rows, const Span* cols, const T* scale, T row_scale,
                const Pool2dShape& shape))
FASTNN_DECLARE(void, avg_pool_folded,
               (const T* x, T* y, const Span& rows, const T* scale, T row_scale, const Pool2dShape& shape,
                T* scratch))
FASTNN_DECLARE(void, avg_pool_backward_row,
               (const T* dy, T* dx, const Span& rows, const Span* cols, const T* row_scale, const T* scale,
                const Pool2dShape& shape, bool streams))
FASTNN_DECLARE(void, avg_pool_backward_fours,
               (const T* dy, T* dx, const T* scale, T row_scale, const Pool2dShape& shape, bool streams))
FASTNN_DECLARE(void, avg_pool_backward_folded,
               (const T* dy, T* dx, const Span& rows, const T* row_scale, const T* scale,
                const Pool2dShape& shape, T* scratch))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "find_largest.hpp"
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// The larger one, and of two equal ones the first; NaN if either is.
template <class V> static inline V larger(V m, V v) { return select(v == v, max(v, m), v); }

/// The elements of a window at one place among the channels, row by row: first, then next(so far, element).
template <class T, class At, class Next> static inline Vec<T> over_window(const T* x, Index row, Index c,
                                                                          Index rows, Index cols, At at,
                                                                          const Next& next) {
  Vec<T> so_far = at.load(x);
  for (Index q = 1; q < cols; ++q) so_far = next(so_far, at.load(x + q * c));
  for (Index r = 1; r < rows; ++r) {
    x += row;
    for (Index q = 0; q < cols; ++q) so_far = next(so_far, at.load(x + q * c));
  }
  return so_far;
}

template <class T>
void max_pool_pixels(const T* x, T* y, const Span& rows, const Span* cols, const Pool2dShape& shape) {
  using V = Vec<T>;
  const Index c = shape.c, row = shape.x_row(), height = rows.end - rows.begin;
  x += rows.begin * row;
  for (Index j = 0; j < shape.w.out; ++j, y += c) {
    const T* first = x + cols[j].begin * c;
    const Index width = cols[j].end - cols[j].begin;
    const auto next = [](V m, V v) { return larger(m, v); };
    if (height == 2 && width == 2)
      row_each<T>(c, [&](auto at) { at.store(y, over_window(first, row, c, 2, 2, at, next)); });
    else if (height == 3 && width == 3)
      row_each<T>(c, [&](auto at) { at.store(y, over_window(first, row, c, 3, 3, at, next)); });
    else
      row_each<T>(c, [&](auto at) { at.store(y, over_window(first, row, c, height, width, at, next)); });
  }
}
FASTNN_INSTANTIATE(max_pool_pixels)

/// One row of windows by way of one row of pixels, with `empty` in place of padding. join(a, b) takes in one
/// element, finish(j, v) makes pixel j's.
template <class T, class Join, class Finish>
static inline void pool_folded(const T* x, T* y, const Span& rows, const Pool2dShape& shape, T* scratch,
                               T empty, const Join& join, const Finish& finish) {
  using V = Vec<T>;
  const Index c = shape.c, row = shape.x_row(), before = shape.w.before * c;
  const Index starts =
      (shape.w.out - 1) * shape.w.step * c + c;  // from the first window's begin to the last's
  const Index all = starts + (shape.w.size - 1) * c;
  const Index inside = all - before < row ? all - before : row;
  x += rows.begin * row;
  fill(scratch, before, empty);
  T* folded = scratch + before;
  row_each<T>(inside, [&](auto at) {
    V m = at.load(x);
    for (Index r = 1; r < rows.end - rows.begin; ++r) m = join(m, at.load(x + r * row));
    at.store(folded, m);
  });
  fill(folded + inside, all - before - inside, empty);
  row_each<T>(starts, [&](auto at) {  // in place: what is read lies at or behind what is written
    V m = at.load(scratch);
    for (Index q = 1; q < shape.w.size; ++q) m = join(m, at.load(scratch + q * c));
    at.store(scratch, m);
  });
  const Index step = shape.w.step * c;
  if (c == 1) {
    for (Index j = 0; j < shape.w.out; ++j) y[j] = finish(j, scratch[j * step]);
  } else {
    for (Index j = 0; j < shape.w.out; ++j, y += c, scratch += step)
      row_each<T>(c, [&](auto at) { at.store(y, finish(j, at.load(scratch))); });
  }
}

template <class T>
void max_pool_folded(const T* x, T* y, const Span& rows, const Pool2dShape& shape, T* scratch) {
  using V = Vec<T>;
  pool_folded(
      x, y, rows, shape, scratch, T(-__builtin_inf()), [](V m, V v) { return larger(m, v); },
      [](Index, auto m) { return m; });
}
FASTNN_INSTANTIATE(max_pool_folded)

/// Gives dy to the largest element of one window and 0 to the others, for n vectors of channels.
template <int n, class T, class At>
static inline void give_to_largest(const T* x, T* dx, Index row, Index c, const Span& rows, const Span& kept,
                                   Index cols, const T* dy, bool streams, At at) {
  using V = Vec<T>;
  const V one = V::set(1), zero = V::set(0);
  auto found = find_largest<n>(x + rows.begin * row, row, c, rows.end - rows.begin, cols, at);
  for (int v = 0; v < n; ++v) found.m[v] = at.load(dy + v * V::lanes);
  V here = V::set(T((kept.begin - rows.begin) * cols));
  for (Index r = kept.begin; r < kept.end; ++r)
    for (Index q = 0; q < cols; ++q, here = here + one)
      for (int v = 0; v < n; ++v)
        put(streams, at, dx + r * row + q * c + v * V::lanes,
            select(found.place[v] == here, found.m[v], zero));
}

/// The same for all channels of a window.
template <class T> static inline void give_to_largest_of_window(const T* x, T* dx, Index row, Index c,
                                                                const Span& rows, const Span& kept,
                                                                Index cols, const T* dy, bool streams) {
  using V = Vec<T>;
  Index i = 0;
  for (; i + kLargestVectors * V::lanes <= c; i += kLargestVectors * V::lanes)
    give_to_largest<kLargestVectors>(x, dx, row, c, rows, kept, cols, dy, streams, Whole<V>{i});
  row_each<T>(c - i, [&](auto at) {
    give_to_largest<1>(x + i, dx + i, row, c, rows, kept, cols, dy + i, streams, at);
  });
}

/// How far ahead of what is stored to the two rows under windows of four are asked for.
constexpr Index kAskedBytes = 2048;

/// The same with a window of four, all of them kept.
template <bool streams, class T, class At>
static inline void give_to_largest_of_four(const T* x, T* dx, Index row, Index c, const T* given, At at) {
  using V = Vec<T>;
  const V a = at.load(x), b = at.load(x + c), d = at.load(x + row), e = at.load(x + row + c);
  const V m = max(max(a, b), max(d, e)), zero = V::set(0), dy = at.load(given);
  if (any((a != a) | (b != b) | (d != d) | (e != e))) {
    const Span two{0, 2};
    return give_to_largest<1>(x, dx, row, c, two, two, 2, given, streams, at);
  }
  const auto first = a == m, second = b == m, third = d == m;
  const auto give = [&](T* to, V value) {
    put_and_ask(streams, at, to, value, to + kAskedBytes / Index(sizeof(T)));
  };
  give(dx, select(first, dy, zero));
  give(dx + c, select(first, zero, select(second, dy, zero)));
  give(dx + row, select(first | second, zero, select(third, dy, zero)));
  give(dx + row + c, select(first | second | third, zero, dy));
}

/// Whether all windows of an axis hold two positions.
static inline bool in_twos(const Span* windows, Index count) {
  for (Index i = 0; i < count; ++i)
    if (windows[i].end - windows[i].begin != 2) return false;
  return true;
}

/// A row of windows of four.
template <bool streams, class T> static inline void max_pool_backward_fours(const T* x, const T* dy, T* dx,
                                                                            const Span* cols, Index out,
                                                                            Index c, Index row) {
  for (Index j = 0; j < out; ++j, dy += c) {
    const Index first = cols[j].begin * c;
    row_each<T>(c, [=](auto at) { give_to_largest_of_four<streams>(x + first, dx + first, row, c, dy, at); });
  }
}

template <class T> static inline void max_pool_backward(const T* x, const T* dy, T* dx, const Span& rows,
                                                        const Span& kept, const Span* cols, bool streams,
                                                        const Pool2dShape& shape) {
  const Index c = shape.c, row = shape.x_row(), out = shape.w.out, top = rows.begin * row;
  if (rows.end - rows.begin == 2 && kept == rows && in_twos(cols, out))
    return streams ? max_pool_backward_fours<true>(x + top, dy, dx + top, cols, out, c, row)
                   : max_pool_backward_fours<false>(x + top, dy, dx + top, cols, out, c, row);
  for (Index j = 0; j < out; ++j, dy += c) {
    const Index first = cols[j].begin * c, width = cols[j].end - cols[j].begin;
    give_to_largest_of_window(x + first, dx + first, row, c, rows, kept, width, dy, streams);
  }
}

template <class T> void max_pool_backward_band(const T* x, const T* dy, T* dx, const Span* rows,
                                               const Span* cols, const Band& band, const Pool2dShape& shape) {
  const Index row = shape.x_row();
  Index clean = band.rows.begin;  // rows of dx before it have their zeros or their values
  const auto clear_to = [&](Index end) {
    if (end > band.rows.end) end = band.rows.end;
    if (end > clean) fill(dx + clean * row, (end - clean) * row, T(0));
    if (end > clean) clean = end;
  };
  for (Index i = band.windows.begin; i < band.windows.end; ++i) {
    const Span kept{rows[i].begin > band.rows.begin ? rows[i].begin : band.rows.begin,
                    rows[i].end < band.rows.end ? rows[i].end : band.rows.end};
    clear_to(band.clears ? kept.end : kept.begin);
    if (kept.end > clean) clean = kept.end;
    max_pool_backward(x, dy + i * shape.y_row(), dx, rows[i], kept, cols, band.streams, shape);
  }
  clear_to(band.rows.end);
  if (band.streams) stream_end();
}
FASTNN_INSTANTIATE(max_pool_backward_band)

/// Sum of a window's elements: each row by itself, then the rows.
template <class T, class At>
static inline Vec<T> window_sum(const T* x, Index row, Index c, Index rows, Index cols, At at) {
  Vec<T> total = Vec<T>::set(0);
  for (Index r = 0; r < rows; ++r, x += row) {
    Vec<T> line = at.load(x);
    for (Index q = 1; q < cols; ++q) line = line + at.load(x + q * c);
    total = r == 0 ? line : total + line;
  }
  return total;
}

template <class T> void avg_pool_pixels(const T* x, T* y, const Span& rows, const Span* cols, const T* scale,
                                        T row_scale, const Pool2dShape& shape) {
  using V = Vec<T>;
  const Index c = shape.c, row = shape.x_row(), height = rows.end - rows.begin;
  x += rows.begin * row;
  for (Index j = 0; j < shape.w.out; ++j, y += c) {
    const T* first = x + cols[j].begin * c;
    const Index width = cols[j].end - cols[j].begin;
    const V s = V::set(row_scale * scale[j]);
    if (height == 2 && width == 2)
      row_each<T>(c, [&](auto at) { at.store(y, s * window_sum(first, row, c, 2, 2, at)); });
    else if (height == 3 && width == 3)
      row_each<T>(c, [&](auto at) { at.store(y, s * window_sum(first, row, c, 3, 3, at)); });
    else
      row_each<T>(c, [&](auto at) { at.store(y, s * window_sum(first, row, c, height, width, at)); });
  }
}
FASTNN_INSTANTIATE(avg_pool_pixels)

template <class T> void avg_pool_folded(const T* x, T* y, const Span& rows, const T* scale, T row_scale,
                                        const Pool2dShape& shape, T* scratch) {
  using V = Vec<T>;
  struct Scale {
    const T* scale;
    T row_scale;
    T operator()(Index j, T v) const { return v * (row_scale * scale[j]); }
    V operator()(Index j, V v) const { return v * V::set(row_scale * scale[j]); }
  };
  pool_folded(
      x, y, rows, shape, scratch, T(0), [](V m, V v) { return m + v; }, Scale{scale, row_scale});
}
FASTNN_INSTANTIATE(avg_pool_folded)

template <class T> void avg_pool_backward_row(const T* dy, T* dx, const Span& rows, const Span* cols,
                                              const T* row_scale, const T* scale, const Pool2dShape& shape,
                                              bool streams) {
  using V = Vec<T>;
  const Index c = shape.c, row = shape.y_row();
  for (Index j = 0; j < shape.w.in; ++j, dx += c) {
    const Span over = cols[j];
    row_each<T>(c, [&](auto at) {
      V total = V::set(0);
      for (Index r = rows.begin; r < rows.end; ++r)
        for (Index q = over.begin; q < over.end; ++q)
          total = fma(at.load(dy + r * row + q * c), V::set(row_scale[r] * scale[q]), total);
      put(streams, at, dx, total);
    });
  }
  if (streams) stream_end();
}
FASTNN_INSTANTIATE(avg_pool_backward_row)

template <bool streams, class T> static inline void give_to_fours(const T* dy, T* dx, const T* scale,
                                                                  T row_scale, Index out, Index c,
                                                                  Index row) {
  using V = Vec<T>;
  for (Index j = 0; j < out; ++j, dy += c, dx += 2 * c)
    row_each<T>(c, [=, s = V::set(row_scale * scale[j])](auto at) {
      const V v = at.load(dy) * s;
      put(streams, at, dx, v);
      put(streams, at, dx + c, v);
      put(streams, at, dx + row, v);
      put(streams, at, dx + row + c, v);
    });
}

/// The two rows of dx under a row of windows of 2 x 2 side by side.
template <class T> void avg_pool_backward_fours(const T* dy, T* dx, const T* scale, T row_scale,
                                                const Pool2dShape& shape, bool streams) {
  const Index out = shape.w.out, c = shape.c, row = shape.x_row();
  if (streams) {
    give_to_fours<true>(dy, dx, scale, row_scale, out, c, row);
    stream_end();
  } else {
    give_to_fours<false>(dy, dx, scale, row_scale, out, c, row);
  }
}
FASTNN_INSTANTIATE(avg_pool_backward_fours)

/// The rows of windows are made one row of gradients, which is spread to where windows begin; from there,
/// every pixel takes in those of windows that began up to size - 1 pixels before. scale: of each element of a
/// row. scratch: zeros at first, and then what the last call left there.
template <class T> void avg_pool_backward_folded(const T* dy, T* dx, const Span& rows, const T* row_scale,
                                                 const T* scale, const Pool2dShape& shape, T* scratch) {
  using V = Vec<T>;
  const Index c = shape.c, row = shape.y_row(), reach = (shape.w.size - 1) * c;
  const Index begin = reach + shape.w.before * c;  // of pixel 0 in scratch
  T* const sums = scratch + begin + shape.x_row();
  row_each<T>(row, [&](auto at) {
    V total = V::set(0);
    for (Index r = rows.begin; r < rows.end; ++r)
      total = fma(at.load(dy + r * row), V::set(row_scale[r]), total);
    at.store(sums, total * at.load(scale));
  });
  spread(sums, scratch + reach, shape.w.out, c, shape.w.step);
  const T* from = scratch + begin;
  row_each<T>(shape.x_row(), [&](auto at) {
    V total = at.load(from);
    for (Index q = 1; q < shape.w.size; ++q) total = total + at.load(from - q * c);
    at.store(dx, total);
  });
}
FASTNN_INSTANTIATE(avg_pool_backward_folded)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"
#include "streaming.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

namespace {

void check_windows(const char* op, const Windows& w) {
  check(op, w.in >= 0 && w.out >= 0 && w.step >= 1 && w.size >= 1 && w.divisor >= 1 && w.before >= 0,
        "expected sizes >= 0 and windows of at least 1, got ", w.in, " -> ", w.out, ", size ", w.size,
        ", step ", w.step);
  for (Index i : {Index(0), w.out - 1})
    check(op, w.out == 0 || w.begin(i) < w.end(i), "expected no window in padding alone, got window ", i,
          " of size ", w.size, " over ", w.in, " elements");
}

/// The windows of one axis, and what follows from them.
template <class T> class Axis {
 public:
  Axis(const char* op, const Windows& windows)
      : windows_(windows), spans_((check_windows(op, windows), std::size_t(windows.out))) {
    for (Index i = 0; i < windows.out; ++i) spans_.data()[i] = {windows.begin(i), windows.end(i)};
  }

  const Span* spans() const { return spans_.data(); }
  const Span& operator[](Index i) const { return spans_.data()[i]; }

  /// True if two windows share a position.
  bool overlaps() const {
    for (Index i = 1; i < windows_.out; ++i)
      if (spans_.data()[i].begin < spans_.data()[i - 1].end) return true;
    return false;
  }

  /// True if every position lies in a window.
  bool covers() const {
    Index end = 0;
    for (Index i = 0; i < windows_.out && spans_.data()[i].begin <= end; ++i) end = spans_.data()[i].end;
    return end == windows_.in;
  }

  /// The windows that reach into `positions`.
  Span over(const Span& positions) const {
    Span found{0, windows_.out};
    while (found.begin < found.end && spans_.data()[found.begin].end <= positions.begin) ++found.begin;
    while (found.begin < found.end && spans_.data()[found.end - 1].begin >= positions.end) --found.end;
    return found;
  }

  /// scale[i] = 1 / elements of window i.
  void scales(PoolDivisor divisor, T* scale) const {
    for (Index i = 0; i < windows_.out; ++i)
      scale[i] = divisor == PoolDivisor::none     ? T(1)
                 : divisor == PoolDivisor::window ? T(1) / T(windows_.size)
                                                  : T(1) / T((*this)[i].end - (*this)[i].begin);
  }

  /// over[p]: the windows that cover position p.
  void covering(Span* over) const {
    Span now{0, 0};
    for (Index p = 0; p < windows_.in; ++p) {
      while (now.end < windows_.out && spans_.data()[now.end].begin <= p) ++now.end;
      while (now.begin < now.end && spans_.data()[now.begin].end <= p) ++now.begin;
      over[p] = now;
    }
  }

 private:
  Windows windows_;
  Workspace<Span> spans_;
};

/// True if so few channels leave most of a vector empty, and the windows are all alike.
template <class T> bool folds(const Pool2dShape& shape) {
  return shape.c * Index(sizeof(T)) <= 32 && shape.w.divisor == 1;
}

/// Whether windows of two lie side by side and cover the axis.
bool side_by_side(const Windows& w) {
  return w.divisor == 1 && w.size == 2 && w.step == 2 && w.before == 0 && w.in == 2 * w.out;
}

/// Whether one window holds the whole axis.
bool whole(const Windows& w) { return w.out == 1 && w.begin(0) == 0 && w.end(0) == w.in; }

/// Elements of the row that pool_folded works on.
std::size_t folded_size(const Pool2dShape& shape) {
  return std::size_t(((shape.w.out - 1) * shape.w.step + shape.w.size + shape.w.before) * shape.c);
}

}  // namespace

template <class T> void max_pool2d(const T* x, T* y, Pool2dShape shape) {
  const Axis<T> rows("max_pool2d", shape.h), cols("max_pool2d", shape.w);
  if (whole(shape.h) && whole(shape.w) && !folds<T>(shape))
    return global_max_pool<T>(x, y, nullptr, shape.n, shape.h.in * shape.w.in, shape.c);
  const Index x_image = shape.h.in * shape.x_row();
  parallel_ranges(shape.n * shape.h.out, shape.y_row() + x_image / std::max<Index>(1, shape.h.out),
                  [&](Index begin, Index end) {
                    const bool folded = folds<T>(shape);
                    const Workspace<T> scratch(folded ? folded_size(shape) : 0);
                    const auto fold = FASTNN_SELECT(max_pool_folded<T>);
                    const auto pixels = FASTNN_SELECT(max_pool_pixels<T>);
                    for (Index i = begin; i < end; ++i) {
                      const T* image = x + i / shape.h.out * x_image;
                      const Span& window = rows[i % shape.h.out];
                      T* to = y + i * shape.y_row();
                      if (folded)
                        fold(image, to, window, shape, scratch.data());
                      else
                        pixels(image, to, window, cols.spans(), shape);
                    }
                  });
}
FASTNN_INSTANTIATE(max_pool2d)

namespace {

/// Calls fn(image, rows) for bands of rows of dx, in parallel: for whole images, or, if there are few, for
/// rows of several windows each, as those at the seam are looked at twice.
template <typename Fn> void each_band(const Pool2dShape& shape, const Fn& fn) {
  const Index h = shape.h.in;
  const Index windows = (4 * shape.h.size / shape.h.divisor + shape.h.step - 1) / shape.h.step;
  const Index step = shape.n >= 16 ? h : std::min(h, std::max<Index>(1, windows) * shape.h.step);
  parallel_ranges(
      shape.n * h, shape.x_row(),
      [&](Index begin, Index end) {
        for (Index stop; begin < end; begin = stop) {
          const Index image = begin / h;
          stop = std::min(end, (image + 1) * h);
          fn(image, Span{begin - image * h, stop - image * h});
        }
      },
      std::max<Index>(1, step));
}

/// The most elements of a window: 7 / 4 long, from 7 / 4 to 14 / 4, it has three, 1 to 3.
Index longest(const Windows& w) { return w.size / w.divisor + (w.divisor > 1 ? 2 : 0); }

/// Columns of padding in a window that begins at each element of the padded row.
template <class T> void padding_in_front(const Pool2dShape& shape, Index starts, T* first) {
  for (Index i = 0; i < starts; ++i) first[i] = T(std::max<Index>(0, shape.w.before - i / shape.c));
}

/// The gradient where windows overlap, or channels are few.
template <class T> void gather(const T* x, const T* dy, T* dx, const Axis<T>& rows, const Axis<T>& cols,
                               const Pool2dShape& shape) {
  const Workspace<Span> over_rows(std::size_t(shape.h.in)), over_cols(std::size_t(shape.w.in));
  rows.covering(over_rows.data());
  cols.covering(over_cols.data());
  WindowMap map{rows.spans(), cols.spans(), over_rows.data(), over_cols.data(), 1, 1, 0};
  map.streams = streams(dx, shape.n * shape.h.in * shape.x_row(), shape.c);
  map.side = longest(shape.w);
  for (Index i = 0; i < shape.h.in; ++i)
    map.depth = std::max(map.depth, over_rows.data()[i].end - over_rows.data()[i].begin);
  for (Index i = 0; i < shape.w.in; ++i)
    map.breadth = std::max(map.breadth, over_cols.data()[i].end - over_cols.data()[i].begin);
  const bool folded = folds<T>(shape);
  const FoldedRow f(shape);
  const Workspace<T> first(std::size_t(folded ? f.starts : 0));
  if (folded) padding_in_front(shape, f.starts, first.data());
  const Index x_image = shape.h.in * shape.x_row(), y_image = shape.h.out * shape.y_row();
  const Index scratch = folded ? f.scratch(map.depth) : map.depth * shape.y_row();
  each_band(shape, [&](Index image, const Span& band) {
    const Workspace<T> memory{std::size_t(scratch)};
    const Workspace<OverRow<T>> over{std::size_t(map.depth)};
    const T *const own_x = x + image * x_image, *const own_dy = dy + image * y_image;
    T* const to = dx + image * x_image;
    if (folded) {
      const auto kernel = FASTNN_SELECT(max_pool_gather_folded<T>);
      kernel(own_x, own_dy, to, band, map, shape, first.data(), memory.data(), over.data());
    } else {
      const auto kernel = FASTNN_SELECT(max_pool_gather<T>);
      kernel(own_x, own_dy, to, band, map, shape, memory.data(), over.data());
    }
  });
}

}  // namespace

template <class T> void max_pool2d_backward(const T* x, const T* dy, T* dx, Pool2dShape shape) {
  constexpr const char* op = "max_pool2d_backward";
  const Axis<T> rows(op, shape.h), cols(op, shape.w);
  check(op, longest(shape.h) <= kMostPlaces / longest(shape.w), "expected windows of at most ", kMostPlaces,
        " elements, got ", shape.h.size, " x ", shape.w.size);
  // Where windows do not overlap, a pixel at a time is as fast from 3 channels on.
  const bool narrow = folds<T>(shape) && shape.c * Index(sizeof(T)) <= 8;
  if (narrow || rows.overlaps() || cols.overlaps()) return gather(x, dy, dx, rows, cols, shape);
  const Index x_image = shape.h.in * shape.x_row(), y_image = shape.h.out * shape.y_row();
  const bool clears = !cols.covers(), streamed = streams(dx, shape.n * x_image, shape.c);
  const auto kernel = FASTNN_SELECT(max_pool_backward_band<T>);
  each_band(shape, [&](Index image, const Span& band) {
    kernel(x + image * x_image, dy + image * y_image, dx + image * x_image, rows.spans(), cols.spans(),
           Band{band, rows.over(band), clears, streamed}, shape);
  });
}
FASTNN_INSTANTIATE(max_pool2d_backward)

template <class T> void avg_pool2d(const T* x, T* y, Pool2dShape shape, PoolDivisor divisor) {
  const Axis<T> rows("avg_pool2d", shape.h), cols("avg_pool2d", shape.w);
  const Workspace<T> row_scales(std::size_t(shape.h.out)), scales(std::size_t(shape.w.out));
  rows.scales(divisor, row_scales.data());
  cols.scales(divisor, scales.data());
  const Index x_image = shape.h.in * shape.x_row();
  parallel_ranges(shape.n * shape.h.out, shape.y_row() + x_image / std::max<Index>(1, shape.h.out),
                  [&](Index begin, Index end) {
                    const bool folded = folds<T>(shape);
                    const Workspace<T> scratch(folded ? folded_size(shape) : 0);
                    const auto fold = FASTNN_SELECT(avg_pool_folded<T>);
                    const auto pixels = FASTNN_SELECT(avg_pool_pixels<T>);
                    for (Index i = begin; i < end; ++i) {
                      const T* image = x + i / shape.h.out * x_image;
                      const Index row = i % shape.h.out;
                      T *to = y + i * shape.y_row(), scale = row_scales.data()[row];
                      if (folded)
                        fold(image, to, rows[row], scales.data(), scale, shape, scratch.data());
                      else
                        pixels(image, to, rows[row], cols.spans(), scales.data(), scale, shape);
                    }
                  });
}
FASTNN_INSTANTIATE(avg_pool2d)

template <class T> void avg_pool2d_backward(const T* dy, T* dx, Pool2dShape shape, PoolDivisor divisor) {
  const Axis<T> rows("avg_pool2d_backward", shape.h), cols("avg_pool2d_backward", shape.w);
  const Workspace<T> row_scales(std::size_t(shape.h.out)), scales(std::size_t(shape.w.out));
  rows.scales(divisor, row_scales.data());
  cols.scales(divisor, scales.data());
  const Workspace<Span> over_rows(std::size_t(shape.h.in)), over_cols(std::size_t(shape.w.in));
  rows.covering(over_rows.data());
  cols.covering(over_cols.data());
  const Index h = shape.h.in, y_image = shape.h.out * shape.y_row(), x_row = shape.x_row();
  const bool folded = folds<T>(shape);
  const Workspace<T> element_scales(std::size_t(folded ? shape.y_row() : 0));
  for (Index i = 0; folded && i < shape.y_row(); ++i) element_scales.data()[i] = scales.data()[i / shape.c];
  const bool streamed = !folded && streams(dx, shape.n * h * x_row, shape.c);
  const bool fours = !folded && side_by_side(shape.h) && side_by_side(shape.w);
  const std::size_t scratch_size = folded ? folded_size(shape) + std::size_t(x_row + shape.y_row()) : 0;
  const auto rows_of_dx = [&](Index begin, Index end) {
    const Workspace<T> scratch(scratch_size);
    std::fill_n(scratch.data(), scratch_size, T(0));
    const auto fold = FASTNN_SELECT(avg_pool_backward_folded<T>);
    const auto pixels = FASTNN_SELECT(avg_pool_backward_row<T>);
    const auto two_rows = FASTNN_SELECT(avg_pool_backward_fours<T>);
    for (Index i = begin; fours && i < end; i += 2)
      two_rows(dy + i / 2 * shape.y_row(), dx + i * x_row, scales.data(), row_scales.data()[i % h / 2], shape,
               streamed);
    for (Index i = begin; !fours && i < end; ++i) {
      const T* image = dy + i / h * y_image;
      const Span over = over_rows.data()[i % h];
      T* to = dx + i * x_row;
      if (!streamed && i > begin && i % h > 0 && over == over_rows.data()[i % h - 1])
        std::copy(to - x_row, to, to);
      else if (folded)
        fold(image, to, over, row_scales.data(), element_scales.data(), shape, scratch.data());
      else
        pixels(image, to, over, over_cols.data(), row_scales.data(), scales.data(), shape, streamed);
    }
  };
  parallel_ranges(shape.n * h, x_row, rows_of_dx, fours ? 2 : 1);
}
FASTNN_INSTANTIATE(avg_pool2d_backward)

}  // namespace fastnn::cpu
#endif
