#include "fastnn/reduce.hpp"

#include "blocks.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, sum_rows, (const T* x, T* y, Index rows, Index cols, T divisor))
FASTNN_DECLARE(double, sum_span, (const T* x, Index n))
FASTNN_DECLARE(void, sum_columns, (const T* x, T* y, Index n, Index inner, Index cols, T divisor))
FASTNN_DECLARE(void, sum_columns_part, (const T* x, double* y, Index n, Index inner, Index cols))
FASTNN_DECLARE(void, sum_parts, (const double* parts, T* y, Index count, Index inner, T divisor))
FASTNN_DECLARE(void, sum_backward_block, (const T* dy, T* dx, const Block<2>& block, T divisor))
FASTNN_DECLARE(void, extreme_rows, (Extreme which, const T* x, T* y, Index rows, Index cols))
FASTNN_DECLARE(void, extreme_columns, (Extreme which, const T* x, T* y, Index n, Index inner, Index cols))
FASTNN_DECLARE(void, extreme_backward_rows,
               (const T* x, const T* y, const T* dy, T* dx, Index rows, Index cols))
FASTNN_DECLARE(void, extreme_backward_columns,
               (const T* x, const T* y, const T* dy, T* dx, Index n, Index inner, Index cols))
FASTNN_DECLARE(void, arg_extreme_rows, (Extreme which, const T* x, std::int64_t* y, Index rows, Index cols))
FASTNN_DECLARE(void, arg_extreme_columns,
               (Extreme which, const T* x, std::int64_t* y, Index n, Index inner, Index cols))
FASTNN_DECLARE(Index, correct_rows, (const T* scores, const std::int64_t* labels, Index rows, Index cols))

/// Additions in T one after the other before a sum goes to double: in float, 32 equal ones are good to some 3
/// ulp, 128 to 9. Rows have 4 sums per lane, columns 2 or more.
constexpr Index kChain = 32;
constexpr Index kColumnBlock = 2 * kChain;
/// Columns whose running values a kernel keeps on its stack.
constexpr Index kStrip = 64;

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

// Four accumulators: an addition takes four cycles, and two start in each.
template <class T> static inline T sum_block(const T* x, Index n) {
  using V = Vec<T>;
  constexpr Index kStep = V::lanes;
  V a = V::set(0), b = a, c = a, d = a;
  Index i = 0;
  for (; i + 4 * kStep <= n; i += 4 * kStep) {
    a = a + V::load(x + i);
    b = b + V::load(x + i + kStep);
    c = c + V::load(x + i + 2 * kStep);
    d = d + V::load(x + i + 3 * kStep);
  }
  for (; i + kStep <= n; i += kStep) a = a + V::load(x + i);
  if (i < n) b = b + V::load_n(x + i, int(n - i));
  return sum((a + b) + (c + d));
}

template <class T> double sum_span(const T* x, Index n) {
  constexpr Index kBlock = 4 * kChain * Vec<T>::lanes;
  double total = 0;
  for (Index i = 0; i < n; i += kBlock) total += double(sum_block(x + i, n - i < kBlock ? n - i : kBlock));
  return total;
}
FASTNN_INSTANTIATE(sum_span)

template <class T> void sum_rows(const T* x, T* y, Index rows, Index cols, T divisor) {
  for (Index r = 0; r < rows; ++r) y[r] = T(sum_span(x + r * cols, cols) / double(divisor));
}
FASTNN_INSTANTIATE(sum_rows)

