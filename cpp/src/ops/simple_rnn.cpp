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
  bool first;  // whether the gradient of the first state is wanted
};

template <class T> struct SimpleKernels {
  /// Sequences [begin, end) through all steps. scratch: (end - begin, u), used with dropout.
  void (*forward)(const SimpleForward<T>&, Index begin, Index end, T* scratch);
  void (*backward)(const SimpleBackward<T>&, Index begin, Index end, T* scratch);
};

FASTNN_DECLARE(const SimpleKernels<T>&, simple_rnn_kernels, ())

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "recurrent_kernel.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class Candidate, class T> static void simple_steps(const SimpleForward<T>& f,
                                                             const Candidate& candidate, Index begin,
                                                             Index end, T* scratch) {
  const RnnShape& s = f.shape;
  const Index u = s.u;
  for (Index step = 0; step < s.t; ++step) {
    const T* a = f.state(step, begin);
    if (f.drop) {
      multiply_row(a, f.drop + begin * u, scratch, (end - begin) * u);
      a = scratch;
    }
    T* const z = f.kept + (step * s.n + begin) * u;
    f.r.multiply_onto(a, u, z, u, end - begin, step);
    T* const h = f.state(step + 1, begin);
    row_each<T>((end - begin) * u, [&](auto at) {
      const auto kept = candidate.keep(at.load(z));
      at.store(z, kept);
      at.store(h, candidate.value(kept));
    });
    for (Index row = begin; row < end; ++row) {
      const bool masked = is_masked(f.mask, s, row, step);
      if (masked) copy_row(f.state(step, row), f.state(step + 1, row), u);
      put_output(f.state(step + 1, row), f.y, s, row, step, masked);
    }
  }
}

template <class T> static void simple_forward(const SimpleForward<T>& f, Index begin, Index end, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto&) {
    simple_steps(f, candidate, begin, end, scratch);
  });
}

template <class Candidate, class T> static void simple_steps_backward(const SimpleBackward<T>& f,
                                                                      const Candidate& candidate, Index begin,
                                                                      Index end, T* scratch) {
  const RnnShape& s = f.shape;
  const Index rows = end - begin, u = s.u;
  T* const dh = f.dh + begin * u;
  for (Index step = s.t - 1; step >= 0; --step) {
    const Index first = (step * s.n + begin) * u;
    T* const dz = f.dz + first;
    for (Index row = 0; row < rows; ++row) {
      T *const d = dh + row * u, *const to = dz + row * u;
      const bool masked = is_masked(f.mask, s, begin + row, step);
      add_output_slope(f.dy, d, s, begin + row, step, masked);
      if (masked) {
        zero_row(to, u);
      } else {
        const T* const kept = f.kept + first + row * u;
        row_each<T>(u, [&](auto at) { at.store(to, at.load(d) * candidate.slope(at.load(kept))); });
        zero_row(d, u);
      }
    }
    if (step == 0 && !f.first) break;
    if (!f.drop) {
      f.r_transposed.multiply_onto(dz, u, dh, u, rows, step);
    } else {
      zero_row(scratch, rows * u);
      f.r_transposed.multiply_onto(dz, u, scratch, u, rows, step);
      add_product_row(scratch, f.drop + begin * u, dh, rows * u);
    }
  }
}

template <class T>
static void simple_backward(const SimpleBackward<T>& f, Index begin, Index end, T* scratch) {
  with_activations<T>(f.activations, [&](const auto& candidate, const auto&) {
    simple_steps_backward(f, candidate, begin, end, scratch);
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
    const PackedFactor<T> factor(s, r, s.u, 1, s.u, s.u);
    const SimpleForward<T> forward{s, activations, factor.get(), mask, drop, y, kept, hidden, slots};
    each_part_of_batch(s.n, s.t * s.u * s.u, [&](Index begin, Index end) {
      const Workspace<T> scratch(std::size_t(drop ? (end - begin) * s.u : 0));
      run.forward(forward, begin, end, scratch.data());
    });
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
    const PackedFactor<T> factor(s, r, 1, s.u, s.u, s.u);
    const SimpleBackward<T> backward{s,    activations, factor.get(), mask,   drop,
                                     kept, dy,          dz,           dh_now, dh0 != nullptr};
    each_part_of_batch(s.n, s.t * s.u * s.u, [&](Index begin, Index end) {
      const Workspace<T> scratch(std::size_t(drop ? (end - begin) * s.u : 0));
      run.backward(backward, begin, end, scratch.data());
    });
  }
  input_gradients(x, w, dz, dx, dw, db, s, s.u);
  if (dr) recurrent_gradient(hidden, drop, dz, s.u, dr, s.u, s, s.u);
}
FASTNN_INSTANTIATE(simple_rnn_backward)

}  // namespace fastnn::cpu
#endif
