#pragma once

// What the recurrent ops share outside their kernels: how sequences are shared out, arrays by time instead
// of by sequence, and the gradients of the weights, which are products over all steps.

#include "fastnn/core/recurrent.hpp"
#include "kernel.hpp"
#include "panel_product.hpp"

namespace fastnn::cpu {

/// The right-hand side of a step's product, (depth, cols), as a kernel reads it: panels, or rows `row` apart
/// if there are none.
template <class T> struct Factor {
  const PanelKernels<T>* run;
  const T* data;
  Index depth, cols, panels, row;

  /// c += a b. Odd steps go through the panels from the last to the first: what the step before read last is
  /// in the cache still, of weights larger than that a good part.
  void multiply_onto(const T* a, Index a_row, T* c, Index c_row, Index rows, Index step) const {
    if (panels == 0) return run->stream_onto(a, a_row, data, row, c, c_row, rows, cols, depth);
    run->multiply(
        {a, a_row, 1, data, 0, panels, c, c_row, rows, depth, cols, cols, true, true, step % 2 != 0});
  }
};

}  // namespace fastnn::cpu

#if FASTNN_ENTRY
#include <cstring>
#include <optional>

#include "check.hpp"
#include "fastnn/gemm.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

/// b, (depth, cols) from any strides, as the products of s.t steps read it: in panels, which even for one
/// sequence are 1.6 times as fast as plain rows (u = 128: b in the second-level cache); or b itself, where a
/// copy would hardly pay.
template <class T> class PackedFactor {
 public:
  PackedFactor(const RnnShape& s, const T* b, Index b_row, Index b_col, Index depth, Index cols)
      : factor_{&FASTNN_SELECT(panel_kernels<T>)(), b, depth, cols, 0, b_row} {
    if (cols == 0 || (s.n <= 3 && s.t <= 2 && b_col == 1)) return;
    const PanelKernels<T>& run = *factor_.run;
    const Index panels = run.panels(cols, s.n == 1 ? run.row_vectors : run.tile_vectors);
    T* const to = memory_.emplace(std::size_t(depth * (cols + run.lanes))).data();
    run.pack(b, b_row, b_col, to, depth, cols, panels, 0, panels);
    factor_.data = to;
    factor_.panels = panels;
  }
  const Factor<T>& get() const { return factor_; }

 private:
  Factor<T> factor_;
  std::optional<Workspace<T>> memory_;
};

/// Calls fn(begin, end) on the sequences, each of which costs `multiplies`. Every task reads the whole factor
/// in each step: 16 sequences are worth that, or 8 where there would be one task only.
template <class Fn> void each_part_of_batch(Index n, Index multiplies, const Fn& fn) {
  const Index most = n >= 32 ? n / 16 : n / 8;
  const Index tasks = std::clamp<Index>(n * multiplies / kGrainMultiplies, 1, std::max<Index>(most, 1));
  if (n > 0) parallel_tasks(tasks, [&](Index k) { fn(n * k / tasks, n * (k + 1) / tasks); });
}

/// Steps whose share of x w + b is computed together, `row_bytes` for each sequence of each: it then is still
/// in the second-level cache when the steps are taken. All of them if w is so big that each block would copy
/// it anew.
inline Index steps_in_block(const RnnShape& s, Index row_bytes) {
  constexpr Index kBlockBytes = 512 * 1024;
  if (s.i * row_bytes > kBlockBytes) return s.t;
  return std::clamp<Index>(kBlockBytes / std::max<Index>(s.n * row_bytes, 1), 1, std::max<Index>(s.t, 1));
}

/// Calls fn(first, last) for blocks of `steps` steps.
template <class Fn> void each_block_of_steps(const RnnShape& s, Index steps, const Fn& fn) {
  for (Index first = 0; first < s.t; first += steps) fn(first, std::min(s.t, first + steps));
}

