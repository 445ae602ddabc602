// Scaled dot-product attention, block by block, so that memory does not grow with tq tk. Source: Dao et al.,
// FlashAttention, 2022, and FlashAttention-2, 2023.
//
// For one head, q (tq, d), k (tk, d), v (tk, dv):  s = scale q k^T + bias,  p = exp(s - log sum exp s),  y =
// p v
//
//              kKeys                  A block of keys is packed once, as columns (d, kKeys) for the tile, and
//              so
//         +------+------+             are its values, as rows. Then the block of scores above them is made
//         for
//  k^T  d |      |      |             kQueries queries after the other, kept in the first- or second-level
//  cache:
//         +------+------+
//      d                    dv        m, l   largest score and sum of exp(s - m) so far, per query
//    +---+------+------+  +---+       y      sum of exp(s - m) v so far; when a new block raises m, what is
//    there
//  q |   |  s   |      |  | y |              is scaled down by exp(m before - m)
//    +---+------+------+  +---+
//
// Backward, s and p come anew from q, k and logs = m + log l, and with delta = sum(dy y) over dv, per query:
//
//   dv = p^T dy,   dp = dy v^T,   ds = p (dp - delta),   dq = scale ds k,   dk = scale ds^T q
//
// A task has a range of keys of one head of keys and values, so that it writes its own dk and dv; where there
// are several ranges, each has its own dq, and these are added in order.
#include "fastnn/attention.hpp"

#include "dropout_kernel.hpp"
#include "panel_product.hpp"

namespace fastnn::cpu {

/// One head of one sequence: where it lies and what to do with it. Distances are between rows.
template <class T> struct AttentionHead {
  const PanelKernels<T>* products;
  const T *q, *k, *v;
  T* y;     // forward: written, backward: read
  T* logs;  // the same
  const T* dy;
  T *dq, *dk, *dv, *dbias;
  Index q_row, k_row, v_row, y_row;
  const std::uint8_t* mask;
  const T* bias;
  Index mask_q, mask_k, bias_q, bias_k;
  Index tq, tk, d, width;   // width: of a value
  bool causal, accumulate;  // accumulate: dk and dv are added to
  T scale;
  Index drop;  // of 2^32; 0 for no dropout
  T keep_scale;
  RandomKey key;
  std::uint64_t first;  // number of this head's first element of p
};

/// One element type and instruction set. Scratch memory is counted in elements.
template <class T> struct AttentionKernels {
  Index (*scratch)(const AttentionHead<T>&, Index queries);
  void (*forward)(const AttentionHead<T>&, Index begin, Index end, T* scratch);  // queries
  Index (*backward_scratch)(const AttentionHead<T>&);
  void (*backward)(const AttentionHead<T>&, Index begin, Index end, T* scratch);  // keys
};

FASTNN_DECLARE(const AttentionKernels<T>&, attention_kernels, ())

/// Keys and queries in a block. Whole stretches of dropout's decisions, where tk is a multiple of 256.
constexpr Index kKeys = 256, kQueries = 64;

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"
#include "simd/transpose.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T> static inline Index whole(Index n) {
  constexpr Index lanes = Vec<T>::lanes;
  return (n + lanes - 1) / lanes * lanes;
}

static inline Index least(Index a, Index b) { return a < b ? a : b; }

/// The rows of a block of scores: apart by whole vectors and one more, or columns of it would fall into few
/// sets of the cache.
template <class T> static inline Index score_row(const AttentionHead<T>& x) {
  return whole<T>(least(kKeys, x.tk)) + Vec<T>::lanes;
}

/// The first `seen` columns of c = a b, or c + a b, and what completes their panel. b: (depth, cols), packed
/// in panels if b_row is 0, else rows padded to whole vectors, as those of c are unless exact.
template <class T> static void multiply(const AttentionHead<T>& x, const T* a, Index a_row, Index a_col,
                                        const T* b, Index b_row, T* c, Index c_row, Index rows, Index depth,
                                        Index cols, Index seen, bool accumulate, bool exact = false) {
  const PanelKernels<T>& run = *x.products;
  run.multiply({a, a_row, a_col, b, b_row, run.panels(cols, run.tile_vectors), c, c_row, rows, depth, cols,
                seen, exact, accumulate, false});
}

