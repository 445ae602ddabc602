// Connectionist temporal classification, in log space. Source: Graves et al., 2006.
//
// The labels a b of a sample become the states  - a - b -  with the blank before, between and after them. A
// way through the steps stays in a state, goes to the next, or passes over a blank between two different
// labels:
//
//   alpha[t, s]  ln of the sum over the ways to be in s at step t, of the probabilities of steps 0 to t
//   beta[t, s]   ln of the sum over the ways from s at step t to the end, of those of steps t + 1 on
//
// The loss is -ln Z with Z the sum of exp(alpha[t, s] + beta[t, s]) over s, for any t. exp(alpha + beta - ln
// Z) is the share of the ways that are in s at t. All states of a step are computed side by side, in rows
// with two states of probability 0 at either end: s - 1 and s - 2 are loads from there.
#include "fastnn/ctc.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

/// One sample. dlogits: null for the loss alone. scratch: ctc_scratch elements.
template <class T> struct CtcSample {
  const T* logits;
  const std::int64_t* labels;
  Index steps, classes, labels_count, blank;
  T* scratch;
  T* loss;
  const T* dloss;
  T* dlogits;
};

FASTNN_DECLARE(void, ctc_sample, (const CtcSample<T>& x))

/// Elements before and after the states of a row; a vector may be read there.
constexpr Index kBefore = 2, kAfter = 2;

inline Index ctc_row(Index labels) { return kBefore + 2 * labels + 1 + kAfter; }
inline Index ctc_scratch(Index steps, Index classes, Index labels) {
  return steps * (classes + ctc_row(labels)) + 5 * ctc_row(labels);
}

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> constexpr T kNever = T(-__builtin_inf());

template <class T> static void fill(T* x, Index n, T value) {
  row_each<T>(n, [&](auto at) { at.store(x, Vec<T>::set(value)); });
}

/// y = ln softmax(x). Returns 0, or NaN where x holds one or +infinity or -infinity alone.
template <class T> static T log_softmax_row(const T* x, T* y, Index n) {
  using V = Vec<T>;
  const V m = V::set(row_max(x, n));
  const T total = row_sum<T>(n, [&](auto at) { return exp_below(at.load(x, kNever<T>) - m); });
  const V shift = m + log(V::set(total));
  row_each<T>(n, [&](auto at) { at.store(y, at.load(x) - shift); });
  T nothing[1];
  (shift - shift).store_n(nothing, 1);
  return nothing[0];
}

/// ln(e^a + e^b + e^c), with -infinity for 0.
template <class V> static inline V log_add(V a, V b, V c) {
  const V never = V::set(kNever<typename V::T>), m = max(a, max(b, c));
  const V base = select(m == never, V::set(0), m);
  return select(m == never, never,
                base + log(exp_below(a - base) + (exp_below(b - base) + exp_below(c - base))));
}

/// Where the rows of a sample lie. State s stands at [kBefore + s] of a row.
template <class T> struct CtcRows {
  Index states, row;
  T *logs, *alpha, *emitted, *passes_in, *passes_out, *beta, *next;

  explicit CtcRows(const CtcSample<T>& x) : states(2 * x.labels_count + 1), row(ctc_row(x.labels_count)) {
    logs = x.scratch;
    alpha = logs + x.steps * x.classes;
    emitted = alpha + x.steps * row;
    passes_in = emitted + row;
    passes_out = passes_in + row;
    beta = passes_out + row;
    next = beta + row;
    fill(emitted, 5 * row, kNever<T>);
    fill(alpha, x.steps * row, kNever<T>);
    for (Index s = 2; s < states; ++s) {  // 0 for states that may be come to from the one before the last
      const bool passes = s % 2 == 1 && x.labels[s / 2] != x.labels[s / 2 - 1];
      if (!passes) continue;
      passes_in[kBefore + s] = 0;
      passes_out[kBefore + s - 2] = 0;
    }
  }

  Index class_of(const CtcSample<T>& x, Index s) const { return s % 2 ? Index(x.labels[s / 2]) : x.blank; }

  /// The logarithms of the probabilities of all states at a step.
  void emit(const CtcSample<T>& x, Index step) const {
    const T* const from = logs + step * x.classes;
    for (Index s = 0; s < states; ++s) emitted[kBefore + s] = from[class_of(x, s)];
  }
};

