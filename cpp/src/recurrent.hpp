#pragma once

// What the recurrent ops share outside their kernels: how sequences are shared out, arrays by time instead
// of by sequence, and the gradients of the weights, which are products over all steps.

#include "fastnn/core/recurrent.hpp"
#include "kernel.hpp"
#include "panel_product.hpp"

namespace fastnn::cpu {

/// A piece of a step: sequences [begin, end), and of their states `count` units from `first` on.
struct RnnPiece {
  Index begin, end, first, count;
  Index rows() const { return end - begin; }
};

/// Steps from `first` on, before `last`, which may be less: then backwards. A phase of a step needs what the
/// one before has made of all units.
struct RnnSteps {
  Index first, last;
  int phase = 0, phases = 1;

  /// Calls fn(step, phase).
  template <class Fn> void each(const Fn& fn) const {
    for (Index step = first; step != last; step += last > first ? 1 : -1)
      for (int k = phase; k < phase + phases; ++k) fn(step, k);
  }
};

/// The right-hand side of a step's product as a kernel reads it, packed or as it is. It has `groups` of
/// columns, `wide` for each unit: one group where every piece has all units, else one for each gate, and what
/// belongs to a piece is packed for itself.
template <class T> struct Factor {
  const PanelKernels<T>* run;
  const T* data;
  Index depth, units;
  Index groups = 1, wide = 1;
  Index next_group = 0, next_unit = 1, row = 0;  // how far apart they lie; rows where nothing is packed
  Index vectors = 0;                             // in a panel at most; 0: nothing is packed
};

}  // namespace fastnn::cpu

#if FASTNN_ENTRY
#include <cstdlib>
#include <cstring>
#include <optional>

#include "check.hpp"
#include "fastnn/gemm.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

/// How steps are shared out. Threads have sequences of their own, which they take through all steps; or,
/// where these are few and each step reads megabytes of weights, units of their own: each finds its part of
/// the weights in its own second-level cache, and all meet after every step.
class RnnSharing {
 public:
  /// columns: of r. lanes: of a vector.
  RnnSharing(const RnnShape& s, Index columns, Index lanes) : n_(s.n), units_(s.u), lanes_(lanes) {
    const Index multiplies = s.n * s.u * columns, vectors = s.u / lanes;
    const Index parts = std::max<Index>(2, vectors / kPartVectors);
    if (vectors >= kPartVectors && kFewSequences * s.n <= s.u && multiplies >= kStepMultiplies &&
        s.t * multiplies >= 2 * kGrainMultiplies && threads_for(parts) > 1)
      parts_ = parts;
  }

  bool by_units() const { return parts_ > 1; }

  /// Calls fn(k) for the parts of all units, in turn from the first and from the last. A thread has the same
  /// ones each time.
  template <class Fn> void each_part(Index step, const Fn& fn) const {
    const Index tasks = threads_for(parts_);
    parallel_tasks(tasks, [&](Index task) {
      const Index begin = parts_ * task / tasks, end = parts_ * (task + 1) / tasks;
      for (Index k = begin; k < end; ++k) fn(step % 2 ? begin + end - 1 - k : k);
    });
  }

  /// Part k of the units, for all sequences.
  RnnPiece part(Index k) const {
    const Index first = border(k);
    return {0, n_, first, border(k + 1) - first};
  }

  /// Calls fn(some steps, piece, scratch) for all pieces of all steps. A step of one sequence costs
  /// `multiplies`. scratch: `width` elements for each sequence.
  template <class T, class Fn>
  void each_piece(const RnnSteps& steps, Index multiplies, Index width, const Fn& fn) const {
    if (by_units()) {
      const Workspace<T> scratch(std::size_t(parts_ * n_ * width));
      steps.each([&](Index step, int phase) {
        const RnnSteps one{step, step + 1, phase};
        each_part(step, [&](Index k) { fn(one, part(k), scratch.data() + k * n_ * width); });
      });
    } else {
      const Index count = std::abs(steps.last - steps.first);
      each_part_of_batch(count * multiplies, [&](Index begin, Index end) {
        const Workspace<T> scratch(std::size_t((end - begin) * width));
        fn(steps, RnnPiece{begin, end, 0, units_}, scratch.data());
      });
    }
  }

 private:
  static constexpr Index kPartVectors = 8, kFewSequences = 16, kStepMultiplies = 128 * 1024;

  Index border(Index k) const { return std::min(units_, parts(units_, lanes_) * k / parts_ * lanes_); }

  /// Calls fn(begin, end) on the sequences, each of which costs `multiplies`. Every task reads all of r in
  /// each step: 16 sequences are worth that, or 8 where there would be one task only.
  template <class Fn> void each_part_of_batch(Index multiplies, const Fn& fn) const {
    const Index most = n_ >= 32 ? n_ / 16 : n_ / 8;
    const Index tasks = std::clamp<Index>(n_ * multiplies / kGrainMultiplies, 1, std::max<Index>(most, 1));
    if (n_ > 0) parallel_tasks(tasks, [&](Index k) { fn(n_ * k / tasks, n_ * (k + 1) / tasks); });
  }

  Index n_, units_, lanes_, parts_ = 1;
};

/// b, (depth, gates * u) from any strides, as the products of s.t steps read it: in panels, which even for
/// one sequence are 1.6 times as fast as plain rows (u = 128: b in the second-level cache); or b itself,
/// where a copy would hardly pay.
template <class T> class PackedFactor {
 public:
  PackedFactor(const RnnShape& s, const RnnSharing& sharing, const T* b, Index b_row, Index b_col,
               Index depth, Index gates)
      : factor_{&FASTNN_SELECT(panel_kernels<T>)(), b, depth, s.u} {
    Factor<T>& f = factor_;
    f.groups = sharing.by_units() ? gates : 1;
    f.wide = sharing.by_units() ? 1 : gates;
    f.next_group = s.u * b_col;
    f.next_unit = b_col;
    f.row = b_row;
    if (gates == 0 || (s.n <= 3 && s.t <= 2 && b_col == 1)) return;
    const PanelKernels<T>& run = *f.run;
    f.vectors = s.n == 1 ? run.row_vectors : run.tile_vectors;
    f.next_group = depth * up(s.u * f.wide, run.lanes);
    f.next_unit = depth * f.wide;
    T* const to = memory_.emplace(std::size_t(f.groups * f.next_group)).data();
    sharing.each_part(0, [&](Index k) {
      const RnnPiece piece = sharing.part(k);
      const Index cols = piece.count * f.wide, panels = run.panels(cols, f.vectors);
      for (Index group = 0; group < f.groups; ++group)
        run.pack(b + (group * s.u + piece.first) * f.wide * b_col, b_row, b_col,
                 to + group * f.next_group + piece.first * f.next_unit, depth, cols, panels, 0, panels);
    });
    f.data = to;
  }
  const Factor<T>& get() const { return factor_; }

 private:
  Factor<T> factor_;
  std::optional<Workspace<T>> memory_;
};

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