/// y = scale x, dense and padded with zeros.
template <class T>
static void pack_rows(const T* x, Index x_row, T* y, Index y_row, Index rows, Index cols, T scale = 1) {
  using V = Vec<T>;
  const V by = V::set(scale);
  for (Index r = 0; r < rows; ++r, x += x_row, y += y_row) {
    Index j = 0;
    for (; j + V::lanes <= cols; j += V::lanes) (V::load(x + j) * by).store(y + j);
    if (j < cols) (V::load_n(x + j, int(cols - j)) * by).store(y + j);
  }
}

/// The columns of a block of keys or values, (cols, depth), in panels.
template <class T>
static void pack_columns(const AttentionHead<T>& x, const T* from, Index row, T* y, Index depth, Index cols) {
  const PanelKernels<T>& run = *x.products;
  const Index panels = run.panels(cols, run.tile_vectors);
  run.pack(from, 1, row, y, depth, cols, panels, 0, panels);
}

template <class T> static void fill(T* x, Index n, T value) {
  row_each<T>(n, [&](auto at) { at.store(x, Vec<T>::set(value)); });
}

/// What is added to the scores of query i and keys [j, j + n): the bias, and -infinity where the mask is 0.
/// `row` holds it if it lies nowhere else. nullptr for nothing.
template <class T> static const T* additive(const AttentionHead<T>& x, Index i, Index j, Index n, T* row) {
  const T* bias = x.bias ? x.bias + i * x.bias_q + j * x.bias_k : nullptr;
  if (!x.mask) {
    if (!bias || x.bias_k == 1) return bias;
    fill(row, n, *bias);  // broadcast along the keys
    return row;
  }
  const std::uint8_t* seen = x.mask + i * x.mask_q + j * x.mask_k;
  constexpr T hidden = T(-__builtin_inf());
  if (!bias)
    for (Index c = 0; c < n; ++c) row[c] = seen[c * x.mask_k] ? T(0) : hidden;
  else
    for (Index c = 0; c < n; ++c) row[c] = seen[c * x.mask_k] ? bias[c * x.bias_k] : hidden;
  return row;
}

/// The same where it may differ from query to query or not.
template <class T> struct Additive {
  const AttentionHead<T>& x;
  Index j, n;
  T* row;
  bool fixed;
  const T* made;
  bool hidden = false;  // no query sees a key of the block

  Additive(const AttentionHead<T>& head, Index first, Index count, T* memory)
      : x(head),
        j(first),
        n(count),
        row(memory),
        fixed((!head.mask || head.mask_q == 0) && (!head.bias || head.bias_q == 0)),
        made(fixed ? additive(head, 0, first, count, memory) : nullptr) {
    if (fixed && head.mask) hidden = row_max(made, count) == T(-__builtin_inf());
  }
  const T* of(Index i) const { return fixed ? made : additive(x, i, j, n, row); }
};

/// Dropout's decisions, stretch by stretch.
template <class T> struct Keeper {
  const AttentionHead<T>& x;
  Philox philox;
  std::uint64_t known = ~std::uint64_t(0);
  std::uint8_t stretch[kStretch];

  explicit Keeper(const AttentionHead<T>& head) : x(head), philox(head.key) {}
  /// keep[c] for p[i, j + c], c < n.
  void decide(Index i, Index j, Index n, std::uint8_t* keep) {
    const std::uint64_t begin = x.first + std::uint64_t(i * x.tk + j);
    for (Index c = 0; c < n;) {
      const std::uint64_t e = begin + std::uint64_t(c);
      if (e / kStretch != known) {
        known = e / kStretch;
        keep_stretch(philox, known, std::uint32_t(x.drop), stretch);
      }
      const Index at = Index(e % kStretch), count = least(n - c, kStretch - at);
      for (Index k = 0; k < count; ++k) keep[c + k] = stretch[at + k];
      c += count;
    }
  }
};