/// ln Z, and alpha of all steps. NaN where a step has one, which log_add() would take for a probability of 0.
template <class T> static T ctc_forward(const CtcSample<T>& x, const CtcRows<T>& w) {
  T nothing = 0;
  for (Index t = 0; t < x.steps; ++t)
    nothing += log_softmax_row(x.logits + t * x.classes, w.logs + t * x.classes, x.classes);
  if (nothing != 0) return nothing;
  for (Index t = 0; t < x.steps; ++t) {
    T* const now = w.alpha + t * w.row + kBefore;
    w.emit(x, t);
    if (t == 0) {
      for (Index s = 0; s < w.states && s < 2; ++s) now[s] = w.emitted[kBefore + s];
      continue;
    }
    const T* const before = now - w.row;
    row_each<T>(w.states, [&](auto at) {
      const auto ways =
          log_add(at.load(before), at.load(before - 1), at.load(before - 2) + at.load(w.passes_in + kBefore));
      at.store(now, ways + at.load(w.emitted + kBefore));
    });
  }
  const T* const last = w.alpha + (x.steps - 1) * w.row + kBefore + w.states;
  T ways[1];
  using V = Vec<T>;
  log_add(V::set(last[-1]), V::set(w.states > 1 ? last[-2] : kNever<T>), V::set(kNever<T>)).store_n(ways, 1);
  return ways[0];
}

/// dlogits of a step, from alpha and beta of its states.
template <class T>
static void ctc_slopes(const CtcSample<T>& x, const CtcRows<T>& w, Index t, const T* beta, T log_z) {
  using V = Vec<T>;
  const T *const logs = w.logs + t * x.classes, *const alpha = w.alpha + t * w.row + kBefore;
  T* const dlogits = x.dlogits + t * x.classes;
  T* const share = w.emitted + kBefore;
  row_each<T>(x.classes, [&](auto at) { at.store(dlogits, exp_below(at.load(logs))); });
  row_each<T>(w.states, [&](auto at) {
    const V both = at.load(alpha, kNever<T>) + at.load(beta, kNever<T>);
    at.store(share, exp_below(min(both - V::set(log_z), V::set(0))));
  });
  for (Index s = 0; s < w.states; ++s) dlogits[w.class_of(x, s)] -= share[s];
  const V scale = V::set(*x.dloss);
  row_each<T>(x.classes, [&](auto at) { at.store(dlogits, at.load(dlogits) * scale); });
}

template <class T> static void ctc_back(const CtcSample<T>& x, const CtcRows<T>& w, T log_z) {
  T *now = w.beta, *next = w.next;
  for (Index s = w.states; s-- > 0 && s + 2 >= w.states;) now[kBefore + s] = 0;
  for (Index t = x.steps - 1;; --t) {
    ctc_slopes(x, w, t, now + kBefore, log_z);
    if (t == 0) return;
    w.emit(x, t);
    T* const later = next;
    next = now;
    now = later;
    row_each<T>(w.states, [&](auto at) {  // what comes after: probability of the step, then all that follows
      at.store(next + kBefore, at.load(next + kBefore) + at.load(w.emitted + kBefore));
    });
    const T* const from = next + kBefore;
    row_each<T>(w.states, [&](auto at) {
      at.store(now + kBefore, log_add(at.load(from), at.load(from + 1),
                                      at.load(from + 2) + at.load(w.passes_out + kBefore)));
    });
  }
}

