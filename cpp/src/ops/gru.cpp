// Gated recurrent unit. Notation of the course: a^<t> is the hidden state (c^<t> there, which for this unit
// is the same), z the update gate (Gamma_u there, which keeps the new value; here, as in Keras, z keeps the
// old one), r the reset gate (Gamma_r), g the candidate (c with a tilde).
//
//   forward    x w + b for a block of steps at once, into `gates`
//              for each step of it, for some rows of the batch:
//                reset_after     p = b' + a r;  gates, p -> (z, r, g), a^<t>;  inner = p_h
//                else            gates += a r of z and r;  -> (z, r), inner = r * a;  gates += inner r of h;
//                -> g, a^<t>
//   backward   for each step from the last, for some rows: da^<t> -> dz, and da^<t-1> by the products with
//   r^T.
//              With reset_after the gradient of p differs from that of x w + b in its last third, so there
//              are two arrays of it. Weight gradients are products over all steps.
//
// Memory: gates (t, n, 3u), inner (t, n, u) and hidden (t + 1, n, u), kept only where a backward pass will
// follow.
#include "fastnn/gru.hpp"

#include "recurrent.hpp"

namespace fastnn::cpu {

/// A forward pass. What belongs to step k lies at k % slots, which are few where nothing is kept. r_gates:
/// what makes z and r, and with reset_after g as well; r_candidate: the rest.
template <class T> struct GruForward {
  RnnShape shape;
  RnnActivations activations;
  bool reset_after;
  Factor<T> r_gates, r_candidate;
  const T* b;  // of the recurrent products, or null
  const bool* mask;
  const T* drop;
  T *y, *gates, *inner, *hidden;
  Index gate_slots, inner_slots, hidden_slots;

  T* gate(Index step, Index row) const { return gates + (step % gate_slots * shape.n + row) * 3 * shape.u; }
  T* state(Index step, Index row) const { return hidden + (step % hidden_slots * shape.n + row) * shape.u; }
  T* inside(Index step, Index row) const { return inner + (step % inner_slots * shape.n + row) * shape.u; }
};

template <class T> struct GruBackward {
  RnnShape shape;
  RnnActivations activations;
  bool reset_after;
  Factor<T> r_gates, r_candidate;  // transposed
  const bool* mask;
  const T *drop, *gates, *inner, *hidden, *dy;
  T *dz, *dp, *dh;  // dp: with reset_after the gradient of p, else dz itself
  bool first;       // whether the gradient of the first state is wanted
};

template <class T> struct GruKernels {
  /// Sequences [begin, end) through steps [first, last). scratch: (end - begin, 4u).
  void (*forward)(const GruForward<T>&, Index first, Index last, Index begin, Index end, T* scratch);
  /// The same through all steps.
  void (*backward)(const GruBackward<T>&, Index begin, Index end, T* scratch);
};

FASTNN_DECLARE(const GruKernels<T>&, gru_kernels, ())

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "recurrent_kernel.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// z h + (1 - z) g
template <class V> static inline V mixed(V z, V h, V g) { return fma(z, h - g, g); }

/// One row of a step with reset_after. z: x w + b, becomes what is kept; p: the recurrent products.
template <class Candidate, class Gate, class T> static void gru_row_after(const Candidate& candidate,
                                                                          const Gate& gate, T* z, const T* p,
                                                                          const T* before, T* h, Index u) {
  row_each<T>(u, [&](auto at) {
    const auto update = gate.keep(at.load(z) + at.load(p)),
               reset = gate.keep(at.load(z + u) + at.load(p + u));
    const auto g = candidate.keep(fma(gate.value(reset), at.load(p + 2 * u), at.load(z + 2 * u)));
    at.store(z, update);
    at.store(z + u, reset);
    at.store(z + 2 * u, g);
    at.store(h, mixed(gate.value(update), at.load(before), candidate.value(g)));
  });
}

/// The gates of one row, and inner = r * a.
template <class Gate, class T>
static void gru_row_gates(const Gate& gate, T* z, const T* a, T* inner, Index u) {
  row_each<T>(u, [&](auto at) {
    const auto reset = gate.keep(at.load(z + u));
    at.store(z, gate.keep(at.load(z)));
    at.store(z + u, reset);
    at.store(inner, gate.value(reset) * at.load(a));
  });
}

/// The candidate and the state of one row.
template <class Candidate, class Gate, class T>
static void gru_row_candidate(const Candidate& candidate, const Gate& gate, T* z, const T* before, T* h,
                              Index u) {
  row_each<T>(u, [&](auto at) {
    const auto g = candidate.keep(at.load(z + 2 * u));
    at.store(z + 2 * u, g);
    at.store(h, mixed(gate.value(at.load(z)), at.load(before), candidate.value(g)));
  });
}

template <class Candidate, class Gate, class T>
static void gru_steps(const GruForward<T>& f, const Candidate& candidate, const Gate& gate, Index first,
                      Index last, Index begin, Index end, T* scratch) {
  const RnnShape& s = f.shape;
  const Index rows = end - begin, u = s.u;
  T* const p = scratch + rows * u;
  for (Index step = first; step < last; ++step) {
    const T* a = f.state(step, begin);
    if (f.drop) {
      multiply_row(a, f.drop + begin * u, scratch, rows * u);
      a = scratch;
    }
    T* const z = f.gate(step, begin);
    if (f.reset_after) {
      for (Index row = 0; row < rows; ++row)
        f.b ? copy_row(f.b, p + row * 3 * u, 3 * u) : zero_row(p + row * 3 * u, 3 * u);
      f.r_gates.multiply_onto(a, u, p, 3 * u, rows, step);
      for (Index row = 0; row < rows; ++row) {
        gru_row_after(candidate, gate, z + row * 3 * u, p + row * 3 * u, f.state(step, begin + row),
                      f.state(step + 1, begin + row), u);
        if (f.inner_slots > 1) copy_row(p + (row * 3 + 2) * u, f.inside(step, begin + row), u);
      }
    } else {
      f.r_gates.multiply_onto(a, u, z, 3 * u, rows, step);
      for (Index row = 0; row < rows; ++row)
        gru_row_gates(gate, z + row * 3 * u, a + row * u, f.inside(step, begin + row), u);
      f.r_candidate.multiply_onto(f.inside(step, begin), u, z + 2 * u, 3 * u, rows, step);
      for (Index row = 0; row < rows; ++row)
        gru_row_candidate(candidate, gate, z + row * 3 * u, f.state(step, begin + row),
                          f.state(step + 1, begin + row), u);
    }
    for (Index row = begin; row < end; ++row) {
      T* const h = f.state(step + 1, row);
      const bool masked = is_masked(f.mask, s, row, step);
      if (masked) copy_row(f.state(step, row), h, u);
      put_output(h, f.y, s, row, step, masked);
    }
  }
}

template <class T>
static void gru_forward(const GruForward<T>& f, Index first, Index last, Index begin, Index end, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto& gate) {
    gru_steps(f, candidate, gate, first, last, begin, end, scratch);
  });
}