// total[j] = sum over n rows of x[., j], for kVectors vectors of columns, the last of which `at` may cut
// short. kRows rows at a time, so that there are enough independent sums however few the columns.
template <class T, int kVectors, int kRows, class At>
static inline void sum_strip(const T* x, Index n, Index inner, At at, double* total) {
  using V = Vec<T>;
  constexpr Index kStep = V::lanes;
  for (int j = 0; j < kVectors * kStep; ++j) total[j] = 0;
  for (Index first = 0; first < n; first += kColumnBlock) {
    const Index rows = n - first < kColumnBlock ? n - first : kColumnBlock;
    V sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) sums[r][v] = V::set(0);
    const T* row = x + first * inner;
    Index i = 0;
    for (; i + kRows <= rows; i += kRows, row += kRows * inner)
      for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v) sums[r][v] = sums[r][v] + at.load(row + r * inner + v * kStep);
    for (; i < rows; ++i, row += inner)
      for (int v = 0; v < kVectors; ++v) sums[0][v] = sums[0][v] + at.load(row + v * kStep);
    T lane[kVectors * kStep];
    for (int v = 0; v < kVectors; ++v) {
      for (int r = 1; r < kRows; ++r) sums[0][v] = sums[0][v] + sums[r][v];
      sums[0][v].store(lane + v * kStep);
    }
    for (int j = 0; j < kVectors * kStep; ++j) total[j] += double(lane[j]);
  }
}

// Calls store(first column, totals, number of columns) for strips that cover the columns.
template <class T, class Store>
static inline void sum_strips(const T* x, Index n, Index inner, Index cols, const Store& store) {
  using V = Vec<T>;
  constexpr Index kStep = V::lanes;
  double total[4 * kStep];
  Index j = 0;
  for (; j + 4 * kStep <= cols; j += 4 * kStep) {
    sum_strip<T, 4, 2>(x + j, n, inner, Whole<V>{0}, total);
    store(j, total, 4 * kStep);
  }
  for (; j + kStep <= cols; j += kStep) {
    sum_strip<T, 1, 8>(x + j, n, inner, Whole<V>{0}, total);
    store(j, total, kStep);
  }
  if (j < cols) {
    sum_strip<T, 1, 8>(x + j, n, inner, Tail<V>{0, int(cols - j)}, total);
    store(j, total, cols - j);
  }
}

template <class T> void sum_columns(const T* x, T* y, Index n, Index inner, Index cols, T divisor) {
  sum_strips(x, n, inner, cols, [=](Index first, const double* total, Index width) {
    for (Index j = 0; j < width; ++j) y[first + j] = T(total[j] / double(divisor));
  });
}
FASTNN_INSTANTIATE(sum_columns)

template <class T> void sum_columns_part(const T* x, double* y, Index n, Index inner, Index cols) {
  sum_strips(x, n, inner, cols, [=](Index first, const double* total, Index width) {
    for (Index j = 0; j < width; ++j) y[first + j] = total[j];
  });
}
FASTNN_INSTANTIATE(sum_columns_part)

template <class T> void sum_parts(const double* parts, T* y, Index count, Index inner, T divisor) {
  for (Index first = 0; first < inner; first += kStrip) {
    const Index width = inner - first < kStrip ? inner - first : kStrip;
    double total[kStrip] = {};
    for (Index i = 0; i < count; ++i)
      for (Index j = 0; j < width; ++j) total[j] += parts[i * inner + first + j];
    for (Index j = 0; j < width; ++j) y[first + j] = T(total[j] / double(divisor));
  }
}
FASTNN_INSTANTIATE(sum_parts)

template <class T> void sum_backward_block(const T* dy, T* dx, const Block<2>& block, T divisor) {
  using V = Vec<T>;
  dy += block.offset[0];
  dx += block.offset[1];
  const V d = V::set(divisor);
  const T* const first = dx;
  for (Index r = 0; r < block.rows; ++r, dy += block.row_stride[0], dx += block.row_stride[1]) {
    if (block.col_stride[0] == 0) {
      const V v = V::set(*dy) / d;
      row_each<T>(block.cols, [&](auto at) { at.store(dx, v); });
    } else if (r > 0 && block.row_stride[0] == 0) {  // the same quotients: dividing takes longer than storing
      row_each<T>(block.cols, [&](auto at) { at.store(dx, at.load(first)); });
    } else {
      row_each<T>(block.cols, [&](auto at) { at.store(dx, at.load(dy) / d); });
    }
  }
}
FASTNN_INSTANTIATE(sum_backward_block)