template <class T> void ctc_sample(const CtcSample<T>& x) {
  const bool nothing = x.steps == 0;
  const CtcRows<T> w(x);
  const T log_z = nothing ? (x.labels_count == 0 ? T(0) : kNever<T>) : ctc_forward(x, w);
  if (x.loss) *x.loss = T(0) - log_z;
  if (!x.dlogits || nothing) return;
  if (log_z == kNever<T> || log_z != log_z)
    fill(x.dlogits, x.steps * x.classes, log_z == kNever<T> ? T(0) : log_z);
  else
    ctc_back(x, w, log_z);
}
FASTNN_INSTANTIATE(ctc_sample)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn {

void CtcShape::check(const char* op) const {
  fastnn::check(op, n >= 0 && t >= 0 && c >= 0 && l >= 0, "expected no negative size");
  fastnn::check(op, n * t == 0 || (blank >= 0 && blank < c), "expected a blank in [0, ", c, "), got ", blank);
}

namespace cpu {
namespace {

void check_samples(const std::int64_t* labels, const std::int64_t* label_lengths,
                   const std::int64_t* logit_lengths, const CtcShape& s) {
  for (Index i = 0; i < s.n; ++i) {
    check("ctc", logit_lengths[i] >= 0 && logit_lengths[i] <= s.t, "expected output lengths in [0, ", s.t,
          "], got ", logit_lengths[i]);
    check("ctc", label_lengths[i] >= 0 && label_lengths[i] <= s.l, "expected target lengths in [0, ", s.l,
          "], got ", label_lengths[i]);
    for (Index k = 0; k < label_lengths[i]; ++k) {
      const std::int64_t label = labels[i * s.l + k];
      check("ctc", label >= 0 && label < s.c && label != s.blank, "expected labels in [0, ", s.c,
            ") other than the blank ", s.blank, ", got ", label);
    }
  }
}

template <class T> void each_sample(const T* logits, const std::int64_t* labels,
                                    const std::int64_t* label_lengths, const std::int64_t* logit_lengths,
                                    T* loss, const T* dloss, T* dlogits, const CtcShape& s) {
  s.check("ctc");
  check_samples(labels, label_lengths, logit_lengths, s);
  const auto kernel = FASTNN_SELECT(ctc_sample<T>);
  const Index cost = s.t * (4 * s.c + 30 * (2 * s.l + 1));
  parallel_ranges(s.n, cost, [=](Index begin, Index end) {
    const Workspace<T> memory(std::size_t(ctc_scratch(s.t, s.c, s.l)));
    for (Index i = begin; i < end; ++i) {
      T* const slopes = dlogits ? dlogits + i * s.t * s.c : nullptr;
      kernel({logits + i * s.t * s.c, labels + i * s.l, logit_lengths[i], s.c, label_lengths[i], s.blank,
              memory.data(), loss ? loss + i : nullptr, dloss ? dloss + i : nullptr, slopes});
      if (slopes) std::fill(slopes + logit_lengths[i] * s.c, slopes + s.t * s.c, T(0));
    }
  });
}

}  // namespace

template <class T> void ctc(const T* logits, const std::int64_t* labels, const std::int64_t* label_lengths,
                            const std::int64_t* logit_lengths, T* loss, const CtcShape& shape) {
  each_sample<T>(logits, labels, label_lengths, logit_lengths, loss, nullptr, nullptr, shape);
}
FASTNN_INSTANTIATE(ctc)

template <class T> void ctc_backward(const T* logits, const std::int64_t* labels,
                                     const std::int64_t* label_lengths, const std::int64_t* logit_lengths,
                                     const T* dloss, T* dlogits, const CtcShape& shape) {
  each_sample<T>(logits, labels, label_lengths, logit_lengths, nullptr, dloss, dlogits, shape);
}
FASTNN_INSTANTIATE(ctc_backward)

}  // namespace cpu
}  // namespace fastnn
#endif