/// One row of a step backwards: dh becomes its share that goes straight to the state before, z da; the
/// gradients of z and of the candidate's argument are stored.
template <class Candidate, class Gate, class T>
static void gru_row_backward(const Candidate& candidate, const Gate& gate, const T* kept, const T* before,
                             T* dh, T* dz, Index u) {
  using V = Vec<T>;
  row_each<T>(u, [&](auto at) {
    const V update = at.load(kept), g = at.load(kept + 2 * u), z = gate.value(update), da = at.load(dh);
    at.store(dz, da * (at.load(before) - candidate.value(g)) * gate.slope(update));
    at.store(dz + 2 * u, da * (V::set(1) - z) * candidate.slope(g));
    at.store(dh, da * z);
  });
}

/// With reset_after: the gradient of r, and that of p.
template <class Gate, class T>
static void gru_row_reset_after(const Gate& gate, const T* kept, const T* inner, T* dz, T* dp, Index u) {
  row_each<T>(u, [&](auto at) {
    const auto reset = at.load(kept + u), dg = at.load(dz + 2 * u);
    const auto d = dg * at.load(inner) * gate.slope(reset);
    at.store(dz + u, d);
    at.store(dp, at.load(dz));
    at.store(dp + u, d);
    at.store(dp + 2 * u, dg * gate.value(reset));
  });
}

