// Long short-term memory. Notation of the course: a^<t> is the hidden state, c^<t> the cell, gates are i
// (input, "update" there), f (forget) and o (output), and the candidate, c with a tilde, is written g here.
//
//   forward    z = x w + b for a block of steps at once, into `gates`
//              for each step of it, for some rows of the batch, or some units of all:
//              z += a^<t-1> r;  z -> (i, f, g, o), c^<t>, a^<t>
//   backward   for each step from the last, in the same pieces:  da^<t>, dc^<t> -> dz;  da^<t-1> = dz r^T
//              dw = x^T dz, dr = a^T dz, db = sum of dz, dx = dz w^T, each one product over all steps
//
// Memory: gates (t, n, 4u), cells and hidden (t + 1, n, u), kept only where a backward pass will follow;
// dz (t, n, 4u) during that pass. tanh(c^<t>) is computed again there, which costs what reading it would.
#include "fastnn/lstm.hpp"

#include "recurrent.hpp"

namespace fastnn::cpu {

/// A forward pass. What belongs to step k lies at k % slots, which are few where nothing is kept.
template <class T> struct LstmForward {
  RnnShape shape;
  RnnActivations activations;
  Factor<T> r;
  const bool* mask;
  const T* drop;
  T *y, *gates, *cells, *hidden;
  Index gate_slots, cell_slots, hidden_slots;

  T* gate(Index step, Index row) const { return gates + (step % gate_slots * shape.n + row) * 4 * shape.u; }
  T* cell(Index step, Index row) const { return cells + (step % cell_slots * shape.n + row) * shape.u; }
  T* state(Index step, Index row) const { return hidden + (step % hidden_slots * shape.n + row) * shape.u; }
};

template <class T> struct LstmBackward {
  RnnShape shape;
  RnnActivations activations;
  Factor<T> r_transposed;
  const bool* mask;
  const T *drop, *gates, *cells, *dy;
  T *dz, *dh, *dc;
};

template <class T> struct LstmKernels {
  /// A piece of some steps. scratch: (rows, u), used with dropout.
  void (*forward)(const LstmForward<T>&, const RnnSteps&, const RnnPiece&, T* scratch);
  /// The same; before, the gradient of a step's state gets its share of the step after it. From the last step
  /// on; -1: that share alone.
  void (*backward)(const LstmBackward<T>&, const RnnSteps&, const RnnPiece&, T* scratch);
};

FASTNN_DECLARE(const LstmKernels<T>&, lstm_kernels, ())

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "recurrent_kernel.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// One row of a step, `count` of its u units: z (4u), with the recurrent product in it, becomes what is kept
/// of the gates.
template <class Candidate, class Gate, class T>
static void lstm_row(const Candidate& candidate, const Gate& gate, T* z, const T* c_before, T* c, T* h,
                     Index u, Index count) {
  using V = Vec<T>;
  row_each<T>(count, [&](auto at) {
    const V i = gate.keep(at.load(z)), f = gate.keep(at.load(z + u));
    const V g = candidate.keep(at.load(z + 2 * u)), o = gate.keep(at.load(z + 3 * u));
    const V now = fma(gate.value(f), at.load(c_before), gate.value(i) * candidate.value(g));
    at.store(z, i);
    at.store(z + u, f);
    at.store(z + 2 * u, g);
    at.store(z + 3 * u, o);
    at.store(c, now);
    at.store(h, gate.value(o) * candidate.value(candidate.keep(now)));
  });
}

template <class Candidate, class Gate, class T>
static void lstm_step(const LstmForward<T>& f, const Candidate& candidate, const Gate& gate, Index step,
                      const RnnPiece& piece, T* scratch) {
  const RnnShape& s = f.shape;
  const T *const before = f.state(step, piece.begin), *const c_before = f.cell(step, piece.begin);
  T *const h = f.state(step + 1, piece.begin), *const c = f.cell(step + 1, piece.begin);
  T* const z = f.gate(step, piece.begin);
  multiply_onto(f.r, dropped(before, f.drop, s, piece, scratch), s.u, z, 4 * s.u, step, piece);
  for (Index row = 0; row < piece.rows(); ++row) {
    const Index at = row * s.u + piece.first;
    const bool masked = is_masked(f.mask, s, piece.begin + row, step);
    if (masked) {
      copy_row(before + at, h + at, piece.count);
      copy_row(c_before + at, c + at, piece.count);
    } else {
      lstm_row(candidate, gate, z + row * 4 * s.u + piece.first, c_before + at, c + at, h + at, s.u,
               piece.count);
    }
    put_output(h + at, f.y, s, piece.begin + row, step, piece, masked);
  }
}

template <class T>
static void lstm_forward(const LstmForward<T>& f, const RnnSteps& steps, const RnnPiece& piece, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto& gate) {
    steps.each([&](Index step, int) { lstm_step(f, candidate, gate, step, piece, scratch); });
  });
}

