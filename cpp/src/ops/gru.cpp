// Gated recurrent unit. Notation of the course: a^<t> is the hidden state (c^<t> there, which for this unit
// is the same), z the update gate (Gamma_u there, which keeps the new value; here, as in Keras, z keeps the
// old one), r the reset gate (Gamma_r), g the candidate (c with a tilde).
//
//   forward    x w + b for a block of steps at once, into `gates`
//              for each step of it, for some rows of the batch, or some units of all:
//                reset_after     p = b' + a r;  gates, p -> (z, r, g), a^<t>;  inner = p_h
//                else            gates += a r of z and r;  -> (z, r), inner = r * a;  gates += inner r of h;
//                -> g, a^<t>
//   backward   for each step from the last, in the same pieces: da^<t> -> dz, and da^<t-1> by the products
//   with r^T.
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
};

/// Without reset_after a step has two phases, as what the candidate's product reads is made of the reset
/// gates.
template <class T> struct GruKernels {
  /// A piece of some steps. scratch: (rows, 4u).
  void (*forward)(const GruForward<T>&, const RnnSteps&, const RnnPiece&, T* scratch);
  /// The same; before, the gradient of a step's state gets its share of the step after it. From the last step
  /// on; -1: that share alone.
  void (*backward)(const GruBackward<T>&, const RnnSteps&, const RnnPiece&, T* scratch);
};

FASTNN_DECLARE(const GruKernels<T>&, gru_kernels, ())

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "recurrent_kernel.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// z h + (1 - z) g
template <class V> static inline V mixed(V z, V h, V g) { return fma(z, h - g, g); }