/// Without: from the gradient of inner = r * a, that of r and its share of the state's. drop: a's factors, or
/// null.
template <class Gate, class T> static void gru_row_reset(const Gate& gate, const T* kept, const T* before,
                                                         const T* drop, const T* dinner, T* dz, T* dh,
                                                         Index u) {
  using V = Vec<T>;
  row_each<T>(u, [&](auto at) {
    const V reset = at.load(kept + u), factor = drop ? at.load(drop) : V::set(1),
            d = at.load(dinner) * factor;
    at.store(dz + u, d * at.load(before) * gate.slope(reset));
    at.store(dh, fma(d, gate.value(reset), at.load(dh)));
  });
}

template <class Candidate, class Gate, class T>
static void gru_steps_backward(const GruBackward<T>& f, const Candidate& candidate, const Gate& gate,
                               Index begin, Index end, T* scratch) {
  const RnnShape& s = f.shape;
  const Index rows = end - begin, u = s.u;
  T* const dh = f.dh + begin * u;
  for (Index step = s.t - 1; step >= 0; --step) {
    const Index first = step * s.n + begin;
    T *const dz = f.dz + first * 3 * u, *const dp = f.dp + first * 3 * u;
    const T *const kept = f.gates + first * 3 * u, *const before = f.hidden + first * u;
    const auto masked = [&](Index row) { return is_masked(f.mask, s, begin + row, step); };
    for (Index row = 0; row < rows; ++row) {
      const Index at = row * u;
      add_output_slope(f.dy, dh + at, s, begin + row, step, masked(row));
      if (masked(row)) {
        zero_row(dz + 3 * at, 3 * u);
        if (f.reset_after) zero_row(dp + 3 * at, 3 * u);
      } else {
        gru_row_backward(candidate, gate, kept + 3 * at, before + at, dh + at, dz + 3 * at, u);
        if (f.reset_after)
          gru_row_reset_after(gate, kept + 3 * at, f.inner + first * u + at, dz + 3 * at, dp + 3 * at, u);
      }
    }
    if (!f.reset_after) {
      zero_row(scratch, rows * u);
      f.r_candidate.multiply_onto(dz + 2 * u, 3 * u, scratch, u, rows, step);
      for (Index row = 0; row < rows; ++row)
        if (const Index at = row * u; !masked(row))
          gru_row_reset(gate, kept + 3 * at, before + at, f.drop ? f.drop + begin * u + at : nullptr,
                        scratch + at, dz + 3 * at, dh + at, u);
    }
    if (step == 0 && !f.first) break;
    if (!f.drop) {
      f.r_gates.multiply_onto(dp, 3 * u, dh, u, rows, step);
    } else {
      zero_row(scratch, rows * u);
      f.r_gates.multiply_onto(dp, 3 * u, scratch, u, rows, step);
      add_product_row(scratch, f.drop + begin * u, dh, rows * u);
    }
  }
}

template <class T> static void gru_backward(const GruBackward<T>& f, Index begin, Index end, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto& gate) {
    gru_steps_backward(f, candidate, gate, begin, end, scratch);
  });
}

template <class T> const GruKernels<T>& gru_kernels() {
  static constexpr GruKernels<T> kKernels{&gru_forward<T>, &gru_backward<T>};
  return kKernels;
}
FASTNN_INSTANTIATE(gru_kernels)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------