/// How many of the keys [j, j + cols) query i sees.
template <class T> static inline Index seen_by(const AttentionHead<T>& x, Index i, Index j, Index cols) {
  if (!x.causal) return cols;
  const Index n = i + 1 - j;
  return n < 0 ? 0 : least(n, cols);
}

/// The largest of n scores in each lane. With `add` they become scale s + add.
template <class T> static inline Vec<T> largest(T* s, Index n, T scale, const T* add) {
  using V = Vec<T>;
  constexpr T lowest = T(-__builtin_inf());
  V top = V::set(lowest);
  const V by = V::set(scale);
  if (add)
    row_each<T>(n, [&](auto at) {
      const V z = fma(at.load(s), by, at.load(add, lowest));
      at.store(s, z);
      top = max(z, top);
    });
  else
    row_each<T>(n, [&](auto at) { top = max(at.load(s, lowest), top); });
  return top;
}

/// s = exp(scale s + base) for n scores; returns the sum of each lane.
template <class T> static inline Vec<T> exponentials(T* s, Index n, T scale, T base) {
  using V = Vec<T>;
  V total = V::set(0);
  const V by = V::set(scale), offset = V::set(base);
  row_each<T>(n, [&](auto at) {
    const V e = exp_below(fma(at.load(s, T(-__builtin_inf())), by, offset));
    at.store(s, e);
    total = total + e;
  });
  return total;
}

/// What fn makes of the lanes of each of as many vectors as there are lanes. One row after the other would
/// wait for four shuffles in turn.
template <class T, class Fn> static inline Vec<T> across(const T* vectors, const Fn& fn) {
  using V = Vec<T>;
  V lane[V::lanes];
#pragma GCC unroll 16
  for (int i = 0; i < V::lanes; ++i) lane[i] = V::load(vectors + i * V::lanes);
  transpose(lane);
#pragma GCC unroll 4
  for (int step = V::lanes / 2; step > 0; step /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < step; ++i) lane[i] = fn(lane[i], lane[i + step]);
  return lane[0];
}

template <class T> static void drop_row(T* p, const std::uint8_t* keep, Index n, T scale) {
  for (Index c = 0; c < n; ++c) p[c] = keep[c] ? scale * p[c] : T(0);
}

/// What the forward pass keeps of its queries, and the blocks it works on.
template <class T> struct ForwardScratch {
  T *columns, *values, *scores, *sums, *m, *l, *scaled, *bases, *lanes, *row;
  Index used;

  ForwardScratch(const AttentionHead<T>& x, Index queries, T* memory) {
    Index at = 0;
    const auto take = [&](Index count) {
      T* const start = memory + at;
      at += (count + 15) / 16 * 16;
      return start;
    };
    columns = take(x.d * kKeys);
    values = take(kKeys * whole<T>(x.width));
    scores = take(kQueries * score_row(x));
    sums = take(queries * whole<T>(x.width));
    m = take(queries);
    l = take(queries);
    scaled = take(kQueries);
    bases = take(kQueries);
    lanes = take(kQueries * Vec<T>::lanes);
    row = take(kKeys);
    used = at;
  }
};

template <class T> static Index forward_scratch(const AttentionHead<T>& x, Index queries) {
  return ForwardScratch<T>(x, queries, nullptr).used;
}