struct Largest {
  template <class T> static constexpr T start() { return T(-__builtin_inf()); }
  template <class T> static bool better(T x, T than) { return x > than; }
  template <class V> static V pick(V x, V m) { return max(x, m); }
};
struct Smallest {
  template <class T> static constexpr T start() { return T(__builtin_inf()); }
  template <class T> static bool better(T x, T than) { return x < than; }
  template <class V> static V pick(V x, V m) { return min(x, m); }
};

// NaN once there is a NaN: max(x, m) keeps an m that is NaN, select() takes an x that is.
template <class What, class V> static inline V better_of(V x, V m) {
  return select(x != x, x, What::template pick<V>(x, m));
}

template <class What, class T> static inline T better_of_one(T x, T m) {
  return x != x || What::better(x, m) ? (m != m ? m : x) : m;
}

template <class What, class T> static inline T row_extreme(const T* x, Index n) {
  using V = Vec<T>;
  constexpr Index kStep = V::lanes;
  const T start = What::template start<T>();
  V a = V::set(start), b = a, c = a, d = a;
  Index i = 0;
  for (; i + 4 * kStep <= n; i += 4 * kStep) {
    a = better_of<What>(V::load(x + i), a);
    b = better_of<What>(V::load(x + i + kStep), b);
    c = better_of<What>(V::load(x + i + 2 * kStep), c);
    d = better_of<What>(V::load(x + i + 3 * kStep), d);
  }
  for (; i + kStep <= n; i += kStep) a = better_of<What>(V::load(x + i), a);
  if (i < n) b = better_of<What>(V::load_n(x + i, int(n - i), start), b);
  T lane[kStep];
  better_of<What>(better_of<What>(a, b), better_of<What>(c, d)).store(lane);
  T m = lane[0];
  for (int l = 1; l < kStep; ++l) m = better_of_one<What>(lane[l], m);
  return m;
}

template <class T> void extreme_rows(Extreme which, const T* x, T* y, Index rows, Index cols) {
  for (Index r = 0; r < rows; ++r, x += cols)
    y[r] = which == Extreme::max ? row_extreme<Largest>(x, cols) : row_extreme<Smallest>(x, cols);
}
FASTNN_INSTANTIATE(extreme_rows)

template <class What, class T, int kVectors, class At>
static inline void extreme_strip(const T* x, T* y, Index n, Index inner, At at) {
  using V = Vec<T>;
  V m[kVectors];
  for (int v = 0; v < kVectors; ++v) m[v] = V::set(What::template start<T>());
  for (Index i = 0; i < n; ++i, x += inner)
    for (int v = 0; v < kVectors; ++v) m[v] = better_of<What>(at.load(x + v * V::lanes), m[v]);
  for (int v = 0; v < kVectors; ++v) at.store(y + v * V::lanes, m[v]);
}

template <class What, class T>
static inline void extreme_strips(const T* x, T* y, Index n, Index inner, Index cols) {
  using V = Vec<T>;
  constexpr Index kStep = V::lanes;
  Index j = 0;
  for (; j + 4 * kStep <= cols; j += 4 * kStep)
    extreme_strip<What, T, 4>(x + j, y + j, n, inner, Whole<V>{0});
  for (; j + kStep <= cols; j += kStep) extreme_strip<What, T, 1>(x + j, y + j, n, inner, Whole<V>{0});
  if (j < cols) extreme_strip<What, T, 1>(x + j, y + j, n, inner, Tail<V>{0, int(cols - j)});
}

template <class T> void extreme_columns(Extreme which, const T* x, T* y, Index n, Index inner, Index cols) {
  which == Extreme::max ? extreme_strips<Largest>(x, y, n, inner, cols)
                        : extreme_strips<Smallest>(x, y, n, inner, cols);
}
FASTNN_INSTANTIATE(extreme_columns)

template <class T>
void extreme_backward_rows(const T* x, const T* y, const T* dy, T* dx, Index rows, Index cols) {
  using V = Vec<T>;
  const V zero = V::set(0), one = V::set(1);
  for (Index r = 0; r < rows; ++r, x += cols, dx += cols) {
    const V m = V::set(y[r]);
    const auto same = [&](V v) { return (v == m) | (v != v); };
    const T ties = row_sum<T>(cols, [&](auto at) { return select(same(at.load(x)), one, zero); });
    const V share = V::set(dy[r] / ties);
    row_each<T>(cols, [&](auto at) { at.store(dx, select(same(at.load(x)), share, zero)); });
  }
}
FASTNN_INSTANTIATE(extreme_backward_rows)