namespace fastnn::cpu {

template <class T> void gru(const T* x, const T* w, const T* r, const T* b, const T* h0, const bool* mask,
                            const T* drop, T* y, T* h, T* gates, T* inner, T* hidden, const RnnShape& s,
                            const RnnActivations& activations, bool reset_after) {
  s.check("gru");
  const bool keep = gates != nullptr;
  const Index columns = 3 * s.u, hidden_slots = keep ? s.t + 1 : 2,
              inner_slots = keep ? std::max<Index>(s.t, 2) : 1;
  const Index block = steps_in_block(s, columns * Index(sizeof(T))), gate_slots = keep ? s.t : block;
  const Workspace<T> memory(std::size_t(keep ? 0 : block * 3 * s.state() + 3 * s.state()));
  if (!keep) {
    hidden = memory.data();
    inner = hidden + 2 * s.state();
    gates = inner + s.state();
  }
  copy_or_zero(h0, hidden, s.state());
  if (s.t > 0 && s.state() > 0) {
    const auto& run = FASTNN_SELECT(gru_kernels<T>)();
    const TimeMajor<T> by_time(x, s);
    const Index gate_columns = reset_after ? columns : 2 * s.u;
    const PackedFactor<T> factor(s, r, columns, 1, s.u, gate_columns);
    const PackedFactor<T> rest(s, r + gate_columns, columns, 1, s.u, columns - gate_columns);
    const T* const b_recurrent = reset_after && b ? b + columns : nullptr;
    const GruForward<T> forward{s,          activations, reset_after, factor.get(), rest.get(), b_recurrent,
                                mask,       drop,        y,           gates,        inner,      hidden,
                                gate_slots, inner_slots, hidden_slots};
    each_block_of_steps(s, block, [&](Index first, Index last) {
      gemm<T>(by_time.data() + first * s.n * s.i, w, forward.gate(first, 0),
              GemmShape::dense((last - first) * s.n, columns, s.i), {b});
      each_part_of_batch(s.n, (last - first) * s.u * columns, [&](Index begin, Index end) {
        const Workspace<T> scratch(std::size_t((end - begin) * 4 * s.u));
        run.forward(forward, first, last, begin, end, scratch.data());
      });
    });
  }
  if (h) copy_or_zero(hidden + s.t % hidden_slots * s.state(), h, s.state());
}
FASTNN_INSTANTIATE(gru)

template <class T> void gru_backward(const T* x, const T* w, const T* r, const bool* mask, const T* drop,
                                     const T* gates, const T* inner, const T* hidden, const T* dy,
                                     const T* dh, T* dx, T* dw, T* dr, T* db, T* dh0, const RnnShape& s,
                                     const RnnActivations& activations, bool reset_after) {
  s.check("gru_backward");
  const Index rows = s.t * s.n, columns = 3 * s.u, gate_columns = reset_after ? columns : 2 * s.u;
  const Workspace<T> products(std::size_t(rows * columns * (reset_after ? 2 : 1)));
  const Workspace<T> state(std::size_t(s.state()));
  T* const dz = products.data();
  T* const dp = reset_after ? dz + rows * columns : dz;
  T* const dh_now = dh0 ? dh0 : state.data();
  copy_or_zero(dh, dh_now, s.state());
  if (rows > 0 && s.u > 0) {
    const auto& run = FASTNN_SELECT(gru_kernels<T>)();
    const PackedFactor<T> factor(s, r, 1, columns, gate_columns, s.u);
    const PackedFactor<T> rest(s, r + gate_columns, 1, columns, columns - gate_columns, s.u);
    const GruBackward<T> backward{s,    activations, reset_after, factor.get(), rest.get(),
                                  mask, drop,        gates,       inner,        hidden,
                                  dy,   dz,          dp,          dh_now,       dh0 != nullptr};
    each_part_of_batch(s.n, s.t * s.u * columns, [&](Index begin, Index end) {
      const Workspace<T> scratch(std::size_t((end - begin) * 4 * s.u));
      run.backward(backward, begin, end, scratch.data());
    });
  }
  input_gradients(x, w, dz, dx, dw, db, s, columns);
  if (db && reset_after) column_sums(dp, db + columns, rows, columns);
  if (dr) recurrent_gradient(hidden, drop, dp, columns, dr, columns, s, gate_columns);
  if (dr && !reset_after)
    recurrent_gradient<T>(inner, nullptr, dz + gate_columns, columns, dr + gate_columns, columns, s, s.u);
}
FASTNN_INSTANTIATE(gru_backward)

}  // namespace fastnn::cpu
#endif
