// A row fits the first-level cache: forward takes its mean, its variance about the mean and its result in
// three passes there. Backward takes kRowBlock rows: first the two sums of each, then strips of columns down
// these rows, so that the gradients of gamma and beta are added up in registers.

#include "fastnn/layer_norm.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(void, layer_norm_rows,
               (const T* x, const T* gamma, const T* beta, T* y, T* mean, T* inverse, Index rows, Index cols,
                double epsilon, bool streams))
FASTNN_DECLARE(void, layer_norm_backward_rows,
               (const T* x, const T* gamma, const T* mean, const T* inverse, const T* dy, T* dx, T* dgamma,
                T* dbeta, Index rows, Index cols, bool streams))
FASTNN_DECLARE(void, unit_norm_rows, (const T* x, T* y, T* inverse, Index rows, Index cols, T epsilon))
FASTNN_DECLARE(void, unit_norm_backward_rows,
               (const T* y, const T* inverse, const T* dy, T* dx, Index rows, Index cols, T epsilon))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// The square root, correctly rounded, without the C library's error handling.
static inline double root(double x) {
  F64 v = sqrt(F64::set(x));
  double lane[F64::lanes];
  v.store(lane);
  return lane[0];
}

/// Rows that are worked on together: with 768 columns, x and dy of them are 48 KiB.
constexpr Index kRowBlock = 8;

/// Wider rows are worked on one by one forward: a block of them leaves the first-level cache.
constexpr Index kBlockRowBytes = 4096;

/// inverse[r] = 1 / sqrt(squares[r] / cols + epsilon) of a block of rows: roots take long, but several at a
/// time as long as one.
template <class T>
static inline void inverse_deviations(double* squares, Index rows, Index cols, double epsilon, T* inverse) {
  const F64 one = F64::set(1), count = F64::set(double(cols)), least = F64::set(epsilon);
  for (Index r = rows; r < kRowBlock; ++r) squares[r] = 1;
  for (Index r = 0; r < kRowBlock; r += F64::lanes)
    (one / sqrt(F64::load(squares + r) / count + least)).store(squares + r);
  for (Index r = 0; r < rows; ++r) inverse[r] = T(squares[r]);
}

/// Each pass over a block of rows before the next one, as a row's passes wait for the sums before them.
/// mean: null where values are not centred.
template <class T> void layer_norm_rows(const T* x, const T* gamma, const T* beta, T* y, T* mean, T* inverse,
                                        Index rows, Index cols, double epsilon, bool streams) {
  using V = Vec<T>;
  const V one = V::set(1), zero = V::set(0);
  const Index block = cols * Index(sizeof(T)) <= kBlockRowBytes ? kRowBlock : 1;
  for (Index first = 0; first < rows; first += block) {
    const Index count = rows - first < block ? rows - first : block;
    T center[kRowBlock] = {};
    double squares[kRowBlock];
    const T* const from = x + first * cols;
    for (Index r = 0; mean && r < count; ++r)
      mean[first + r] = center[r] =
          T(long_sum<T>(cols, [=](auto at) { return at.load(from + r * cols); }) / double(cols));
    for (Index r = 0; r < count; ++r)
      squares[r] = long_sum<T>(cols, [=, m = V::set(center[r])](auto at) {
        const V d = at.load(from + r * cols) - m;
        return d * d;
      });
    inverse_deviations(squares, count, cols, epsilon, inverse + first);
    for (Index r = 0; r < count; ++r) {
      const V m = V::set(center[r]), s = V::set(inverse[first + r]);
      row_each<T>(cols, [&](auto at) {
        const V xhat = (at.load(from + r * cols) - m) * s;
        put(streams, at, y + (first + r) * cols,
            fma(xhat, gamma ? at.load(gamma) : one, beta ? at.load(beta) : zero));
      });
    }
  }
  if (streams) stream_end();
}
FASTNN_INSTANTIATE(layer_norm_rows)

/// What makes dx of a row: dx = fma(g, scale, fma(x - mean, slope, offset)).
template <class T> struct RowScales {
  T mean[kRowBlock], scale[kRowBlock], slope[kRowBlock], offset[kRowBlock];
};

template <class T> static inline void row_scales(const T* x, const T* gamma, const T* mean, const T* inverse,
                                                 const T* dy, Index rows, Index cols, RowScales<T>& to) {
  using V = Vec<T>;
  const V one = V::set(1);
  for (Index r = 0; r < rows; ++r, x += cols, dy += cols) {
    const V m = V::set(mean ? mean[r] : T(0));
    V a[2] = {V::set(0), V::set(0)}, b[2] = {a[0], a[0]};
    const auto take = [&](auto at, int to_sum) {
      const V g = at.load(dy) * (gamma ? at.load(gamma) : one);
      a[to_sum] = a[to_sum] + g;
      b[to_sum] = fma(g, at.load(x) - m, b[to_sum]);
    };
    Index j = 0;
    for (; j + 2 * V::lanes <= cols; j += 2 * V::lanes) {
      take(Whole<V>{j}, 0);
      take(Whole<V>{j + V::lanes}, 1);
    }
    for (; j + V::lanes <= cols; j += V::lanes) take(Whole<V>{j}, 0);
    if (j < cols) take(Tail<V>{j, int(cols - j)}, 1);  // dy is 0 beyond the row
    const T own = inverse[r], share = own / T(cols);
    to.mean[r] = mean ? mean[r] : T(0);
    to.scale[r] = own;
    to.offset[r] = mean ? -share * sum(a[0] + a[1]) : T(0);
    to.slope[r] = -share * own * own * sum(b[0] + b[1]);
  }
}