/// y[step, row] = x[row, time(step)] for rows of `width` elements, or the other way round if `back`.
template <class T> void swap_batch_and_time(const T* x, T* y, const RnnShape& s, Index width, bool back) {
  parallel_ranges(s.t, s.n * width, [&](Index begin, Index end) {
    for (Index step = begin; step < end; ++step)
      for (Index row = 0; row < s.n; ++row) {
        const Index by_time = (step * s.n + row) * width, by_batch = (row * s.t + s.time(step)) * width;
        std::memcpy(y + (back ? by_batch : by_time), x + (back ? by_time : by_batch),
                    std::size_t(width) * sizeof(T));
      }
  });
}

/// x, (n, t, i), as (t, n, i) in the order of the steps; not a copy where that is the same.
template <class T> class TimeMajor {
 public:
  TimeMajor(const T* x, const RnnShape& s) : data_(x) {
    if ((s.n == 1 && !s.reverse) || s.t == 1) return;
    T* const copy = memory_.emplace(std::size_t(s.t * s.n * s.i)).data();
    swap_batch_and_time(x, copy, s, s.i, false);
    data_ = copy;
  }
  const T* data() const { return data_; }

 private:
  std::optional<Workspace<T>> memory_;
  const T* data_;
};

template <class T> void copy_or_zero(const T* from, T* to, Index count) {
  if (from)
    std::memcpy(to, from, std::size_t(count) * sizeof(T));
  else
    std::fill_n(to, count, T(0));
}

/// The sums of dz's columns, dz: (rows, cols).
template <class T> void column_sums(const T* dz, T* sums, Index rows, Index cols) {
  const Workspace<T> ones{std::size_t(rows)};
  std::fill_n(ones.data(), rows, T(1));
  gemm<T>(ones.data(), dz, sums, GemmShape::dense(1, cols, rows));
}

/// dw = x^T dz, dx = dz w^T, db = the sums of dz's columns, for dz: (t, n, cols), time-major; null is not
/// computed.
template <class T> void input_gradients(const T* x, const T* w, const T* dz, T* dx, T* dw, T* db,
                                        const RnnShape& s, Index cols) {
  const Index rows = s.t * s.n;
  if (dw) {
    const TimeMajor<T> by_time(x, s);
    gemm<T>(by_time.data(), dz, dw, GemmShape::dense(s.i, cols, rows, true, false));
  }
  if (db) column_sums(dz, db, rows, cols);
  if (!dx) return;
  if ((s.n == 1 && !s.reverse) || s.t == 1)
    return gemm<T>(dz, w, dx, GemmShape::dense(rows, s.i, cols, false, true));
  const Workspace<T> by_time{std::size_t(rows * s.i)};
  gemm<T>(dz, w, by_time.data(), GemmShape::dense(rows, s.i, cols, false, true));
  swap_batch_and_time<T>(by_time.data(), dx, s, s.i, true);
}

/// dr = (drop * hidden)^T dz for hidden: (t, n, u), dz: (t, n, cols) with rows dz_row apart, dr: (u, cols)
/// with rows dr_row apart.
template <class T> void recurrent_gradient(const T* hidden, const T* drop, const T* dz, Index dz_row, T* dr,
                                           Index dr_row, const RnnShape& s, Index cols) {
  const Workspace<T> dropped(std::size_t(drop ? s.t * s.state() : 0));
  if (drop) {
    parallel_ranges(s.t, s.state(), [&](Index begin, Index end) {
      for (Index step = begin; step < end; ++step)
        for (Index k = 0; k < s.state(); ++k)
          dropped.data()[step * s.state() + k] = hidden[step * s.state() + k] * drop[k];
    });
    hidden = dropped.data();
  }
  GemmShape product = GemmShape::dense(s.u, cols, s.t * s.n, true, false);
  product.b_row = dz_row;
  product.c_row = dr_row;
  gemm<T>(hidden, dz, dr, product);
}

}  // namespace fastnn::cpu
#endif