/// Queries [i, i + rows) of the task and the block of keys from j on. started: there are sums of former
/// blocks.
template <class T> static void forward_block(const AttentionHead<T>& x, const ForwardScratch<T>& w,
                                             const Additive<T>& added, Keeper<T>& keeper, Index begin,
                                             Index i, Index rows, Index j, Index cols, bool started) {
  using V = Vec<T>;
  const Index seen = seen_by(x, i + rows - 1, j, cols), width = whole<T>(x.width), row = score_row(x);
  if (seen == 0) return;
  multiply(x, x.q + i * x.q_row, x.q_row, Index(1), w.columns, Index(0), w.scores, row, rows, x.d, cols, seen,
           false);
  T *const m = w.m + (i - begin), *const l = w.l + (i - begin), *const sums = w.sums + (i - begin) * width;
  const bool plain = !x.mask && !x.bias;
  for (Index r = 0; r < rows; ++r)
    largest(w.scores + r * row, seen_by(x, i + r, j, cols), x.scale, added.of(i + r))
        .store(w.lanes + r * V::lanes);
  row_each<T>(rows, [&](auto at) {
    const V found = across(w.lanes + at.i * V::lanes, [](V a, V b) { return max(a, b); });
    const V before = at.load(m), now = max(plain ? found * V::set(x.scale) : found, before), zero = V::set(0);
    const V base = zero - select(now == V::set(T(-__builtin_inf())), zero, now);
    at.store(m, now);
    at.store(w.bases, base);
    at.store(w.scaled, exp_below(before + base));
  });
  for (Index r = 0; r < rows; ++r) {
    T* const s = w.scores + r * row;
    const Index n = seen_by(x, i + r, j, cols);
    exponentials(s, n, plain ? x.scale : T(1), w.bases[r]).store(w.lanes + r * V::lanes);
    if (x.drop) {
      std::uint8_t keep[kKeys];
      keeper.decide(i + r, j, n, keep);
      drop_row(s, keep, n, x.keep_scale);
    }
    fill(s + n, seen - n, T(0));
  }
  row_each<T>(rows, [&](auto at) {
    const V total = across(w.lanes + at.i * V::lanes, [](V a, V b) { return a + b; });
    at.store(l, fma(at.load(l), at.load(w.scaled), total));
  });
  for (Index r = 0; started && r < rows; ++r) {
    const V factor = V::set(w.scaled[r]);
    T* const y = sums + r * width;
    if (w.scaled[r] != T(1)) row_each<T>(width, [&](auto at) { at.store(y, at.load(y) * factor); });
  }
  multiply(x, w.scores, row, Index(1), w.values, width, sums, width, rows, seen, x.width, x.width, started);
}

template <class T> static void forward(const AttentionHead<T>& x, Index begin, Index end, T* memory) {
  using V = Vec<T>;
  const Index queries = end - begin, width = whole<T>(x.width);
  const ForwardScratch<T> w(x, queries, memory);
  fill(w.m, queries, T(-__builtin_inf()));
  fill(w.l, queries, T(0));
  Keeper<T> keeper(x);
  bool started = false;
  const auto start_with_zeros = [&] {
    if (!started) fill(w.sums, queries * width, T(0));
    started = true;
  };
  for (Index j = 0; j < x.tk && !(x.causal && j >= end); j += kKeys) {
    const Index cols = least(kKeys, x.tk - j);
    const Additive<T> added(x, j, cols, w.row);
    if (added.hidden) {
      start_with_zeros();
      continue;
    }
    pack_columns(x, x.k + j * x.k_row, x.k_row, w.columns, x.d, cols);
    pack_rows(x.v + j * x.v_row, x.v_row, w.values, width, cols, x.width);
    for (Index i = begin; i < end; i += kQueries)
      forward_block(x, w, added, keeper, begin, i, least(kQueries, end - i), j, cols, started);
    started = true;
  }
  start_with_zeros();
  for (Index r = 0; r < queries; ++r) {
    const V factor = V::set(w.l[r] == T(0) ? T(0) : 1 / w.l[r]);
    T *const y = x.y + (begin + r) * x.y_row, *const sums = w.sums + r * width;
    row_each<T>(x.width, [&](auto at) { at.store(y, at.load(sums) * factor); });
  }
  row_each<T>(queries, [&](auto at) {
    const V l = at.load(w.l, 1);
    const V value = select(l == V::set(0), V::set(T(__builtin_inf())), at.load(w.m) + log(l));
    at.store(x.logs + begin, value);
  });
}

