// Matrix product. The plan is chosen by shape alone:
//
// dot      b's columns lie together and there are few rows: nothing is copied.
// stream   up to 3 rows, b's rows lie together: b is read once, in order.
// tiles    everything else. For each block of the depth (depth), for each block of columns (columns): the
//          block of b is packed if its rows do not lie together or it is read often and far apart, the block
//          of a if its columns lie together and there are many; then C's rectangles are multiplied in
//          parallel, a chunk of rows of a after the other, panel by panel of b:
//
//                         columns                    a chunk of a, 64 rows or so, stays in the second-level
//                      +-----+-----+                 cache while all panels of b, depth x 3 vectors each, go
//                depth |  b  |     |                 past it. Each tile asks for a piece of the next chunk,
//                      +-----+-----+                 and for the next tile's c: asked for when they are
//             depth                                  needed, they come too late from the third level
//            +-----+   +-----+-----+
//      chunk |  a  |   |  c  |     |
//            +-----+   +-----+-----+
//
// c = a^T b with few columns is taken as c^T = b^T a, and turned at the end.
//
// Scratch memory: one block of b, and one of a; c^T where that is taken.
#include "fastnn/gemm.hpp"

#include "gemm_kernels.hpp"

namespace fastnn::cpu {

FASTNN_DECLARE(const GemmKernels<T>&, gemm_kernels, ())

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "elementwise.hpp"
#include "gemm_kernel.hpp"
#include "gemm_pack.hpp"
#include "panel_product_kernel.hpp"
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class Functor, class T> static void finish_loop(const Parameters<Vec<T>>& p, Index bias_step, T* c,
                                                          T* z, Index c_row, const T* bias, Index rows,
                                                          Index cols) {
  using V = Vec<T>;
  for (Index r = 0; r < rows; ++r, c += c_row, z += z ? c_row : 0) {
    row_each<T>(cols, [&](auto at) {
      V v = at.load(c);
      if (bias) v = v + (bias_step ? at.load(bias) : V::set(*bias));
      if (z) at.store(z, v);
      at.store(c, Functor::value(v, p));
    });
  }
}

template <class T> void epilogue_rows(const Epilogue<T>& epilogue, Index bias_step, T* c, T* z, Index c_row,
                                      const T* bias, Index rows, Index cols) {
  const auto p = Parameters<Vec<T>>::of(epilogue.parameters);
  switch (epilogue.activation) {
#define FASTNN_UNARY(name, Functor, saved) \
  case Unary::name:                        \
    return finish_loop<Functor>(p, bias_step, c, z, c_row, bias, rows, cols);
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
  }
}
FASTNN_INSTANTIATE(epilogue_rows)

/// Rows of a that stay in the second-level cache while all panels of b go past them.
constexpr Index kChunkRows = 8 * kTileRows;

/// One panel of b against rows [row, row + rows) of c, evenly cut into tiles. a: the first of these rows. b:
/// the panel, padded if its rows follow each other.
template <class T> static void multiply_panel(const Product<T>& x, const T* a, Index a_row, Index a_col,
                                              const T* b, Index b_row, const Panel<T>& panel, Index row,
                                              Index rows) {
  constexpr Index L = Vec<T>::lanes;
  const int vectors = int(panel.count / L), last = int(panel.width(x.cols) - panel.count + L);
  T* const c = x.c + row * x.c_row + panel.first;
  const Index tiles = (rows + kTileRows - 1) / kTileRows;
  for (Index t = 0; t < tiles; ++t) {
    const Index i = rows * t / tiles, end = rows * (t + 1) / tiles;
    select_tile<T>(int(end - i), vectors, b_row != panel.count && last < L)(
        x.depth, a + i * a_row, a_row, a_col, b, b_row, c + i * x.c_row, x.c_row, last, x.accumulate);
  }
}

template <class T> static void finish_panel(const Product<T>& x, const Epilogue<T>& epilogue,
                                            const Panel<T>& panel, Index row, Index rows) {
  const Index at = row * x.c_row + panel.first;
  epilogue_rows(epilogue, 1, x.c + at, epilogue.z ? epilogue.z + at : nullptr, x.c_row,
                epilogue.bias ? epilogue.bias + panel.first : nullptr, rows, panel.width(x.cols));
}

/// A panel of b, rows `from` of x, for all of c's rows: the first tile packs it, and as many as it has lines
/// in a row ask for the rows that come next, if there are any.
template <class T> static void multiply_packing(const Product<T>& x, const Panel<T>& panel, const T* from,
                                                const T* next, Index rows, T* packed) {
  constexpr Index L = Vec<T>::lanes;
  const int vectors = int(panel.count / L), last = int(panel.width(x.cols) - panel.count + L);
  T* const c = x.c + panel.first;
  const Aside<T> first = next ? Aside<T>{next, x.b_row, packed} : Aside<T>{from, 0, packed};
  select_busy_tile<T, Does::pack>(vectors)(x.depth, x.a, x.a_row, x.a_col, from, x.b_row, c, x.c_row, last,
                                           x.accumulate, first);
  Index i = kTileRows;
  for (Index line = 1; next && line <= vectors && i + kTileRows <= rows; ++line, i += kTileRows)
    select_busy_tile<T, Does::ask>(vectors)(x.depth, x.a + i * x.a_row, x.a_row, x.a_col, packed, panel.count,
                                            c + i * x.c_row, x.c_row, last, x.accumulate,
                                            {next + line * L, x.b_row, nullptr});
  multiply_panel(x, x.a + i * x.a_row, x.a_row, x.a_col, packed, panel.count, panel, i, rows - i);
}

/// All panels of b, whose rows lie together, for few rows of a, kTileRows at least, a block of the depth at a
/// time: while one is multiplied, the next one comes from the third-level cache. stretch: of the depth, whole
/// blocks, that all panels take before the next, as a's part of it stays in the second-level cache. scratch:
/// one panel, `block` deep.
template <class T> static void multiply_few(const Product<T>& x, const Epilogue<T>* epilogue, Index rows,
                                            Index block, Index stretch, T* scratch) {
  for (Index begin = 0; begin < x.depth; begin += stretch) {
    const Index end = begin + stretch < x.depth ? begin + stretch : x.depth;
    for (Index i = 0; i < x.panels; ++i) {
      const Panel<T> panel(x.cols, x.panels, i);
      for (Index p = begin; p < end; p += block) {
        const T* const from = x.b + p * x.b_row + panel.first;
        Product<T> part = x;
        part.a += p * x.a_col;
        part.depth = end - p < block ? end - p : block;
        part.accumulate = p > 0;
        const T* next = p + block < end ? from + block * x.b_row : nullptr;
        if (!next && i + 1 < x.panels) next = x.b + begin * x.b_row + Panel<T>(x.cols, x.panels, i + 1).first;
        multiply_packing(part, panel, from, next, rows, scratch);
      }
      if (epilogue && end == x.depth) finish_panel(x, *epilogue, panel, 0, rows);
    }
  }
}

/// The least depth of a tile that asks for what comes next. Shallower ones are 3 to 15 % slower for it.
constexpr Index kLeastAsking = 256;

/// multiply_panel for packed b, whose tiles ask for what comes next: the next tile's c, which `next_c` is for
/// the last one, and pieces of the next chunk of a, if there is one, from piece `piece` on.
template <class T> static void multiply_ahead(const Product<T>& x, const T* a, const T* b,
                                              const Panel<T>& panel, Index row, Index rows, const T* next_c,
                                              const T* next_a, Index piece) {
  constexpr Index L = Vec<T>::lanes;
  const int vectors = int(panel.count / L), last = int(panel.width(x.cols) - panel.count + L);
  const auto tile = select_busy_tile<T, Does::look_ahead>(vectors);
  T* c = x.c + row * x.c_row + panel.first;
  Index i = 0;
  for (; i + kTileRows <= rows; i += kTileRows, ++piece) {
    T* const at = c + i * x.c_row;
    const bool asks = next_a && piece < kChunkRows;
    tile(x.depth, a + i * x.a_row, x.a_row, x.a_col, b, panel.count, at, x.c_row, last, x.accumulate,
         {asks ? next_a + piece * x.a_step : nullptr, 0, nullptr,
          i + 2 * kTileRows <= rows ? at + kTileRows * x.c_row : next_c, asks ? (x.depth + L - 1) / L : 0});
  }
  if (i < rows)
    multiply_panel(x, a + i * x.a_row, x.a_row, x.a_col, b, panel.count, panel, row + i, rows - i);
}

/// Rows [row, row + rows) of c in panels [panel, panel + panels), and the epilogue if there is one.
template <class T> static void multiply_tiles(const Product<T>& x, const Epilogue<T>* epilogue, Index row,
                                              Index rows, Index panel, Index panels) {
  const Index end = row + rows;
  for (Index r = row; r < end; r += kChunkRows) {
    const Index height = end - r < kChunkRows ? end - r : kChunkRows;
    const T* const a = x.a + r * x.a_step;
    const T* const next_a = r + kChunkRows < x.rows ? a + kChunkRows * x.a_step : nullptr;
    for (Index i = 0; i < panels; ++i) {
      const Panel<T> columns(x.cols, x.panels, panel + i);
      const T* const b = x.b + columns.first * (x.b_row ? 1 : x.depth);
      if (x.b_row || x.depth < kLeastAsking) {
        multiply_panel<T>(x, a, x.a_row, x.a_col, b, x.b_row ? x.b_row : columns.count, columns, r, height);
      } else {
        const T* const next_c = x.c + r * x.c_row + columns.first + (i + 1 < panels ? columns.count : 0);
        multiply_ahead(x, a, b, columns, r, height, next_c, next_a, i * (height / kTileRows));
      }
      if (epilogue) finish_panel(x, *epilogue, columns, r, height);
    }
  }
}

/// x, (rows, cols), cut into chunks of kChunkRows columns, each of which lies together in y, its rows one
/// after the other.
template <class T> static void pack_chunks(const T* x, Index x_row, T* y, Index rows, Index cols) {
  for (Index r = 0; r < rows; ++r)
    for (Index j = 0; j < cols; j += kChunkRows)
      pack_row_asking(x + r * x_row + j, r + kAhead < rows ? kAhead * x_row : 0,
                      y + j * rows + r * kChunkRows, cols - j < kChunkRows ? cols - j : kChunkRows);
}

/// c = a b for few rows, whose b is read once. One row and few whole vectors of columns stay in registers.
template <class T> static void stream_rows(const T* a, Index a_row, Index a_col, const T* b, Index b_row,
                                           T* c, Index c_row, Index rows, Index cols, Index depth) {
  constexpr Index L = Vec<T>::lanes;
  if (rows == 1 && cols % L == 0 && cols <= kRowVectors * L)
    return select_row<T>(int(cols / L))(depth, a, a_col, b, b_row, c, L, false);
  switch (rows) {
    case 1: return stream<1>(depth, a, a_row, a_col, b, b_row, c, c_row, cols);
    case 2: return stream<2>(depth, a, a_row, a_col, b, b_row, c, c_row, cols);
    case 3: return stream<3>(depth, a, a_row, a_col, b, b_row, c, c_row, cols);
    default: return stream<4>(depth, a, a_row, a_col, b, b_row, c, c_row, cols);
  }
}

template <int R, class T> static void dot_columns(const T* a, Index a_row, const T* b, Index b_col, T* c,
                                                  Index c_row, Index cols, Index depth, int head) {
  Index j = 0;
  for (; j + kDotColumns <= cols; j += kDotColumns)
    dot<R, kDotColumns>(depth, a, a_row, b + j * b_col, b_col, c + j, c_row, head);
  for (; j < cols; ++j) dot<R, 1>(depth, a, a_row, b + j * b_col, b_col, c + j, c_row, head);
}

/// Elements before the first whole vector in memory, if it is the same for all columns of b. NumPy's larger
/// arrays begin 16 bytes behind a cache line, and vectors across two lines take two loads: 8x128x784
/// from 18.8 to 11.6 us on Sapphire Rapids.
template <class T> static int dot_head(const T* b, Index b_col, Index depth) {
  constexpr Index L = Vec<T>::lanes;
  const Index behind = Index(reinterpret_cast<std::uintptr_t>(b) / sizeof(T) % L);
  const bool gains = L * sizeof(T) > 16 && behind && b_col % L == 0 && depth >= 8 * L;
  return gains ? int(L - behind) : 0;
}

template <class T> static void dot_rows(const T* a, Index a_row, const T* b, Index b_col, T* c, Index c_row,
                                        Index rows, Index cols, Index depth) {
  const int head = dot_head(b, b_col, depth);
  Index i = 0;
  for (; i + 4 <= rows; i += 4)
    dot_columns<4>(a + i * a_row, a_row, b, b_col, c + i * c_row, c_row, cols, depth, head);
  switch (rows - i) {
    case 3: return dot_columns<3>(a + i * a_row, a_row, b, b_col, c + i * c_row, c_row, cols, depth, head);
    case 2: return dot_columns<2>(a + i * a_row, a_row, b, b_col, c + i * c_row, c_row, cols, depth, head);
    case 1: return dot_columns<1>(a + i * a_row, a_row, b, b_col, c + i * c_row, c_row, cols, depth, head);
  }
}

template <class T> const GemmKernels<T>& gemm_kernels() {
  static constexpr GemmKernels<T> kKernels{Vec<T>::lanes,      kTileRows,
                                           kTileVectors,       kChunkRows,
                                           &multiply_tiles<T>, &multiply_few<T>,
                                           &stream_rows<T>,    &dot_rows<T>,
                                           &pack_matrix<T>,    &pack_transposed<T, true>,
                                           &pack_chunks<T>,    &pack_panel_range<T>,
                                           &pack_panel_rows<T>};
  return kKernels;
}
FASTNN_INSTANTIATE(gemm_kernels)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include "check.hpp"
#include "gemm_plan.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn {

void GemmShape::check(const char* op) const {
  fastnn::check(op, m >= 0 && n >= 0 && k >= 0, "expected m, n, k >= 0, got (", m, ", ", n, ", ", k, ")");
  fastnn::check(op, m < 2 || c_row >= n, "expected rows of c at least n = ", n, " apart, got ", c_row);
}

namespace cpu {
namespace {

/// Where piece i of `pieces` begins, if `length` is cut at multiples of unit.
Index cut(Index length, Index unit, Index i, Index pieces) {
  return std::min(length, parts(length, unit) * i / pieces * unit);
}

/// One product: its arrays, shape and plan.
template <class T> class Gemm {
 public:
  Gemm(const GemmKernels<T>& run, const GemmShape& shape, const GemmPlan& plan, const Epilogue<T>& epilogue,
       Index bias_step)
      : run_(run), s_(shape), plan_(plan), epilogue_(epilogue), bias_step_(bias_step) {}

  void operator()(const T* a, const T* b, T* c, T* z, T* scratch) const {
    if (s_.k == 0) return no_sum(c, z);
    switch (plan_.method) {
      case GemmMethod::dot: return dot(a, b, c, z, scratch);
      case GemmMethod::stream: return stream(a, b, c, z, scratch);
      case GemmMethod::tiles: return tiles(a, b, c, z, scratch);
    }
  }

 private:
  void finish(T* c, T* z, Index col, Index cols) const {
    if (epilogue_.empty()) return;
    const T* bias = epilogue_.bias ? epilogue_.bias + bias_step_ * col : nullptr;
    FASTNN_SELECT(epilogue_rows<T>)
    (epilogue_, bias_step_, c + col, z ? z + col : nullptr, s_.c_row, bias, s_.m, cols);
  }

  void no_sum(T* c, T* z) const {
    for (Index i = 0; i < s_.m; ++i) std::fill_n(c + i * s_.c_row, s_.n, T(0));
    finish(c, z, 0, s_.n);
  }

  void dot(const T* a, const T* b, T* c, T* z, T* scratch) const {
    Index a_row = s_.a_row;
    if (plan_.pack_a) {
      run_.pack(a, s_.a_row, s_.a_col, scratch, plan_.a_stride, s_.m, s_.k);
      a = scratch;
      a_row = plan_.a_stride;
    }
    parallel_ranges(
        s_.n, s_.m * s_.k,
        [&](Index begin, Index end) {
          run_.dot(a, a_row, b + begin * s_.b_col, s_.b_col, c + begin, s_.c_row, s_.m, end - begin, s_.k);
          finish(c, z, begin, end - begin);
        },
        4 * run_.lanes, kGrainMultiplies);
  }

  /// Shares out the depth, not the columns: whole rows of b come from memory 1.6 times as fast as parts of
  /// them (1 x 1024 x 1024 on Zen 4).
  void stream(const T* a, const T* b, T* c, T* z, T* scratch) const {
    const Index shares = parts(s_.k, plan_.depth);
    const Index c_row = shares == 1 ? s_.c_row : plan_.c_stride;
    parallel_tasks(shares, [&](Index share) {
      const Index p = share * plan_.depth;
      run_.stream(a + p * s_.a_col, s_.a_row, s_.a_col, b + p * s_.b_row, s_.b_row,
                  shares == 1 ? c : scratch + share * s_.m * c_row, c_row, s_.m, s_.n,
                  std::min(plan_.depth, s_.k - p));
    });
    const T one = 1;
    for (Index i = 0; shares > 1 && i < s_.m; ++i)
      run_.stream(&one, 0, 0, scratch + i * c_row, s_.m * c_row, c + i * s_.c_row, s_.c_row, 1, s_.n, shares);
    finish(c, z, 0, s_.n);
  }

  void tiles(const T* a, const T* b, T* c, T* z, T* scratch) const {
    if (plan_.slices == 1) return tiles(a, b, c, z, scratch, 0, s_.n);
    const Index vectors = parts(s_.n, run_.lanes);
    parallel_tasks(plan_.slices, [&](Index t) {
      const Workspace<T> memory(std::size_t(plan_.b_scratch));
      const Index begin = vectors * t / plan_.slices * run_.lanes,
                  end = std::min(s_.n, vectors * (t + 1) / plan_.slices * run_.lanes);
      plan_.by_panel ? packing(a, b, c, z, memory.data(), begin, end)
                     : tiles(a, b, c, z, memory.data(), begin, end);
    });
  }

  /// Columns [begin, end), by one task.
  void packing(const T* a, const T* b, T* c, T* z, T* scratch, Index begin, Index end) const {
    const FlushDenormals flush;
    Epilogue<T> epilogue = epilogue_;
    if (epilogue.bias) epilogue.bias += begin;
    epilogue.z = z ? z + begin : nullptr;
    const Index panels = parts(parts(end - begin, run_.lanes), run_.tile_vectors);
    run_.few({a, s_.a_row, s_.a_col, s_.a_row, b + begin, s_.b_row, c + begin, s_.c_row, s_.m, end - begin,
              s_.k, panels, false},
             epilogue_.empty() ? nullptr : &epilogue, s_.m, plan_.depth, plan_.stretch, scratch);
  }

  /// Columns [begin, end).
  void tiles(const T* a, const T* b, T* c, T* z, T* scratch, Index begin, Index end) const {
    T* const packed_a = scratch + plan_.b_scratch;
    const bool one_block = plan_.columns >= end - begin && plan_.depth >= s_.k;
    for (Index i = 0; i < s_.m; i += plan_.rows) {
      const Index rows = std::min(plan_.rows, s_.m - i);
      for (Index p = 0; p < s_.k; p += plan_.depth) {
        const Index depth = std::min(plan_.depth, s_.k - p);
        const T* const a_block = a + i * s_.a_row + p * s_.a_col;
        if (plan_.pack_a) pack_a(a_block, packed_a, rows, depth);
        for (Index j = begin; j < end; j += plan_.columns) {
          const Index cols = std::min(plan_.columns, end - j);
          const Index panels = parts(parts(cols, run_.lanes), run_.tile_vectors);
          const T* const b_block = b + p * s_.b_row + j * s_.b_col;
          if (plan_.pack_b && !(one_block && i > 0)) pack_b(b_block, scratch, depth, cols, panels);
          Product<T> x{a_block,
                       s_.a_row,
                       s_.a_col,
                       s_.a_row,
                       plan_.pack_b ? scratch : b_block,
                       plan_.pack_b ? 0 : s_.b_row,
                       c + i * s_.c_row + j,
                       s_.c_row,
                       rows,
                       cols,
                       depth,
                       panels,
                       p > 0};
          if (plan_.pack_a) {
            x.a = packed_a;
            x.a_row = plan_.turned ? 1 : plan_.a_stride;
            x.a_col = plan_.turned ? run_.chunk_rows : 1;
            x.a_step = plan_.turned ? depth : plan_.a_stride;
          }
          Epilogue<T> epilogue = epilogue_;
          if (epilogue.bias) epilogue.bias += j;
          epilogue.z = z ? z + i * s_.c_row + j : nullptr;
          multiply(x, p + depth == s_.k && !epilogue.empty() ? &epilogue : nullptr);
        }
      }
    }
  }

  void pack_a(const T* a, T* packed, Index rows, Index depth) const {
    if (plan_.turned) {
      // By whom multiplies these rows, two chunks at least, so that pieces of a's columns are half a KiB.
      const Index chunk = run_.chunk_rows;
      parallel_ranges(
          parts(rows, chunk), depth * chunk,
          [&](Index begin, Index end) {
            run_.pack_chunks(a + begin * chunk, s_.a_col, packed + begin * chunk * depth, depth,
                             std::min(end * chunk, rows) - begin * chunk);
          },
          2);
    } else {
      parallel_ranges(rows, depth, [&](Index begin, Index end) {
        run_.pack(a + begin * s_.a_row, s_.a_row, s_.a_col, packed + begin * plan_.a_stride, plan_.a_stride,
                  end - begin, depth);
      });
    }
  }

  void pack_b(const T* b, T* packed, Index depth, Index cols, Index panels) const {
    if (s_.b_col == 1) {
      parallel_ranges(depth, cols, [&](Index begin, Index end) {
        run_.pack_panel_rows(b, s_.b_row, packed, depth, cols, panels, begin, end);
      });
    } else {
      parallel_ranges(panels, depth * run_.lanes * run_.tile_vectors, [&](Index begin, Index end) {
        run_.pack_panels(b, s_.b_row, s_.b_col, packed, depth, cols, panels, begin, end);
      });
    }
  }

  /// Cuts c into pieces: of at least 64 rows first, then of whole panels, then of fewer rows. They follow
  /// each other column by column, or row by row: where a would come from the third level for many parts of
  /// the columns, or for columns that stay in the second, and where each thread has packed its rows. Halves
  /// of b that threads have packed panel by panel are theirs to multiply with, unless a is much larger.
  void multiply(const Product<T>& x, const Epilogue<T>* epilogue) const {
    const Index wanted = std::clamp<Index>(x.rows * x.cols * x.depth / kGrainMultiplies, 1, kMaxTasks);
    const Index unit = plan_.turned ? run_.chunk_rows : run_.tile_rows, units = parts(x.rows, unit);
    Index row_parts = std::clamp<Index>(x.rows / 64, 1, wanted);
    // Pieces side by side read the same rows of a.
    const Index most = plan_.pack_a ? parts(x.cols, 256) : x.panels;
    const bool halves =
        plan_.pack_b && s_.b_col != 1 && !plan_.pack_a && x.panels >= 4 && x.rows <= 2 * x.cols;
    const Index col_parts = halves ? 2 : std::min({most, x.panels, parts(wanted, row_parts)});
    row_parts = std::min(std::max(row_parts, wanted / col_parts), units);
    const Index a_bytes = x.rows * x.depth * Index(sizeof(T)), b_bytes = x.cols * x.depth * Index(sizeof(T));
    const bool rows_first =
        plan_.turned || (!halves && a_bytes > kCacheBytes && (col_parts > 2 || b_bytes <= kCacheBytes));
    parallel_tasks(row_parts * col_parts, [&](Index task) {
      const Index q = rows_first ? task % col_parts : task / row_parts;
      const Index r = rows_first ? task / col_parts : task % row_parts;
      const Index row = cut(x.rows, unit, r, row_parts), panel = x.panels * q / col_parts;
      run_.tiles(x, epilogue, row, cut(x.rows, unit, r + 1, row_parts) - row, panel,
                 x.panels * (q + 1) / col_parts - panel);
    });
  }

  const GemmKernels<T>& run_;
  const GemmShape& s_;
  const GemmPlan& plan_;
  const Epilogue<T>& epilogue_;
  const Index bias_step_;
};

/// A product with one column as one with one row, c^T = b^T a^T, which has the better kernels.
GemmShape transposed(const GemmShape& s) {
  GemmShape t = s;
  t.m = s.n, t.n = s.m;
  t.a_row = s.b_col, t.a_col = s.b_row;
  t.b_row = s.a_col, t.b_col = s.a_row;
  t.c_row = t.n;
  for (int axis = 0; axis < s.batch.axes; ++axis)
    std::swap(t.batch.strides[0][axis], t.batch.strides[1][axis]);
  return t;
}

/// Strides along axes of length 1 say nothing; let them fit the plans that copy nothing.
GemmShape normal(GemmShape s) {
  if (s.n == 1 && s.b_row != 1) s.b_col = 1;
  if (s.k == 1) {
    s.a_col = 1;
    if (s.b_col != 1) s.b_row = 1;
  }
  return s;
}

template <class Fn> void each_product(const Strided<3>& batch, Index begin, Index end, const Fn& fn) {
  for (Index i = begin; i < end; ++i) {
    Index at[3] = {0, 0, 0};
    for (Index rest = i, axis = batch.axes - 1; axis >= 0; rest /= batch.shape[axis], --axis)
      for (int x = 0; x < 3; ++x) at[x] += rest % batch.shape[axis] * batch.strides[x][axis];
    fn(at[0], at[1], at[2]);
  }
}

/// Whether c^T = b^T a is taken in place of c = a^T b with few columns: vectors lie along a's, of which there
/// are enough to fill them, and tiles read a in rows that lie together. With more columns than a vector has
/// it takes a depth that makes up for turning c, and does not where a is copied, which serves as well.
template <class T>
bool turning_pays(const GemmShape& s, const Epilogue<T>& epilogue, const GemmKernels<T>& run) {
  const bool in_rows = s.a_row == 1 && s.a_col > 1 && s.b_col == 1 && s.b_row > 1;
  if (!in_rows || s.n == 1 || s.m < 16 * run.lanes || s.m < 3 * s.n) return false;
  if (s.batch.size() != 1 || !epilogue.empty()) return false;
  return s.n <= run.lanes ? s.k >= 64 : s.k >= 256 && !plan_for(s, run).pack_a;
}

/// The products of a batch, c as it lies.
template <class T> void gemm_straight(const T* a, const T* b, T* c, const GemmShape& shape,
                                      const Epilogue<T>& epilogue, const GemmKernels<T>& run) {
  const Index count = shape.batch.size();
  const bool turn = shape.n == 1 && shape.m > 1 && shape.c_row == 1;
  const GemmShape s = normal(turn ? transposed(shape) : shape);
  if (turn) std::swap(a, b);
  const GemmPlan plan = plan_for(s, run, straddles(b, run));
  const Gemm<T> product(run, s, plan, epilogue, turn ? 0 : 1);

  // Small products run side by side, big ones one after the other on all threads.
  const Index work = s.m * s.n * s.k;
  const Index tasks = std::min({count, std::max<Index>(1, count * work / kGrainMultiplies), kMaxTasks});
  const bool side_by_side = count > 1 && work < 8 * kGrainMultiplies;
  const Index scratch = plan.slices > 1 ? 0 : up(plan.a_scratch + plan.b_scratch, kLine);
  const Workspace<T> memory(std::size_t((side_by_side ? tasks : 1) * scratch));
  const auto range = [&](Index begin, Index end, T* own) {
    each_product(s.batch, begin, end, [&](Index at_a, Index at_b, Index at_c) {
      product(a + at_a, b + at_b, c + at_c, epilogue.z ? epilogue.z + at_c : nullptr, own);
    });
  };
  if (!side_by_side) return range(0, count, memory.data());
  parallel_tasks(tasks, [&](Index t) {
    range(count * t / tasks, count * (t + 1) / tasks, memory.data() + t * scratch);
  });
}

/// c = a^T b by way of c^T, of which each task turns the columns that it has multiplied; all at once where
/// there are so many rows that a product is not cut into columns.
template <class T>
void gemm_turned(const T* a, const T* b, T* c, const GemmShape& s, const GemmKernels<T>& run) {
  const GemmShape whole = transposed(s);
  const Index vectors = parts(s.m, run.lanes), slices = is_few(whole) ? slices_of(whole, run.lanes) : 1;
  parallel_tasks(slices, [&](Index t) {
    const Index begin = vectors * t / slices * run.lanes,
                end = std::min(s.m, vectors * (t + 1) / slices * run.lanes);
    GemmShape slice = whole;
    slice.n = slice.c_row = end - begin;
    const Workspace<T> turned(std::size_t(slice.m * slice.n));
    gemm_straight(b, a + begin, turned.data(), slice, Epilogue<T>{}, run);
    parallel_ranges(slice.n, slice.m, [&](Index from, Index to) {
      run.turn(turned.data() + from, slice.c_row, c + (begin + from) * s.c_row, s.c_row, to - from, slice.m);
    });
  });
}

}  // namespace

template <class T>
void gemm(const T* a, const T* b, T* c, const GemmShape& shape, const Epilogue<T>& epilogue) {
  shape.check("gemm");
  if (shape.m == 0 || shape.n == 0 || shape.batch.size() == 0) return;
  const auto& run = FASTNN_SELECT(gemm_kernels<T>)();
  if (turning_pays(shape, epilogue, run)) return gemm_turned(a, b, c, shape, run);
  gemm_straight(a, b, c, shape, epilogue, run);
}
FASTNN_INSTANTIATE(gemm)

}  // namespace cpu
}  // namespace fastnn
#endif