/// One row of a step backwards: dh, dc become dz and the dc of the step before; dh becomes 0.
template <class Candidate, class Gate, class T>
static void lstm_row_backward(const Candidate& candidate, const Gate& gate, const T* kept, const T* c_before,
                              const T* c, T* dh, T* dc, T* dz, Index u, Index count) {
  using V = Vec<T>;
  row_each<T>(count, [&](auto at) {
    const V i = at.load(kept), f = at.load(kept + u), g = at.load(kept + 2 * u), o = at.load(kept + 3 * u);
    const V out = candidate.keep(at.load(c)), da = at.load(dh);
    const V d = fma(da * gate.value(o), candidate.slope(out), at.load(dc));
    at.store(dz, d * candidate.value(g) * gate.slope(i));
    at.store(dz + u, d * at.load(c_before) * gate.slope(f));
    at.store(dz + 2 * u, d * gate.value(i) * candidate.slope(g));
    at.store(dz + 3 * u, da * candidate.value(out) * gate.slope(o));
    at.store(dc, d * gate.value(f));
    at.store(dh, V::set(0));
  });
}

template <class Candidate, class Gate, class T>
static void lstm_step_backward(const LstmBackward<T>& f, const Candidate& candidate, const Gate& gate,
                               Index step, const RnnPiece& piece, T* scratch) {
  const RnnShape& s = f.shape;
  if (step + 1 < s.t)
    add_state_slope(f.r_transposed, f.dz + ((step + 1) * s.n + piece.begin) * 4 * s.u, 4 * s.u, f.drop, f.dh,
                    s, step + 1, piece, scratch);
  if (step < 0) return;
  for (Index row = piece.begin; row < piece.end; ++row) {
    const Index at = (step * s.n + row) * s.u + piece.first, now = row * s.u + piece.first;
    T* const dz = f.dz + (step * s.n + row) * 4 * s.u + piece.first;
    const bool masked = is_masked(f.mask, s, row, step);
    add_output_slope(f.dy, f.dh + now, s, row, step, piece, masked);
    if (masked)
      zero_gates(dz, 4, s.u, piece.count);
    else
      lstm_row_backward(candidate, gate, f.gates + (dz - f.dz), f.cells + at, f.cells + at + s.n * s.u,
                        f.dh + now, f.dc + now, dz, s.u, piece.count);
  }
}

template <class T> static void lstm_backward(const LstmBackward<T>& f, const RnnSteps& steps,
                                             const RnnPiece& piece, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto& gate) {
    steps.each([&](Index step, int) { lstm_step_backward(f, candidate, gate, step, piece, scratch); });
  });
}

template <class T> const LstmKernels<T>& lstm_kernels() {
  static constexpr LstmKernels<T> kKernels{&lstm_forward<T>, &lstm_backward<T>};
  return kKernels;
}
FASTNN_INSTANTIATE(lstm_kernels)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------