template <class T> struct BackwardScratch {
  T *key_columns, *value_columns, *keys, *q, *dy, *p, *ds, *dk, *dv, *delta, *row;
  Index used;

  BackwardScratch(const AttentionHead<T>& x, T* memory) {
    Index at = 0;
    const auto take = [&](Index count) {
      T* const start = memory + at;
      at += (count + 15) / 16 * 16;
      return start;
    };
    const Index d = whole<T>(x.d), width = whole<T>(x.width);
    key_columns = take(x.d * kKeys);
    value_columns = take(x.width * kKeys);
    keys = take(kKeys * d);
    q = take(kQueries * d);
    dy = take(kQueries * width);
    p = take(kQueries * score_row(x));
    ds = take(kQueries * score_row(x));
    dk = take(kKeys * d);
    dv = take(kKeys * width);
    delta = take(x.tq);
    row = take(kKeys);
    used = at;
  }
};

template <class T> static Index backward_scratch(const AttentionHead<T>& x) {
  return BackwardScratch<T>(x, nullptr).used;
}

/// p and ds / scale of one query and n keys from the scores and dp, which they take the place of. dbias: or
/// nullptr.
template <class T> static inline void slopes(T* s, T* dp, Index n, const AttentionHead<T>& x, const T* add,
                                             T logs, T delta, const std::uint8_t* keep, T* dbias) {
  using V = Vec<T>;
  const V base = V::set(logs), offset = V::set(delta);
  if (add) row_each<T>(n, [&](auto at) { at.store(s, at.load(s) + at.load(add)); });
  if (keep) drop_row(dp, keep, n, x.keep_scale);
  row_each<T>(n, [&](auto at) {
    const V p = exp_below(at.load(s) - base), g = p * (at.load(dp) - offset);
    at.store(s, p);
    if (dbias) at.store(dbias, g);
    at.store(dp, g);
  });
  if (keep) drop_row(s, keep, n, x.keep_scale);
}

/// Where the gradients of a block of keys and values are added up: in x.dk and x.dv themselves, or, for many
/// queries, in rows that lie together, 5 % faster at 2048; at 128 the copy back would cost 10 %. Either may
/// be missing.
template <class T> struct KeySlopes {
  bool apart;
  T *dk, *dv;
  Index dk_row, dv_row;

  KeySlopes(const AttentionHead<T>& x, const BackwardScratch<T>& w, Index j)
      : apart(x.tq > 4 * kQueries),
        dk(!x.dk   ? nullptr
           : apart ? w.dk
                   : x.dk + j * x.k_row),
        dv(!x.dv   ? nullptr
           : apart ? w.dv
                   : x.dv + j * x.v_row),
        dk_row(apart ? whole<T>(x.d) : x.k_row),
        dv_row(apart ? whole<T>(x.width) : x.v_row) {}
};

