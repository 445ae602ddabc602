// Simple recurrent layer, in the notation of the course: a^<t> = g(w_aa a^<t-1> + w_ax x^<t> + b_a), with r
// for w_aa and w for w_ax. Forward and backward go as in lstm.cpp.
#include "fastnn/simple_rnn.hpp"

#include "recurrent.hpp"

namespace fastnn::cpu {

/// A forward pass. hidden holds the state of step k at k % slots: 2 slots where nothing is kept.
template <class T> struct SimpleForward {
  RnnShape shape;
  RnnActivations activations;
  Factor<T> r;
  const bool* mask;
  const T* drop;
  T *y, *kept, *hidden;
  Index slots;

  T* state(Index step, Index row) const { return hidden + (step % slots * shape.n + row) * shape.u; }
};

template <class T> struct SimpleBackward {
  RnnShape shape;
  RnnActivations activations;
  Factor<T> r_transposed;
  const bool* mask;
  const T *drop, *kept, *dy;
  T *dz, *dh;
};

template <class T> struct SimpleKernels {
  /// A piece of some steps. scratch: (rows, u), used with dropout.
  void (*forward)(const SimpleForward<T>&, const RnnSteps&, const RnnPiece&, T* scratch);
  /// The same; before, the gradient of a step's state gets its share of the step after it. From the last step
  /// on; -1: that share alone.
  void (*backward)(const SimpleBackward<T>&, const RnnSteps&, const RnnPiece&, T* scratch);
};

FASTNN_DECLARE(const SimpleKernels<T>&, simple_rnn_kernels, ())

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "recurrent_kernel.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class Candidate, class T> static void simple_step(const SimpleForward<T>& f,
                                                            const Candidate& candidate, Index step,
                                                            const RnnPiece& piece, T* scratch) {
  const RnnShape& s = f.shape;
  const T* const a = dropped(f.state(step, piece.begin), f.drop, s, piece, scratch);
  multiply_onto(f.r, a, s.u, f.kept + (step * s.n + piece.begin) * s.u, s.u, step, piece);
  for (Index row = piece.begin; row < piece.end; ++row) {
    T* const z = f.kept + (step * s.n + row) * s.u + piece.first;
    T* const h = f.state(step + 1, row) + piece.first;
    row_each<T>(piece.count, [&](auto at) {
      const auto kept = candidate.keep(at.load(z));
      at.store(z, kept);
      at.store(h, candidate.value(kept));
    });
    const bool masked = is_masked(f.mask, s, row, step);
    if (masked) copy_row(f.state(step, row) + piece.first, h, piece.count);
    put_output(h, f.y, s, row, step, piece, masked);
  }
}

template <class T> static void simple_forward(const SimpleForward<T>& f, const RnnSteps& steps,
                                              const RnnPiece& piece, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto&) {
    steps.each([&](Index step, int) { simple_step(f, candidate, step, piece, scratch); });
  });
}

template <class Candidate, class T> static void simple_step_backward(const SimpleBackward<T>& f,
                                                                     const Candidate& candidate, Index step,
                                                                     const RnnPiece& piece, T* scratch) {
  const RnnShape& s = f.shape;
  if (step + 1 < s.t)
    add_state_slope(f.r_transposed, f.dz + ((step + 1) * s.n + piece.begin) * s.u, s.u, f.drop, f.dh, s,
                    step + 1, piece, scratch);
  if (step < 0) return;
  for (Index row = piece.begin; row < piece.end; ++row) {
    const Index at = (step * s.n + row) * s.u + piece.first;
    T *const dh = f.dh + row * s.u + piece.first, *const dz = f.dz + at;
    const bool masked = is_masked(f.mask, s, row, step);
    add_output_slope(f.dy, dh, s, row, step, piece, masked);
    if (masked) {
      zero_row(dz, piece.count);
    } else {
      const T* const kept = f.kept + at;
      row_each<T>(piece.count, [&](auto at_unit) {
        at_unit.store(dz, at_unit.load(dh) * candidate.slope(at_unit.load(kept)));
      });
      zero_row(dh, piece.count);
    }
  }
}