template <class T>
void extreme_backward_columns(const T* x, const T* y, const T* dy, T* dx, Index n, Index inner, Index cols) {
  for (Index first = 0; first < cols; first += kStrip) {
    const Index width = cols - first < kStrip ? cols - first : kStrip;
    T share[kStrip] = {};
    const auto same = [&](Index i, Index j) {
      const T v = x[i * inner + first + j];
      return v == y[first + j] || v != v;
    };
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < width; ++j) share[j] += same(i, j) ? T(1) : T(0);
    for (Index j = 0; j < width; ++j) share[j] = dy[first + j] / share[j];
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < width; ++j) dx[i * inner + first + j] = same(i, j) ? share[j] : T(0);
  }
}
FASTNN_INSTANTIATE(extreme_backward_columns)

// The first position of the row's extreme: a pass that finds the value, and one that finds where, which stops
// there.
template <class What, class T> static inline Index arg_of_row(const T* x, Index n) {
  using V = Vec<T>;
  const V m = V::set(row_extreme<What>(x, n));
  for (Index i = 0; i < n; i += V::lanes) {
    const int count = int(n - i < V::lanes ? n - i : V::lanes);
    const V v = V::load_n(x + i, count);
    const unsigned found = bits((v == m) | (v != v)) & ((1u << count) - 1);
    if (found) return i + __builtin_ctz(found);
  }
  return 0;
}

template <class T> void arg_extreme_rows(Extreme which, const T* x, std::int64_t* y, Index rows, Index cols) {
  for (Index r = 0; r < rows; ++r, x += cols)
    y[r] = which == Extreme::max ? arg_of_row<Largest>(x, cols) : arg_of_row<Smallest>(x, cols);
}
FASTNN_INSTANTIATE(arg_extreme_rows)

template <class What, class T>
static inline void arg_of_columns(const T* x, std::int64_t* y, Index n, Index inner, Index width) {
  T best[kStrip];
  for (Index j = 0; j < width; ++j) {
    best[j] = x[j];
    y[j] = 0;
  }
  for (Index i = 1; i < n; ++i) {
    for (Index j = 0; j < width; ++j) {
      const T v = x[i * inner + j];
      const bool take = What::better(v, best[j]) || (v != v && best[j] == best[j]);
      best[j] = take ? v : best[j];
      y[j] = take ? i : y[j];
    }
  }
}

template <class T>
void arg_extreme_columns(Extreme which, const T* x, std::int64_t* y, Index n, Index inner, Index cols) {
  for (Index first = 0; first < cols; first += kStrip) {
    const Index width = cols - first < kStrip ? cols - first : kStrip;
    which == Extreme::max ? arg_of_columns<Largest>(x + first, y + first, n, inner, width)
                          : arg_of_columns<Smallest>(x + first, y + first, n, inner, width);
  }
}
FASTNN_INSTANTIATE(arg_extreme_columns)