/// Queries [i, i + rows) and the block of keys from j on. `to` is added to if add_keys, dq if add_queries.
template <class T> static void backward_block(const AttentionHead<T>& x, const BackwardScratch<T>& w,
                                              const Additive<T>& added, Keeper<T>& keeper, Index i,
                                              Index rows, Index j, Index cols, const KeySlopes<T>& to,
                                              bool add_keys, bool add_queries) {
  const Index row = score_row(x);
  const Index seen = seen_by(x, i + rows - 1, j, cols), d = whole<T>(x.d), width = whole<T>(x.width);
  if (seen == 0) return;
  pack_rows(x.q + i * x.q_row, x.q_row, w.q, d, rows, x.d, x.scale);
  pack_rows(x.dy + i * x.y_row, x.y_row, w.dy, width, rows, x.width);
  multiply(x, w.q, d, Index(1), w.key_columns, Index(0), w.p, row, rows, x.d, cols, seen, false);
  multiply(x, w.dy, width, Index(1), w.value_columns, Index(0), w.ds, row, rows, x.width, cols, seen, false);
  for (Index r = 0; r < rows; ++r) {
    T *const s = w.p + r * row, *const dp = w.ds + r * row;
    const Index n = seen_by(x, i + r, j, cols);
    std::uint8_t keep[kKeys];
    if (x.drop) keeper.decide(i + r, j, n, keep);
    slopes(s, dp, n, x, added.of(i + r), x.logs[i + r], w.delta[i + r], x.drop ? keep : nullptr,
           x.dbias ? x.dbias + (i + r) * x.tk + j : nullptr);
    fill(s + n, seen - n, T(0));
    fill(dp + n, seen - n, T(0));
  }
  if (to.dv)
    multiply(x, w.p, Index(1), row, w.dy, width, to.dv, to.dv_row, seen, rows, x.width, x.width, add_keys,
             true);
  if (to.dk) multiply(x, w.ds, Index(1), row, w.q, d, to.dk, to.dk_row, seen, rows, x.d, x.d, add_keys, true);
  if (x.dq)
    multiply(x, w.ds, row, Index(1), w.keys, d, x.dq + i * x.q_row, x.q_row, rows, seen, x.d, x.d,
             add_queries, true);
}

template <class T> static void zero_rows(T* y, Index y_row, Index rows, Index cols) {
  for (Index r = 0; y && r < rows; ++r) fill(y + r * y_row, cols, T(0));
}

/// y = x, or y + x.
template <class T>
static void put_rows(const T* x, Index x_row, T* y, Index y_row, Index rows, Index cols, bool accumulate) {
  using V = Vec<T>;
  for (Index r = 0; r < rows; ++r) {
    const T* const from = x + r * x_row;
    T* const to = y + r * y_row;
    row_each<T>(cols,
                [&](auto at) { at.store(to, accumulate ? at.load(to) + at.load(from) : V(at.load(from))); });
  }
}

template <class T> static void backward(const AttentionHead<T>& x, Index begin, Index end, T* memory) {
  const BackwardScratch<T> w(x, memory);
  const Index d = whole<T>(x.d);
  for (Index i = 0; i < x.tq; ++i) {
    const T *const y = x.y + i * x.y_row, *const dy = x.dy + i * x.y_row;
    w.delta[i] = row_sum<T>(x.width, [&](auto at) { return at.load(y) * at.load(dy); });
  }
  bool add_queries = x.causal;  // else the first block of keys that is seen writes all of dq
  if (add_queries) zero_rows(x.dq, x.q_row, x.tq, x.d);
  Keeper<T> keeper(x);
  for (Index j = begin; j < end; j += kKeys) {
    const Index cols = least(kKeys, end - j);
    const Additive<T> added(x, j, cols, w.row);
    const KeySlopes<T> to(x, w, j);
    const bool begun = x.accumulate && !to.apart, zeros = !begun && (x.causal || added.hidden || x.tq == 0);
    if (zeros) {
      zero_rows(to.dk, to.dk_row, cols, x.d);
      zero_rows(to.dv, to.dv_row, cols, x.width);
    }
    if (!added.hidden) {
      pack_columns(x, x.k + j * x.k_row, x.k_row, w.key_columns, x.d, cols);
      pack_columns(x, x.v + j * x.v_row, x.v_row, w.value_columns, x.width, cols);
      pack_rows(x.k + j * x.k_row, x.k_row, w.keys, d, cols, x.d, x.scale);
      for (Index i = 0; i < x.tq; i += kQueries)
        backward_block(x, w, added, keeper, i, least(kQueries, x.tq - i), j, cols, to,
                       begun || zeros || i > 0, add_queries);
      add_queries = true;
    } else if (x.dbias) {
      zero_rows(x.dbias + j, x.tk, x.tq, cols);
    }
    if (to.apart && to.dk) put_rows(to.dk, to.dk_row, x.dk + j * x.k_row, x.k_row, cols, x.d, x.accumulate);
    if (to.apart && to.dv)
      put_rows(to.dv, to.dv_row, x.dv + j * x.v_row, x.v_row, cols, x.width, x.accumulate);
  }
  if (!add_queries) zero_rows(x.dq, x.q_row, x.tq, x.d);
}