namespace fastnn {

void RnnShape::check(const char* op) const {
  fastnn::check(op, n >= 0 && t >= 0 && i >= 0 && u >= 0, "expected n, t, i, u >= 0, got (", n, ", ", t, ", ",
                i, ", ", u, ")");
}

namespace cpu {

template <class T> void lstm(const T* x, const T* w, const T* r, const T* b, const T* h0, const T* c0,
                             const bool* mask, const T* drop, T* y, T* h, T* c, T* gates, T* cells, T* hidden,
                             const RnnShape& s, const RnnActivations& activations) {
  s.check("lstm");
  const bool keep = gates != nullptr;
  const Index block = steps_in_block(s, 4 * s.u * Index(sizeof(T))), gate_slots = keep ? s.t : block;
  const Index cell_slots = keep ? s.t + 1 : 1, hidden_slots = keep ? s.t + 1 : 2;
  const Workspace<T> memory(std::size_t(keep ? 0 : block * 4 * s.state() + 3 * s.state()));
  if (!keep) {
    hidden = memory.data();
    cells = hidden + 2 * s.state();
    gates = cells + s.state();
  }
  copy_or_zero(h0, hidden, s.state());
  copy_or_zero(c0, cells, s.state());
  if (s.t > 0 && s.state() > 0) {
    const auto& run = FASTNN_SELECT(lstm_kernels<T>)();
    const TimeMajor<T> by_time(x, s);
    const RnnSharing sharing(s, 4 * s.u, FASTNN_SELECT(panel_kernels<T>)().lanes);
    const PackedFactor<T> factor(s, sharing, r, 4 * s.u, 1, s.u, 4);
    const LstmForward<T> forward{s,     activations, factor.get(), mask,       drop,       y,
                                 gates, cells,       hidden,       gate_slots, cell_slots, hidden_slots};
    each_block_of_steps(s, block, [&](Index first, Index last) {
      gemm<T>(by_time.data() + first * s.n * s.i, w, forward.gate(first, 0),
              GemmShape::dense((last - first) * s.n, 4 * s.u, s.i), {b});
      sharing.each_piece<T>({first, last}, 4 * s.u * s.u, drop ? s.u : 0,
                            [&](const auto&... piece) { run.forward(forward, piece...); });
    });
  }
  if (h) copy_or_zero(hidden + s.t % hidden_slots * s.state(), h, s.state());
  if (c) copy_or_zero(cells + s.t % cell_slots * s.state(), c, s.state());
}
FASTNN_INSTANTIATE(lstm)

template <class T> void lstm_backward(const T* x, const T* w, const T* r, const bool* mask, const T* drop,
                                      const T* gates, const T* cells, const T* hidden, const T* dy,
                                      const T* dh, const T* dc, T* dx, T* dw, T* dr, T* db, T* dh0, T* dc0,
                                      const RnnShape& s, const RnnActivations& activations) {
  s.check("lstm_backward");
  const Index rows = s.t * s.n;
  const Workspace<T> products(std::size_t(rows * 4 * s.u)), states(std::size_t(2 * s.state()));
  T* const dz = products.data();
  T* const dh_now = dh0 ? dh0 : states.data();
  T* const dc_now = dc0 ? dc0 : states.data() + s.state();
  copy_or_zero(dh, dh_now, s.state());
  copy_or_zero(dc, dc_now, s.state());
  if (rows > 0 && s.u > 0) {
    const auto& run = FASTNN_SELECT(lstm_kernels<T>)();
    const RnnSharing sharing(s, 4 * s.u, FASTNN_SELECT(panel_kernels<T>)().lanes);
    const PackedFactor<T> factor(s, sharing, r, 1, 4 * s.u, 4 * s.u, 1);
    const LstmBackward<T> backward{s,     activations, factor.get(), mask,   drop,  gates,
                                   cells, dy,          dz,           dh_now, dc_now};
    sharing.each_piece<T>({s.t - 1, dh0 ? -2 : -1}, 4 * s.u * s.u, drop ? s.u : 0,
                          [&](const auto&... piece) { run.backward(backward, piece...); });
  }
  input_gradients(x, w, dz, dx, dw, db, s, 4 * s.u);
  if (dr) recurrent_gradient(hidden, drop, dz, 4 * s.u, dr, 4 * s.u, s, 4 * s.u);
}
FASTNN_INSTANTIATE(lstm_backward)

}  // namespace cpu
}  // namespace fastnn
#endif