template <class T> Index correct_rows(const T* scores, const std::int64_t* labels, Index rows, Index cols) {
  Index count = 0;
  for (Index r = 0; r < rows; ++r, scores += cols) count += arg_of_row<Largest>(scores, cols) == labels[r];
  return count;
}
FASTNN_INSTANTIATE(correct_rows)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {
namespace {

void check_sizes(const char* op, Index outer, Index n, Index inner) {
  check(op, outer >= 0 && n >= 0 && inner >= 0, "expected outer, n, inner >= 0, got (", outer, ", ", n, ", ",
        inner, ")");
}

void check_not_empty(const char* op, Index outer, Index n, Index inner) {
  check_sizes(op, outer, n, inner);
  check(op, n > 0 || outer * inner == 0, "expected at least 1 element to reduce, got 0");
}

/// How the reduced axis is cut into chunks, each with a partial result: about a grain of elements in each,
/// and whole blocks of rows.
struct Chunks {
  Index length, count;

  Chunks(Index n, Index inner)
      : length(std::max<Index>(1, kGrain / std::max<Index>(1, inner) / kColumnBlock) * kColumnBlock),
        count(std::max<Index>(1, (n + length - 1) / length)) {}
  Index size(Index chunk, Index n) const { return std::min(length, n - chunk * length); }
};

/// Columns a task works on: whole cache lines, and few enough that a wide array is shared out.
constexpr Index kTaskColumns = 512;

/// Calls fn(o, first column, columns) for blocks that cover (outer, inner), each column of which costs n
/// elements.
template <typename Fn> void parallel_columns(Index outer, Index n, Index inner, const Fn& fn) {
  const Index strips = (inner + kTaskColumns - 1) / kTaskColumns;
  parallel_ranges(outer * strips, n * std::min(inner, kTaskColumns), [&](Index begin, Index end) {
    for (Index t = begin; t < end; ++t) {
      const Index first = t % strips * kTaskColumns;
      fn(t / strips, first, std::min(kTaskColumns, inner - first));
    }
  });
}

template <class T>
void sum_chunked_rows(const T* x, T* y, Index outer, Index n, const Chunks& chunks, T divisor) {
  const Workspace<double> parts(std::size_t(outer * chunks.count));
  const auto kernel = FASTNN_SELECT(sum_span<T>);
  parallel_tasks(outer * chunks.count, [&](Index t) {
    const Index o = t / chunks.count, c = t % chunks.count;
    parts.data()[t] = kernel(x + o * n + c * chunks.length, chunks.size(c, n));
  });
  const auto add = FASTNN_SELECT(sum_parts<T>);
  for (Index o = 0; o < outer; ++o) add(parts.data() + o * chunks.count, y + o, chunks.count, 1, divisor);
}

template <class T> void sum_chunked_columns(const T* x, T* y, Index outer, Index n, Index inner,
                                            const Chunks& chunks, T divisor) {
  const Workspace<double> parts(std::size_t(outer * chunks.count * inner));
  const auto kernel = FASTNN_SELECT(sum_columns_part<T>);
  parallel_columns(outer * chunks.count, chunks.length, inner, [&](Index t, Index first, Index cols) {
    const Index o = t / chunks.count, c = t % chunks.count;
    kernel(x + (o * n + c * chunks.length) * inner + first, parts.data() + t * inner + first,
           chunks.size(c, n), inner, cols);
  });
  const auto add = FASTNN_SELECT(sum_parts<T>);
  parallel_ranges(outer, chunks.count * inner, [&](Index begin, Index end) {
    for (Index o = begin; o < end; ++o)
      add(parts.data() + o * chunks.count * inner, y + o * inner, chunks.count, inner, divisor);
  });
}

}  // namespace

template <class T> void sum(const T* x, T* y, Index outer, Index n, Index inner, T divisor) {
  check_sizes("sum", outer, n, inner);
  const Chunks chunks(n, inner);
  if (inner == 1) {
    if (chunks.count > 1) return sum_chunked_rows(x, y, outer, n, chunks, divisor);
    const auto kernel = FASTNN_SELECT(sum_rows<T>);
    return parallel_ranges(
        outer, n, [=](Index begin, Index end) { kernel(x + begin * n, y + begin, end - begin, n, divisor); });
  }
  if (chunks.count > 1) return sum_chunked_columns(x, y, outer, n, inner, chunks, divisor);
  const auto kernel = FASTNN_SELECT(sum_columns<T>);
  parallel_columns(outer, n, inner, [=](Index o, Index first, Index cols) {
    kernel(x + o * n * inner + first, y + o * inner + first, n, inner, cols, divisor);
  });
}
FASTNN_INSTANTIATE(sum)

template <class T> void sum_backward(const T* dy, T* dx, const Strided<2>& walk, T divisor) {
  const auto kernel = FASTNN_SELECT(sum_backward_block<T>);
  parallel_blocks(walk, [=](const Block<2>& block) { kernel(dy, dx, block, divisor); });
}
FASTNN_INSTANTIATE(sum_backward)

template <class T> void extreme(Extreme which, const T* x, T* y, Index outer, Index n, Index inner) {
  check_not_empty(which == Extreme::max ? "max" : "min", outer, n, inner);
  const auto rows = FASTNN_SELECT(extreme_rows<T>);
  const auto columns = FASTNN_SELECT(extreme_columns<T>);
  const auto part = [=](const T* from, T* to, Index count, Index first, Index cols) {
    inner == 1 ? rows(which, from, to, 1, count)
               : columns(which, from + first, to + first, count, inner, cols);
  };
  const Chunks chunks(n, inner);
  if (chunks.count > 1) {
    const Workspace<T> parts(std::size_t(outer * chunks.count * inner));
    parallel_columns(outer * chunks.count, chunks.length, inner, [&](Index t, Index first, Index cols) {
      const Index o = t / chunks.count, c = t % chunks.count;
      part(x + (o * n + c * chunks.length) * inner, parts.data() + t * inner, chunks.size(c, n), first, cols);
    });
    return extreme<T>(which, parts.data(), y, outer, chunks.count, inner);
  }
  if (inner == 1)
    return parallel_ranges(
        outer, n, [=](Index begin, Index end) { rows(which, x + begin * n, y + begin, end - begin, n); });
  parallel_columns(outer, n, inner, [=](Index o, Index first, Index cols) {
    part(x + o * n * inner, y + o * inner, n, first, cols);
  });
}
FASTNN_INSTANTIATE(extreme)

template <class T>
void extreme_backward(const T* x, const T* y, const T* dy, T* dx, Index outer, Index n, Index inner) {
  check_sizes("extreme_backward", outer, n, inner);
  if (inner == 1) {
    const auto kernel = FASTNN_SELECT(extreme_backward_rows<T>);
    return parallel_ranges(outer, n, [=](Index begin, Index end) {
      kernel(x + begin * n, y + begin, dy + begin, dx + begin * n, end - begin, n);
    });
  }
  const auto kernel = FASTNN_SELECT(extreme_backward_columns<T>);
  parallel_columns(outer, n, inner, [=](Index o, Index first, Index cols) {
    const Index at = o * n * inner + first, to = o * inner + first;
    kernel(x + at, y + to, dy + to, dx + at, n, inner, cols);
  });
}
FASTNN_INSTANTIATE(extreme_backward)

template <class T>
void arg_extreme(Extreme which, const T* x, std::int64_t* y, Index outer, Index n, Index inner) {
  check_not_empty(which == Extreme::max ? "argmax" : "argmin", outer, n, inner);
  if (inner == 1) {
    const auto kernel = FASTNN_SELECT(arg_extreme_rows<T>);
    return parallel_ranges(
        outer, n, [=](Index begin, Index end) { kernel(which, x + begin * n, y + begin, end - begin, n); });
  }
  const auto kernel = FASTNN_SELECT(arg_extreme_columns<T>);
  parallel_columns(outer, n, inner, [=](Index o, Index first, Index cols) {
    kernel(which, x + o * n * inner + first, y + o * inner + first, n, inner, cols);
  });
}
FASTNN_INSTANTIATE(arg_extreme)

template <class T>
void count_correct(const T* scores, const std::int64_t* labels, std::int64_t* count, Index rows, Index cols) {
  check_not_empty("count_correct", rows, cols, 1);
  const Index length = std::max<Index>(1, kGrain / std::max<Index>(1, cols));
  const Index tasks = (rows + length - 1) / length;
  const Workspace<Index> parts(std::size_t(std::max<Index>(1, tasks)));
  const auto kernel = FASTNN_SELECT(correct_rows<T>);
  parallel_tasks(tasks, [&](Index t) {
    const Index begin = t * length;
    parts.data()[t] = kernel(scores + begin * cols, labels + begin, std::min(length, rows - begin), cols);
  });
  *count = 0;
  for (Index t = 0; t < tasks; ++t) *count += parts.data()[t];
}
FASTNN_INSTANTIATE(count_correct)

}  // namespace fastnn::cpu
#endif
