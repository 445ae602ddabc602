#include "fastnn/cross_entropy.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(bool, finite_span, (const T* x, Index n))
FASTNN_DECLARE(bool, within_span, (const T* x, Index n, T low, T high))
FASTNN_DECLARE(double, softmax_cross_entropy_rows,
               (const SoftmaxCrossEntropy& s, const T* x, const std::int64_t* labels, const T* targets,
                const T* weight, T* loss, T* y, Index begin, Index end))
FASTNN_DECLARE(void, softmax_cross_entropy_backward_rows,
               (const SoftmaxCrossEntropy& s, const T* y, const std::int64_t* labels, const T* targets,
                const T* weight, T scale, const T* dy, T* dx, Index begin, Index end))
FASTNN_DECLARE(double, sigmoid_cross_entropy_span,
               (const SigmoidCrossEntropy& s, const T* x, const T* targets, const T* weight, T* loss,
                Index begin, Index end))
FASTNN_DECLARE(void, sigmoid_cross_entropy_backward_span,
               (const SigmoidCrossEntropy& s, const T* x, const T* targets, const T* weight, T scale,
                const T* dy, T* dx, Index begin, Index end))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"
#include "simd/transpose.hpp"

namespace fastnn::cpu::FASTNN_ISA {

// x - x is 0 for finite x, NaN otherwise.
template <class T> bool finite_span(const T* x, Index n) {
  const T spoiled = row_sum<T>(n, [&](auto at) {
    const auto v = at.load(x);
    return v - v;
  });
  return spoiled == T(0);
}
FASTNN_INSTANTIATE(finite_span)

// Whether no x lies outside [low, high].
template <class T> bool within_span(const T* x, Index n, T low, T high) {
  using V = Vec<T>;
  const V least = V::set(low), most = V::set(high), zero = V::set(0), one = V::set(1);
  const T outside = row_sum<T>(n, [&](auto at) {
    const V v = at.load(x);
    return select((v < least) | (v > most), one, zero);
  });
  return outside == T(0);
}
FASTNN_INSTANTIATE(within_span)

template <class T> static inline T log_scalar(T x) {
  using V = Vec<T>;
  T lane[V::lanes];
  log(V::set(x)).store(lane);
  return lane[0];
}

// Targets after smoothing: t = keep * target + floor.
template <class T> struct Smoothing {
  T keep, floor;
  Smoothing(double smoothing, Index cols) : keep(T(1 - smoothing)), floor(T(smoothing / double(cols))) {}
  template <class V> V apply(V target) const { return fma(V::set(keep), target, V::set(floor)); }
};

// Cross-entropy of one row, given its largest logit m and log_total = ln(sum_j exp(x[j] - m)).
template <class T> static inline T label_loss(const T* x, Index cols, T m, T log_total, Index label,
                                              const Smoothing<T>& smooth) {
  const T hit = log_total - (x[label] - m);
  if (smooth.floor == T(0)) return hit;
  using V = Vec<T>;
  const V shift = V::set(log_total + m);
  return smooth.keep * hit + smooth.floor * row_sum<T>(cols, [&](auto at) { return shift - at.load(x); });
}

template <class T> static inline T target_loss(const T* x, const T* target, Index cols, T m, T log_total,
                                               const Smoothing<T>& smooth) {
  using V = Vec<T>;
  const V top = V::set(m), log_sum = V::set(log_total), zero = V::set(0);
  return row_sum<T>(cols, [&](auto at) {
    const V t = smooth.apply(at.load(target));
    return select(t == zero, zero, t * (log_sum - (at.load(x) - top)));  // 0 ln 0 = 0
  });
}

/// Rows as short as these lie in the lanes of vectors, a vector to a column: nothing is added up or compared
/// across lanes.
constexpr Index kShortRow = 16;

/// The first cols elements of `rows` rows, at most a vector's lanes; further lanes are 0.
template <class T>
static inline void load_columns(const T* x, Index cols, int rows, Vec<T> (&column)[kShortRow]) {
  using V = Vec<T>;
  for (Index first = 0; first < cols; first += V::lanes) {
    const int n = int(cols - first < V::lanes ? cols - first : V::lanes);
    V square[V::lanes];
    for (int i = 0; i < V::lanes; ++i) square[i] = i < rows ? V::load_n(x + i * cols + first, n) : V::set(0);
    transpose(square);
    for (int i = 0; i < V::lanes; ++i) column[first + i] = square[i];
  }
}

template <class T>
static inline void store_columns(const Vec<T> (&column)[kShortRow], Index cols, int rows, T* y) {
  using V = Vec<T>;
  for (Index first = 0; first < cols; first += V::lanes) {
    const int n = int(cols - first < V::lanes ? cols - first : V::lanes);
    V square[V::lanes];
    for (int i = 0; i < V::lanes; ++i) square[i] = column[first + i];
    transpose(square);
    for (int i = 0; i < rows; ++i) square[i].store_n(y + i * cols + first, n);
  }
}

/// softmax_cross_entropy_rows() for labels, at most kShortRow columns, without smoothing.
template <class T> static double short_rows(const SoftmaxCrossEntropy& s, const T* x,
                                            const std::int64_t* labels, const T* weight, T* loss, T* y,
                                            Index begin, Index end) {
  using V = Vec<T>;
  double sum_of_rows = 0;
  for (Index r = begin; r < end; r += V::lanes) {
    const int rows = int(end - r < V::lanes ? end - r : V::lanes);
    V column[kShortRow], top = V::set(T(-__builtin_inf())), total = V::set(0);
    load_columns(x + r * s.cols, s.cols, rows, column);
    for (Index j = 0; j < s.cols; ++j) top = max(column[j], top);
    for (Index j = 0; j < s.cols; ++j) total = total + (column[j] = exp(column[j] - top));
    const V inverse = V::set(1) / total;
    for (Index j = 0; j < s.cols; ++j) column[j] = column[j] * inverse;
    store_columns(column, s.cols, rows, y + r * s.cols);
    T value[V::lanes], most[V::lanes];
    log(total).store(value);
    top.store(most);
    for (int i = 0; i < rows; ++i) {
      const Index label = labels[r + i];
      value[i] = s.ignores && label == s.ignored ? T(0) : value[i] - (x[(r + i) * s.cols + label] - most[i]);
      if (weight) value[i] *= weight[r + i];
      if (loss) loss[r + i] = value[i];
      sum_of_rows += double(value[i]);
    }
  }
  return sum_of_rows;
}

template <class T> double softmax_cross_entropy_rows(const SoftmaxCrossEntropy& s, const T* x,
                                                     const std::int64_t* labels, const T* targets,
                                                     const T* weight, T* loss, T* y, Index begin, Index end) {
  using V = Vec<T>;
  const Smoothing<T> smooth(s.label_smoothing, s.cols);
  if (!targets && s.cols <= kShortRow && smooth.floor == T(0))
    return short_rows(s, x, labels, weight, loss, y, begin, end);
  double sum_of_rows = 0;
  for (Index r = begin; r < end; ++r) {
    const T* row = x + r * s.cols;
    T* out = y + r * s.cols;
    const T m = row_max(row, s.cols);
    const V top = V::set(m);
    const T total = row_sum<T>(s.cols, [&](auto at) {
      const V e = exp(at.load(row) - top);
      at.store(out, e);
      return e;
    });
    const V inverse = V::set(1 / total);
    row_each<T>(s.cols, [&](auto at) { at.store(out, at.load(out) * inverse); });
    T value = 0;
    if (targets)
      value = target_loss(row, targets + r * s.cols, s.cols, m, log_scalar(total), smooth);
    else if (!s.ignores || labels[r] != s.ignored)
      value = label_loss(row, s.cols, m, log_scalar(total), labels[r], smooth);
    if (weight) value *= weight[r];
    if (loss) loss[r] = value;
    sum_of_rows += double(value);
  }
  return sum_of_rows;
}
FASTNN_INSTANTIATE(softmax_cross_entropy_rows)

template <class T> void softmax_cross_entropy_backward_rows(const SoftmaxCrossEntropy& s, const T* y,
                                                            const std::int64_t* labels, const T* targets,
                                                            const T* weight, T scale, const T* dy, T* dx,
                                                            Index begin, Index end) {
  using V = Vec<T>;
  const Smoothing<T> smooth(s.label_smoothing, s.cols);
  const V floor = V::set(smooth.floor);
  for (Index r = begin; r < end; ++r) {
    const T* row = y + r * s.cols;
    T* out = dx + r * s.cols;
    const T g = scale * (weight ? weight[r] : T(1)) * dy[s.reduction == Reduction::none ? r : 0];
    const V gradient = V::set(g);
    if (targets) {
      const T* target = targets + r * s.cols;
      const V total = V::set(row_sum<T>(s.cols, [&](auto at) { return smooth.apply(at.load(target)); }));
      row_each<T>(s.cols, [&](auto at) {
        at.store(out, gradient * (at.load(row) * total - smooth.apply(at.load(target))));
      });
    } else if (s.ignores && labels[r] == s.ignored) {
      row_each<T>(s.cols, [&](auto at) { at.store(out, V::set(0)); });
    } else {
      row_each<T>(s.cols, [&](auto at) { at.store(out, gradient * (at.load(row) - floor)); });
      out[labels[r]] = g * (row[labels[r]] - smooth.keep - smooth.floor);
    }
  }
}
FASTNN_INSTANTIATE(softmax_cross_entropy_backward_rows)

// Calls fn(first, length, w) for stretches of [begin, end) of at most kStretch elements, with w(at) the
// weights there: one per `cols` elements, or ones without weights.
constexpr Index kStretch = 1024;
template <class T, class Fn>
static inline void each_stretch(const T* weight, Index cols, Index begin, Index end, const Fn& fn) {
  using V = Vec<T>;
  for (Index first = begin, stop; first < end; first = stop) {
    stop = end - first < kStretch ? end : first + kStretch;
    if (weight && cols == 1) {
      fn(first, stop - first, [=](auto at) { return at.load(weight + first); });
    } else {
      const Index row_end = weight ? (first / cols + 1) * cols : stop;
      if (row_end < stop) stop = row_end;
      const V w = V::set(weight ? weight[first / cols] : T(1));
      fn(first, stop - first, [=](auto) { return w; });
    }
  }
}

template <class T> double sigmoid_cross_entropy_span(const SigmoidCrossEntropy& s, const T* x,
                                                     const T* targets, const T* weight, T* loss, Index begin,
                                                     Index end) {
  using V = Vec<T>;
  const Smoothing<T> smooth(s.label_smoothing, 2);
  const V zero = V::set(0);
  double total = 0;
  each_stretch(weight, s.cols, begin, end, [&](Index first, Index length, const auto& w) {
    total += double(row_sum<T>(length, [&](auto at) {
      const V v = at.load(x + first);
      const V linear = fnma(v, smooth.apply(at.load(targets + first)), max(zero, v));
      const V value = w(at) * (linear + log1p(exp(zero - abs(v))));
      if (loss) at.store(loss + first, value);
      return value;
    }));
  });
  return total;
}
FASTNN_INSTANTIATE(sigmoid_cross_entropy_span)

template <class T> void sigmoid_cross_entropy_backward_span(const SigmoidCrossEntropy& s, const T* x,
                                                            const T* targets, const T* weight, T scale,
                                                            const T* dy, T* dx, Index begin, Index end) {
  using V = Vec<T>;
  const Smoothing<T> smooth(s.label_smoothing, 2);
  const bool reduced = s.reduction != Reduction::none;
  const V common = V::set(reduced ? scale * dy[0] : scale);
  each_stretch(weight, s.cols, begin, end, [&](Index first, Index length, const auto& w) {
    row_each<T>(length, [&](auto at) {
      const V slope = sigmoid(at.load(x + first)) - smooth.apply(at.load(targets + first));
      const V factor = common * w(at);
      at.store(dx + first, (reduced ? factor : factor * at.load(dy + first)) * slope);
    });
  });
}
FASTNN_INSTANTIATE(sigmoid_cross_entropy_backward_span)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "partial_sums.hpp"

namespace fastnn::cpu {
namespace {

/// Throws for a target that is not finite.
template <class T> void check_targets(const char* op, const T* targets, Index rows, Index cols) {
  const auto finite = FASTNN_SELECT(finite_span<T>);
  if (finite(targets, rows * cols)) return;
  for (Index i = 0; i < rows * cols; ++i)
    check(op, finite(targets + i, 1), "expected finite labels, got ", targets[i], " at row ", i / cols);
}

/// Number of rows that count. Throws for a label out of range.
Index check_labels(const SoftmaxCrossEntropy& s, const std::int64_t* labels) {
  Index ignored = 0;
  for (Index r = 0; r < s.rows; ++r) {
    if (s.ignores && labels[r] == s.ignored)
      ++ignored;
    else
      check("softmax_cross_entropy", labels[r] >= 0 && labels[r] < s.cols, "expected labels in [0, ", s.cols,
            "), got ", labels[r], " at row ", r);
  }
  return s.rows - ignored;
}

}  // namespace

template <class T> void require_probabilities(const T* p, Index n) {
  constexpr T kLow = T(-0.001), kHigh = T(1.001);
  const auto within = FASTNN_SELECT(within_span<T>);
  const double outside = partial_sums(
      n, 1, [&](Index begin, Index end) { return within(p + begin, end - begin, kLow, kHigh) ? 0.0 : 1.0; });
  if (outside == 0) return;
  for (Index i = 0; i < n; ++i)
    check("crossentropy", within(p + i, 1, kLow, kHigh), "expected probabilities in [0, 1], got ", p[i],
          "; for logits say from_logits=True");
}
FASTNN_INSTANTIATE(require_probabilities)

template <class T> void softmax_cross_entropy(const SoftmaxCrossEntropy& s, const T* x,
                                              const std::int64_t* labels, const T* targets, const T* weight,
                                              T* loss, T* y, T* scale) {
  Index counted = s.rows;
  if (targets)
    check_targets("softmax_cross_entropy", targets, s.rows, s.cols);
  else
    counted = check_labels(s, labels);
  const bool reduced = s.reduction != Reduction::none;
  const bool none_left = counted == 0 && s.rows > 0;
  const double divisor = s.reduction != Reduction::mean || none_left ? 1.0 : double(counted);
  *scale = T(1 / divisor);
  const auto kernel = FASTNN_SELECT(softmax_cross_entropy_rows<T>);
  const double total = partial_sums(s.rows, s.cols, [&](Index begin, Index end) {
    return kernel(s, x, labels, targets, weight, reduced ? nullptr : loss, y, begin, end);
  });
  if (reduced) *loss = T(total / divisor);
}
FASTNN_INSTANTIATE(softmax_cross_entropy)

template <class T> void softmax_cross_entropy_backward(const SoftmaxCrossEntropy& s, const T* y,
                                                       const std::int64_t* labels, const T* targets,
                                                       const T* weight, const T* scale, const T* dy, T* dx) {
  const auto kernel = FASTNN_SELECT(softmax_cross_entropy_backward_rows<T>);
  parallel_ranges(s.rows, s.cols, [&](Index begin, Index end) {
    kernel(s, y, labels, targets, weight, *scale, dy, dx, begin, end);
  });
}
FASTNN_INSTANTIATE(softmax_cross_entropy_backward)

template <class T> void sigmoid_cross_entropy(const SigmoidCrossEntropy& s, const T* x, const T* targets,
                                              const T* weight, T* loss) {
  check_targets("sigmoid_cross_entropy", targets, s.rows, s.cols);
  const bool reduced = s.reduction != Reduction::none;
  const Index count = s.rows * s.cols;
  const auto kernel = FASTNN_SELECT(sigmoid_cross_entropy_span<T>);
  const double total = partial_sums(count, 1, [&](Index begin, Index end) {
    return kernel(s, x, targets, weight, reduced ? nullptr : loss, begin, end);
  });
  if (reduced) *loss = T(total / (s.reduction == Reduction::mean ? double(count) : 1.0));
}
FASTNN_INSTANTIATE(sigmoid_cross_entropy)

template <class T> void sigmoid_cross_entropy_backward(const SigmoidCrossEntropy& s, const T* x,
                                                       const T* targets, const T* weight, const T* dy,
                                                       T* dx) {
  const T scale = s.reduction == Reduction::mean ? T(1 / double(s.rows * s.cols)) : T(1);
  const auto kernel = FASTNN_SELECT(sigmoid_cross_entropy_backward_span<T>);
  parallel_ranges(s.rows * s.cols, 1,
                  [&](Index begin, Index end) { kernel(s, x, targets, weight, scale, dy, dx, begin, end); });
}
FASTNN_INSTANTIATE(sigmoid_cross_entropy_backward)

}  // namespace fastnn::cpu
#endif