/// Columns of n rows, strips of them down the rows. All n are computed before one is stored: rows 4 KiB apart
/// are alike to a load that waits for stores before it, and whole pages lie between the arrays of a large
/// batch.
template <int n, class T>
static inline void backward_columns(const T* x, const T* gamma, const RowScales<T>& own, Index first,
                                    const T* dy, T* dx, T* dgamma, T* dbeta, Index cols, bool streams) {
  using V = Vec<T>;
  const V one = V::set(1);
  row_each<T>(cols, [&](auto at) {
    const V g = gamma ? at.load(gamma) : one;
    V of_gamma = V::set(0), of_beta = of_gamma, of_x[n];
    for (int i = 0; i < n; ++i) {
      const Index r = first + i;
      const V dz = at.load(dy + r * cols), d = at.load(x + r * cols) - V::set(own.mean[r]);
      const V scale = V::set(own.scale[r]);
      of_beta = of_beta + dz;
      of_gamma = fma(dz * scale, d, of_gamma);
      of_x[i] = fma(dz * g, scale, fma(d, V::set(own.slope[r]), V::set(own.offset[r])));
    }
    for (int i = 0; dx && i < n; ++i) put(streams, at, dx + (first + i) * cols, of_x[i]);
    if (dgamma) at.store(dgamma, at.load(dgamma) + of_gamma);
    if (dbeta) at.store(dbeta, at.load(dbeta) + of_beta);
  });
}

/// dgamma, dbeta: null, or what the rows' share is added to.
template <class T> void layer_norm_backward_rows(const T* x, const T* gamma, const T* mean, const T* inverse,
                                                 const T* dy, T* dx, T* dgamma, T* dbeta, Index rows,
                                                 Index cols, bool streams) {
  for (Index first = 0; first < rows; first += kRowBlock) {
    const Index count = rows - first < kRowBlock ? rows - first : kRowBlock;
    RowScales<T> own;
    row_scales(x, gamma, mean ? mean + first : nullptr, inverse + first, dy, count, cols, own);
    if (count == kRowBlock)
      backward_columns<kRowBlock>(x, gamma, own, 0, dy, dx, dgamma, dbeta, cols, streams);
    else
      for (Index r = 0; r < count; ++r)
        backward_columns<1>(x, gamma, own, r, dy, dx, dgamma, dbeta, cols, streams);
    x += count * cols;
    dy += count * cols;
    if (dx) dx += count * cols;
  }
  if (streams) stream_end();
}
FASTNN_INSTANTIATE(layer_norm_backward_rows)

template <class T> void unit_norm_rows(const T* x, T* y, T* inverse, Index rows, Index cols, T epsilon) {
  using V = Vec<T>;
  for (Index r = 0; r < rows; ++r, x += cols, y += cols) {
    const double length = root(long_sum<T>(cols, [&](auto at) { return at.load(x) * at.load(x); }));
    inverse[r] = T(1 / (length < double(epsilon) ? double(epsilon) : length));
    const V s = V::set(inverse[r]);
    row_each<T>(cols, [&](auto at) { at.store(y, at.load(x) * s); });
  }
}
FASTNN_INSTANTIATE(unit_norm_rows)