template <class T> const AttentionKernels<T>& attention_kernels() {
  static constexpr AttentionKernels<T> kernels{&forward_scratch<T>, &forward<T>, &backward_scratch<T>,
                                               &backward<T>};
  return kernels;
}
FASTNN_INSTANTIATE(attention_kernels)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn {

void AttentionShape::check(const char* op) const {
  fastnn::check(op, n >= 0 && tq >= 0 && tk >= 0 && d >= 0 && dv >= 0 && heads > 0 && kv_heads > 0,
                "expected no negative size and at least one head");
  fastnn::check(op, heads % kv_heads == 0, "expected a number of heads that is a multiple of the ", kv_heads,
                " of keys and values, got ", heads);
  fastnn::check(op, rate >= 0 && rate < 1, "expected a dropout rate in [0, 1), got ", rate);
  fastnn::check(op, scale > 0, "expected scale > 0, got ", scale);
}

namespace cpu {
namespace {

/// Tasks that a call is cut into, where there is enough to do.
constexpr Index kTasks = 16;
/// Ranges of keys with a dq of their own.
constexpr Index kRanges = 8;

/// The arrays of a call, seen from one head.
template <class T> AttentionHead<T> head_of(const T* q, const T* k, const T* v, const std::uint8_t* mask,
                                            const T* bias, T* y, T* logs, const AttentionShape& s, Index n,
                                            Index h) {
  const Index group = s.heads / s.kv_heads, kv = h / group;
  AttentionHead<T> x{};
  x.products = &FASTNN_SELECT(panel_kernels<T>)();
  x.tq = s.tq, x.tk = s.tk, x.d = s.d, x.width = s.dv;
  x.q_row = s.heads * s.d, x.k_row = s.kv_heads * s.d;
  x.y_row = s.heads * s.dv, x.v_row = s.kv_heads * s.dv;
  x.q = q + n * s.tq * x.q_row + h * s.d;
  x.k = k + n * s.tk * x.k_row + kv * s.d;
  x.v = v + n * s.tk * x.v_row + kv * s.dv;
  x.y = y + n * s.tq * x.y_row + h * s.dv;
  x.logs = logs + (n * s.heads + h) * s.tq;
  x.mask = mask ? mask + n * s.mask_strides[0] + h * s.mask_strides[1] : nullptr;
  x.bias = bias ? bias + n * s.bias_strides[0] + h * s.bias_strides[1] : nullptr;
  x.mask_q = s.mask_strides[2], x.mask_k = s.mask_strides[3];
  x.bias_q = s.bias_strides[2], x.bias_k = s.bias_strides[3];
  x.causal = s.causal, x.scale = T(s.scale);
  x.drop = s.rate > 0 ? dropped(s.rate) : 0;
  x.keep_scale = T(dropout_scale(s.rate));
  x.first = std::uint64_t((n * s.heads + h) * s.tq * s.tk);
  return x;
}

}  // namespace

template <class T> void attention(const T* q, const T* k, const T* v, const std::uint8_t* mask, const T* bias,
                                  std::uint64_t* state, std::uint64_t* used, T* y, T* logs,
                                  const AttentionShape& s) {
  s.check("attention");
  RandomKey key{};
  if (s.rate > 0) {
    std::copy_n(state, 3, used);
    key = random_key(state);
    ++state[2];
  }
  const Index heads = s.n * s.heads;
  if (heads * s.tq == 0) return;
  const auto& run = FASTNN_SELECT(attention_kernels<T>)();
  const Index blocks = parts(s.tq, kQueries), wanted = std::min(blocks, parts(kTasks, heads));
  const Index rows = parts(blocks, wanted) * kQueries, ranges = parts(s.tq, rows);
  const Index cost = std::min(rows, s.tq) * s.tk * (s.d + s.dv);
  parallel_ranges(
      heads * ranges, cost,
      [&](Index begin, Index end) {
        AttentionHead<T> x = head_of(q, k, v, mask, bias, y, logs, s, 0, 0);
        const Workspace<T> memory(std::size_t(run.scratch(x, std::min(rows, s.tq))));
        for (Index task = begin; task < end; ++task) {
          const Index head = task / ranges, first = task % ranges * rows;
          x = head_of(q, k, v, mask, bias, y, logs, s, head / s.heads, head % s.heads);
          x.key = key;
          run.forward(x, first, std::min(s.tq, first + rows), memory.data());
        }
      },
      1, kGrainMultiplies);
}
FASTNN_INSTANTIATE(attention)

template <class T> void attention_backward(const T* q, const T* k, const T* v, const std::uint8_t* mask,
                                           const T* bias, const std::uint64_t* used, const T* y,
                                           const T* logs, const T* dy, T* dq, T* dk, T* dv, T* dbias,
                                           const AttentionShape& s) {
  s.check("attention_backward");
  const RandomKey key = s.rate > 0 ? random_key(used) : RandomKey{};
  const Index size = s.n * s.tq * s.heads * s.d, heads = s.n * s.kv_heads, group = s.heads / s.kv_heads;
  if (dbias && s.causal) std::fill_n(dbias, s.n * s.heads * s.tq * s.tk, T(0));
  if (s.tk == 0 && dq) std::fill_n(dq, size, T(0));
  if (heads == 0 || s.tk == 0) return;
  const auto& run = FASTNN_SELECT(attention_kernels<T>)();
  const Index blocks = parts(s.tk, kKeys), wanted = std::min(blocks, parts(kRanges, heads));
  const Index keys = parts(blocks, wanted) * kKeys, ranges = parts(s.tk, keys);
  const Workspace<T> sums(std::size_t(dq && ranges > 1 ? ranges * size : 0));
  const Index cost = s.tq * std::min(keys, s.tk) * group * (3 * s.d + 2 * s.dv);
  parallel_ranges(
      heads * ranges, cost,
      [&](Index begin, Index end) {
        AttentionHead<T> x{};
        const auto enter = [&](Index n, Index h) {
          x = head_of(q, k, v, mask, bias, const_cast<T*>(y), const_cast<T*>(logs), s, n, h);
        };
        enter(0, 0);
        const Workspace<T> memory(std::size_t(run.backward_scratch(x)));
        for (Index task = begin; task < end; ++task) {
          const Index n = task / ranges / s.kv_heads, kv = task / ranges % s.kv_heads, range = task % ranges;
          for (Index h = kv * group; h < (kv + 1) * group; ++h) {
            enter(n, h);
            x.key = key;
            x.dy = dy + (x.y - y);
            if (dq) x.dq = (ranges > 1 ? sums.data() + range * size : dq) + (x.q - q);
            if (dk) x.dk = dk + (x.k - k);
            if (dv) x.dv = dv + (x.v - v);
            if (dbias) x.dbias = dbias + x.first;
            x.accumulate = h > kv * group;
            run.backward(x, range * keys, std::min(s.tk, (range + 1) * keys), memory.data());
          }
        }
      },
      1, kGrainMultiplies);
  if (!dq || ranges == 1) return;
  parallel_ranges(size, ranges, [&](Index begin, Index end) {
    for (Index e = begin; e < end; ++e) {
      T total = sums.data()[e];
      for (Index range = 1; range < ranges; ++range) total += sums.data()[range * size + e];
      dq[e] = total;
    }
  });
}
FASTNN_INSTANTIATE(attention_backward)

}  // namespace cpu
}  // namespace fastnn
#endif