/// One row of a step with reset_after, `count` of its u units. z: x w + b, becomes what is kept; p: the
/// recurrent products.
template <class Candidate, class Gate, class T>
static void gru_row_after(const Candidate& candidate, const Gate& gate, T* z, const T* p, const T* before,
                          T* h, Index u, Index count) {
  row_each<T>(count, [&](auto at) {
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
static void gru_row_gates(const Gate& gate, T* z, const T* a, T* inner, Index u, Index count) {
  row_each<T>(count, [&](auto at) {
    const auto reset = gate.keep(at.load(z + u));
    at.store(z, gate.keep(at.load(z)));
    at.store(z + u, reset);
    at.store(inner, gate.value(reset) * at.load(a));
  });
}

/// The candidate and the state of one row.
template <class Candidate, class Gate, class T>
static void gru_row_candidate(const Candidate& candidate, const Gate& gate, T* z, const T* before, T* h,
                              Index u, Index count) {
  row_each<T>(count, [&](auto at) {
    const auto g = candidate.keep(at.load(z + 2 * u));
    at.store(z + 2 * u, g);
    at.store(h, mixed(gate.value(at.load(z)), at.load(before), candidate.value(g)));
  });
}

/// The first or only product of a step, and what follows from it: with reset_after the new states, else the
/// gates and the candidate's r * a.
template <class Candidate, class Gate, class T>
static void gru_step(const GruForward<T>& f, const Candidate& candidate, const Gate& gate, Index step,
                     const RnnPiece& piece, T* scratch) {
  const RnnShape& s = f.shape;
  const Index u = s.u, first = piece.first, count = piece.count, rows = piece.rows();
  const T* const before = f.state(step, piece.begin);
  const T* const a = dropped(before, f.drop, s, piece, scratch);
  T *const z = f.gate(step, piece.begin), *const inner = f.inside(step, piece.begin);
  if (!f.reset_after) {
    multiply_onto(f.r_gates, a, u, z, 3 * u, step, piece);
    for (Index at = first; at < rows * u; at += u)
      gru_row_gates(gate, z + 3 * (at - first) + first, a + at, inner + at, u, count);
    return;
  }
  T *const p = scratch + rows * u, *const h = f.state(step + 1, piece.begin);
  for (Index k = 0; k < 3 * rows; ++k) {
    T* const to = p + k * u + first;
    f.b ? copy_row(f.b + k % 3 * u + first, to, count) : zero_row(to, count);
  }
  multiply_onto(f.r_gates, a, u, p, 3 * u, step, piece);
  for (Index at = first; at < rows * u; at += u) {
    const Index of_gates = 3 * (at - first) + first;
    gru_row_after(candidate, gate, z + of_gates, p + of_gates, before + at, h + at, u, count);
    if (f.inner_slots > 1) copy_row(p + of_gates + 2 * u, inner + at, count);
  }
}

/// The candidate's product without reset_after, and the new states.
template <class Candidate, class Gate, class T>
static void gru_step_candidate(const GruForward<T>& f, const Candidate& candidate, const Gate& gate,
                               Index step, const RnnPiece& piece) {
  const Index u = f.shape.u, first = piece.first;
  const T* const before = f.state(step, piece.begin);
  T *const z = f.gate(step, piece.begin), *const h = f.state(step + 1, piece.begin);
  multiply_onto(f.r_candidate, f.inside(step, piece.begin), u, z + 2 * u, 3 * u, step, piece);
  for (Index at = first; at < piece.rows() * u; at += u)
    gru_row_candidate(candidate, gate, z + 3 * (at - first) + first, before + at, h + at, u, piece.count);
}

template <class T> static void gru_outputs(const GruForward<T>& f, Index step, const RnnPiece& piece) {
  if (!f.mask && !f.y) return;
  const T* const before = f.state(step, piece.begin);
  T* const h = f.state(step + 1, piece.begin);
  for (Index row = 0; row < piece.rows(); ++row) {
    const Index at = row * f.shape.u + piece.first;
    const bool masked = is_masked(f.mask, f.shape, piece.begin + row, step);
    if (masked) copy_row(before + at, h + at, piece.count);
    put_output(h + at, f.y, f.shape, piece.begin + row, step, piece, masked);
  }
}

template <class T>
static void gru_forward(const GruForward<T>& f, const RnnSteps& steps, const RnnPiece& piece, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto& gate) {
    steps.each([&](Index step, int phase) {
      if (phase == 0)
        gru_step(f, candidate, gate, step, piece, scratch);
      else
        gru_step_candidate(f, candidate, gate, step, piece);
      if (f.reset_after || phase == 1) gru_outputs(f, step, piece);
    });
  });
}

/// One row of a step backwards: dh becomes its share that goes straight to the state before, z da; the
/// gradients of z and of the candidate's argument are stored.
template <class Candidate, class Gate, class T>
static void gru_row_backward(const Candidate& candidate, const Gate& gate, const T* kept, const T* before,
                             T* dh, T* dz, Index u, Index count) {
  using V = Vec<T>;
  row_each<T>(count, [&](auto at) {
    const V update = at.load(kept), g = at.load(kept + 2 * u), z = gate.value(update), da = at.load(dh);
    at.store(dz, da * (at.load(before) - candidate.value(g)) * gate.slope(update));
    at.store(dz + 2 * u, da * (V::set(1) - z) * candidate.slope(g));
    at.store(dh, da * z);
  });
}

/// With reset_after: the gradient of r, and that of p.
template <class Gate, class T> static void gru_row_reset_after(const Gate& gate, const T* kept,
                                                               const T* inner, T* dz, T* dp, Index u,
                                                               Index count) {
  row_each<T>(count, [&](auto at) {
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
                                                         Index u, Index count) {
  using V = Vec<T>;
  row_each<T>(count, [&](auto at) {
    const V reset = at.load(kept + u), factor = drop ? at.load(drop) : V::set(1),
            d = at.load(dinner) * factor;
    at.store(dz + u, d * at.load(before) * gate.slope(reset));
    at.store(dh, fma(d, gate.value(reset), at.load(dh)));
  });
}

/// The last share of the gradient of a step's states, and what follows from it but, without reset_after, the
/// gradient of the reset gates.
template <class Candidate, class Gate, class T>
static void gru_step_backward(const GruBackward<T>& f, const Candidate& candidate, const Gate& gate,
                              Index step, const RnnPiece& piece, T* scratch) {
  const RnnShape& s = f.shape;
  const Index u = s.u, count = piece.count;
  if (step + 1 < s.t)
    add_state_slope(f.r_gates, f.dp + ((step + 1) * s.n + piece.begin) * 3 * u, 3 * u, f.drop, f.dh, s,
                    step + 1, piece, scratch);
  if (step < 0) return;
  for (Index row = piece.begin; row < piece.end; ++row) {
    const Index at = (step * s.n + row) * u + piece.first,
                of_gates = (step * s.n + row) * 3 * u + piece.first;
    T *const dh = f.dh + row * u + piece.first, *const dz = f.dz + of_gates, *const dp = f.dp + of_gates;
    const T* const kept = f.gates + of_gates;
    const bool masked = is_masked(f.mask, s, row, step);
    add_output_slope(f.dy, dh, s, row, step, piece, masked);
    if (masked) {
      zero_gates(dz, 3, u, count);
      if (f.reset_after) zero_gates(dp, 3, u, count);
    } else {
      gru_row_backward(candidate, gate, kept, f.hidden + at, dh, dz, u, count);
      if (f.reset_after) gru_row_reset_after(gate, kept, f.inner + at, dz, dp, u, count);
    }
  }
}

/// Without reset_after: the gradients of the reset gates, by way of the candidate's product.
template <class Gate, class T> static void gru_step_reset(const GruBackward<T>& f, const Gate& gate,
                                                          Index step, const RnnPiece& piece, T* scratch) {
  const RnnShape& s = f.shape;
  const Index u = s.u, first = piece.first;
  for (Index row = 0; row < piece.rows(); ++row) zero_row(scratch + row * u + first, piece.count);
  multiply_onto(f.r_candidate, f.dz + (step * s.n + piece.begin) * 3 * u + 2 * u, 3 * u, scratch, u, step,
                piece);
  for (Index row = piece.begin; row < piece.end; ++row) {
    if (is_masked(f.mask, s, row, step)) continue;
    const Index now = row * u + first, of_gates = (step * s.n + row) * 3 * u + first;
    gru_row_reset(gate, f.gates + of_gates, f.hidden + step * s.n * u + now, f.drop ? f.drop + now : nullptr,
                  scratch + now - piece.begin * u, f.dz + of_gates, f.dh + now, u, piece.count);
  }
}

template <class T>
static void gru_backward(const GruBackward<T>& f, const RnnSteps& steps, const RnnPiece& piece, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto& gate) {
    steps.each([&](Index step, int phase) {
      if (phase == 0)
        gru_step_backward(f, candidate, gate, step, piece, scratch);
      else if (step >= 0)
        gru_step_reset(f, gate, step, piece, scratch);
    });
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
    const Index gates_first = reset_after ? 3 : 2;
    const RnnSharing sharing(s, columns, FASTNN_SELECT(panel_kernels<T>)().lanes);
    const PackedFactor<T> factor(s, sharing, r, columns, 1, s.u, gates_first);
    const PackedFactor<T> rest(s, sharing, r + gates_first * s.u, columns, 1, s.u, 3 - gates_first);
    const T* const b_recurrent = reset_after && b ? b + columns : nullptr;
    const GruForward<T> forward{s,          activations, reset_after, factor.get(), rest.get(), b_recurrent,
                                mask,       drop,        y,           gates,        inner,      hidden,
                                gate_slots, inner_slots, hidden_slots};
    each_block_of_steps(s, block, [&](Index first, Index last) {
      gemm<T>(by_time.data() + first * s.n * s.i, w, forward.gate(first, 0),
              GemmShape::dense((last - first) * s.n, columns, s.i), {b});
      sharing.each_piece<T>({first, last, 0, reset_after ? 1 : 2}, columns * s.u, 4 * s.u,
                            [&](const auto&... piece) { run.forward(forward, piece...); });
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
    const RnnSharing sharing(s, columns, FASTNN_SELECT(panel_kernels<T>)().lanes);
    const PackedFactor<T> factor(s, sharing, r, 1, columns, gate_columns, 1);
    const PackedFactor<T> rest(s, sharing, r + gate_columns, 1, columns, columns - gate_columns, 1);
    const GruBackward<T> backward{s,     activations, reset_after, factor.get(), rest.get(), mask, drop,
                                  gates, inner,       hidden,      dy,           dz,         dp,   dh_now};
    sharing.each_piece<T>({s.t - 1, dh0 ? -2 : -1, 0, reset_after ? 1 : 2}, columns * s.u, s.u,
                          [&](const auto&... piece) { run.backward(backward, piece...); });
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