template <class T> static void simple_backward(const SimpleBackward<T>& f, const RnnSteps& steps,
                                               const RnnPiece& piece, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto&) {
    steps.each([&](Index step, int) { simple_step_backward(f, candidate, step, piece, scratch); });
  });
}

template <class T> const SimpleKernels<T>& simple_rnn_kernels() {
  static constexpr SimpleKernels<T> kKernels{&simple_forward<T>, &simple_backward<T>};
  return kKernels;
}
FASTNN_INSTANTIATE(simple_rnn_kernels)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------

namespace fastnn::cpu {

template <class T> void simple_rnn(const T* x, const T* w, const T* r, const T* b, const T* h0,
                                   const bool* mask, const T* drop, T* y, T* h, T* kept, T* hidden,
                                   const RnnShape& s, const RnnActivations& activations) {
  s.check("simple_rnn");
  const bool keep = kept != nullptr;
  const Index rows = s.t * s.n, slots = keep ? s.t + 1 : 2;
  const Workspace<T> memory(std::size_t(keep ? 0 : rows * s.u + 2 * s.state()));
  if (!keep) {
    hidden = memory.data();
    kept = hidden + 2 * s.state();
  }
  copy_or_zero(h0, hidden, s.state());
  if (rows > 0 && s.u > 0) {
    const auto& run = FASTNN_SELECT(simple_rnn_kernels<T>)();
    {
      const TimeMajor<T> by_time(x, s);
      gemm<T>(by_time.data(), w, kept, GemmShape::dense(rows, s.u, s.i), {b});
    }
    const RnnSharing sharing(s, s.u, FASTNN_SELECT(panel_kernels<T>)().lanes);
    const PackedFactor<T> factor(s, sharing, r, s.u, 1, s.u, 1);
    const SimpleForward<T> forward{s, activations, factor.get(), mask, drop, y, kept, hidden, slots};
    sharing.each_piece<T>({0, s.t}, s.u * s.u, drop ? s.u : 0,
                          [&](const auto&... piece) { run.forward(forward, piece...); });
  }
  if (h) copy_or_zero(hidden + s.t % slots * s.state(), h, s.state());
}
FASTNN_INSTANTIATE(simple_rnn)

template <class T> void simple_rnn_backward(const T* x, const T* w, const T* r, const bool* mask,
                                            const T* drop, const T* kept, const T* hidden, const T* dy,
                                            const T* dh, T* dx, T* dw, T* dr, T* db, T* dh0,
                                            const RnnShape& s, const RnnActivations& activations) {
  s.check("simple_rnn_backward");
  const Index rows = s.t * s.n;
  const Workspace<T> products(std::size_t(rows * s.u)), state(std::size_t(s.state()));
  T* const dz = products.data();
  T* const dh_now = dh0 ? dh0 : state.data();
  copy_or_zero(dh, dh_now, s.state());
  if (rows > 0 && s.u > 0) {
    const auto& run = FASTNN_SELECT(simple_rnn_kernels<T>)();
    const RnnSharing sharing(s, s.u, FASTNN_SELECT(panel_kernels<T>)().lanes);
    const PackedFactor<T> factor(s, sharing, r, 1, s.u, s.u, 1);
    const SimpleBackward<T> backward{s, activations, factor.get(), mask, drop, kept, dy, dz, dh_now};
    sharing.each_piece<T>({s.t - 1, dh0 ? -2 : -1}, s.u * s.u, drop ? s.u : 0,
                          [&](const auto&... piece) { run.backward(backward, piece...); });
  }
  input_gradients(x, w, dz, dx, dw, db, s, s.u);
  if (dr) recurrent_gradient(hidden, drop, dz, s.u, dr, s.u, s, s.u);
}
FASTNN_INSTANTIATE(simple_rnn_backward)

}  // namespace fastnn::cpu
#endif