template <class T> void unit_norm_backward_rows(const T* y, const T* inverse, const T* dy, T* dx, Index rows,
                                                Index cols, T epsilon) {
  using V = Vec<T>;
  for (Index r = 0; r < rows; ++r, y += cols, dy += cols, dx += cols) {
    const bool short_row = !(inverse[r] < 1 / epsilon);
    const T product = row_sum<T>(cols, [&](auto at) { return at.load(y) * at.load(dy); });
    const V dot = V::set(short_row ? T(0) : product), s = V::set(inverse[r]);
    row_each<T>(cols, [&](auto at) { at.store(dx, s * fnma(at.load(y), dot, at.load(dy))); });
  }
}
FASTNN_INSTANTIATE(unit_norm_backward_rows)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"
#include "streaming.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {
namespace {

void check_sizes(const char* op, Index rows, Index cols) {
  check(op, rows >= 0 && cols >= 0, "expected rows, cols >= 0, got (", rows, ", ", cols, ")");
}

template <class T> void forward(const T* x, const T* gamma, const T* beta, T* y, T* mean, T* inverse,
                                Index rows, Index cols, double epsilon) {
  const auto kernel = FASTNN_SELECT(layer_norm_rows<T>);
  const bool streamed = streams(y, rows * cols, cols);
  parallel_ranges(rows, cols, [=](Index begin, Index end) {
    kernel(x + begin * cols, gamma, beta, y + begin * cols, mean ? mean + begin : nullptr, inverse + begin,
           end - begin, cols, epsilon, streamed);
  });
}

/// Rows whose gradients of gamma and beta are added up in T; these sums are added in double.
constexpr Index kChunkRows = 64;

template <class T> void backward(const T* x, const T* gamma, const T* mean, const T* inverse, const T* dy,
                                 T* dx, T* dgamma, T* dbeta, Index rows, Index cols) {
  if (!dx && !dgamma && !dbeta) return;
  const auto kernel = FASTNN_SELECT(layer_norm_backward_rows<T>);
  const Index chunks = (rows + kChunkRows - 1) / kChunkRows;
  const Workspace<T> memory(std::size_t(dgamma || dbeta ? 2 * chunks * cols : 0));
  T* const parts = memory.data();
  const bool streamed = dx && streams(dx, rows * cols, cols);
  parallel_ranges(chunks, kChunkRows * cols, [=](Index begin, Index end) {
    for (Index chunk = begin; chunk < end; ++chunk) {
      const Index row = chunk * kChunkRows, at = row * cols;
      T *const of_gamma = parts + 2 * chunk * cols, *const of_beta = of_gamma + cols;
      if (dgamma) std::fill_n(of_gamma, cols, T(0));
      if (dbeta) std::fill_n(of_beta, cols, T(0));
      kernel(x + at, gamma, mean ? mean + row : nullptr, inverse + row, dy + at, dx ? dx + at : nullptr,
             dgamma ? of_gamma : nullptr, dbeta ? of_beta : nullptr, std::min(kChunkRows, rows - row), cols,
             streamed);
    }
  });
  const auto add_up = [=](const T* first, T* to) {
    constexpr Index kStep = 64;
    parallel_ranges(
        cols, chunks,
        [=](Index begin, Index end) {
          for (Index j = begin; j < end; j += kStep) {
            const Index count = std::min(kStep, end - j);
            double total[kStep] = {};
            for (Index chunk = 0; chunk < chunks; ++chunk)
              for (Index i = 0; i < count; ++i) total[i] += double(first[2 * chunk * cols + j + i]);
            for (Index i = 0; i < count; ++i) to[j + i] = T(total[i]);
          }
        },
        kStep);
  };
  if (dgamma) add_up(parts, dgamma);
  if (dbeta) add_up(parts + cols, dbeta);
}

}  // namespace

template <class T> void layer_norm(const T* x, const T* gamma, const T* beta, T* y, T* mean, T* inverse,
                                   Index rows, Index cols, double epsilon) {
  check_sizes("layer_norm", rows, cols);
  forward(x, gamma, beta, y, mean, inverse, rows, cols, epsilon);
}
FASTNN_INSTANTIATE(layer_norm)

template <class T> void layer_norm_backward(const T* x, const T* gamma, const T* mean, const T* inverse,
                                            const T* dy, T* dx, T* dgamma, T* dbeta, Index rows, Index cols) {
  check_sizes("layer_norm_backward", rows, cols);
  backward(x, gamma, mean, inverse, dy, dx, dgamma, dbeta, rows, cols);
}
FASTNN_INSTANTIATE(layer_norm_backward)

template <class T>
void rms_norm(const T* x, const T* gamma, T* y, T* inverse, Index rows, Index cols, double epsilon) {
  check_sizes("rms_norm", rows, cols);
  forward<T>(x, gamma, nullptr, y, nullptr, inverse, rows, cols, epsilon);
}
FASTNN_INSTANTIATE(rms_norm)

template <class T> void rms_norm_backward(const T* x, const T* gamma, const T* inverse, const T* dy, T* dx,
                                          T* dgamma, Index rows, Index cols) {
  check_sizes("rms_norm_backward", rows, cols);
  backward<T>(x, gamma, nullptr, inverse, dy, dx, dgamma, nullptr, rows, cols);
}
FASTNN_INSTANTIATE(rms_norm_backward)

template <class T> void unit_norm(const T* x, T* y, T* inverse, Index rows, Index cols, double epsilon) {
  check_sizes("unit_norm", rows, cols);
  const auto kernel = FASTNN_SELECT(unit_norm_rows<T>);
  parallel_ranges(rows, cols, [=](Index begin, Index end) {
    kernel(x + begin * cols, y + begin * cols, inverse + begin, end - begin, cols, T(epsilon));
  });
}
FASTNN_INSTANTIATE(unit_norm)

template <class T> void unit_norm_backward(const T* y, const T* inverse, const T* dy, T* dx, Index rows,
                                           Index cols, double epsilon) {
  check_sizes("unit_norm_backward", rows, cols);
  const auto kernel = FASTNN_SELECT(unit_norm_backward_rows<T>);
  parallel_ranges(rows, cols, [=](Index begin, Index end) {
    kernel(y + begin * cols, inverse + begin, dy + begin * cols, dx + begin * cols, end - begin, cols,
           T(epsilon));
  });
}
FASTNN_INSTANTIATE(unit_norm_backward)

}  // namespace fastnn::cpu
#endif
