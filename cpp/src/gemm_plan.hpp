#pragma once

// How a matrix product is taken, chosen by its shape: which kernels, what is copied, and the blocks. Where b
// begins in memory says whether a copy pays, too; nothing but the shape changes bits.

#include <algorithm>
#include <bit>
#include <cstdint>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "fastnn/gemm.hpp"
#include "gemm_kernels.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {

/// Elements of b worth a task where each is read for a few multiply-adds: 7 us from the second-level cache,
/// where a task finds its part again if the parts of all tasks of its thread fit.
constexpr Index kGrainStreamed = 128 * 1024;
/// What of b may be read again and again: half of a second-level cache.
constexpr Index kCacheBytes = 512 * 1024;
/// Rows of a copied at a time: enough to read a block of b often.
constexpr Index kBlockRows = 2048;
/// Elements to a boundary for the caches.
constexpr Index kLine = 16;

/// The length of blocks of nearly equal size, none longer than `most`, multiples of `step`.
inline Index even_block(Index length, Index most, Index step) {
  return length <= most ? length : up(parts(length, parts(length, most)), step);
}

/// The most panels of b in a block that many rows of a go past. With 2 MiB of second-level cache 1 MiB of b
/// stays there: 1024^3 is 2 to 5 % faster on Sapphire Rapids, whose third level is slow. With 1 MiB it cannot
/// stay, and a goes past a wider block fewer times: 4 % on Zen 4.
inline Index block_panels() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  static const bool large = sysconf(_SC_LEVEL2_CACHE_SIZE) >= 2 << 20;
  return large ? 11 : 22;
#else
  return 22;
#endif
}

/// Whether the first-level cache takes the 8 rows of a tile and what passes by, where rows are 4 KiB apart.
inline bool wide_sets() {
#if defined(_SC_LEVEL1_DCACHE_ASSOC)
  static const bool wide = sysconf(_SC_LEVEL1_DCACHE_ASSOC) >= 12;
  return wide;
#else
  return false;
#endif
}

enum class GemmMethod { dot, stream, tiles };

struct GemmPlan {
  GemmMethod method = GemmMethod::tiles;
  bool pack_a = false, pack_b = false;
  bool turned = false;                     // a's columns are packed in chunks as they lie
  bool by_panel = false;                   // b is packed a panel at a time, as it is multiplied
  Index rows = 0, columns = 0, depth = 0;  // of a block
  Index stretch = 0;                       // of the depth, that all panels of a slice take before the next
  Index slices = 1;                        // of the columns, each a task that packs its own part of b
  Index a_stride = 0, c_stride = 0;        // of the rows of packed a, of partial sums
  Index a_scratch = 0, b_scratch = 0;      // elements
};

/// Rows so few that slices of the columns are shared out.
inline bool is_few(const GemmShape& s) { return s.m <= 256; }

/// A power of two, as many cores have, of slices worth a task: of 9 vectors at least, or two of 4.
inline Index slices_of(const GemmShape& s, Index lanes) {
  const Index vectors = parts(s.n, lanes), worth = s.m * s.n * s.k / kGrainMultiplies;
  const Index wide = std::max(vectors / 9, std::min<Index>(2, vectors / 4));
  return Index(std::bit_floor(std::uint64_t(std::max<Index>(std::min({worth, kMaxTasks, wide}), 1))));
}

template <class T> GemmPlan plan_stream(const GemmShape& s, const GemmKernels<T>& run) {
  GemmPlan plan{.method = GemmMethod::stream, .rows = s.m};
  const Index shares = std::clamp<Index>(s.n * s.k / kGrainStreamed, 1, 16);
  plan.depth = std::max<Index>(1, parts(s.k, shares));
  plan.c_stride = up(s.n, run.lanes) + run.lanes;
  if (shares > 1) plan.b_scratch = parts(s.k, plan.depth) * s.m * plan.c_stride;
  return plan;
}

template <class T> GemmPlan plan_dot(const GemmShape& s, const GemmKernels<T>& run) {
  GemmPlan plan{.method = GemmMethod::dot, .rows = s.m, .depth = s.k};
  plan.pack_a = s.a_col != 1 && s.k > 1;
  if (plan.pack_a) plan.a_stride = up(s.k, run.lanes) + run.lanes;
  plan.a_scratch = s.m * plan.a_stride;
  return plan;
}

/// Whether a vector lies across two lines of memory: NumPy's larger arrays begin 16 bytes behind one.
template <class T> bool straddles(const T* b, const GemmKernels<T>& run) {
  constexpr std::uintptr_t kLineBytes = 64;
  return run.lanes * sizeof(T) == kLineBytes && reinterpret_cast<std::uintptr_t>(b) % kLineBytes;
}

template <class T> GemmPlan plan_tiles(const GemmShape& s, const GemmKernels<T>& run, bool b_straddles) {
  constexpr Index kSize = sizeof(T);
  GemmPlan plan{.rows = s.m};
  const Index b_bytes = s.k * s.n * kSize, panel = run.lanes * run.tile_vectors;
  const bool far =
      s.n > panel && b_bytes > kCacheBytes;  // a panel's rows lie apart, and it is read from afar
  plan.pack_b = s.b_col != 1 || (s.m >= 64 && (far || s.k * panel * kSize > kCacheBytes)) ||
                (s.m >= 16 && b_bytes > 16 * kCacheBytes);
  // Broadcasts walk down the columns of a: at such distances they fall into few sets of the cache. Where
  // there are few columns to make up for a copy, the block is made shallow enough for these sets instead.
  const bool scattered = s.k >= 256 && s.a_col > 1 && s.a_col * kSize % 2048 == 0;
  const bool shallow = scattered && s.n <= 2 * panel;
  const bool big = plan.pack_b && s.m > 256 && s.n >= 128 && s.m * s.k * kSize > kCacheBytes / 4;
  const bool rows_do = s.a_col == 1 && (s.a_row * kSize % 4096 || wide_sets());  // where they lie
  // Few columns of a, but b from afar: what waits for them waits for b, too.
  const bool behind = s.a_row == 1 && s.a_col > 1 && s.m >= 256 && b_bytes > 8 * kCacheBytes;
  plan.pack_a =
      s.m >= 64 && s.k >= 128 && s.n > panel && !shallow && (scattered || behind || (big && !rows_do));
  plan.turned = plan.pack_a && s.a_row == 1;
  // A copy of b alone. Panels of rows that lie across lines take more of the first-level cache than it has
  // where these rows share its sets; panels whose rows lie in as many pages make a's columns wait.
  const bool crowded = b_straddles && s.b_row * kSize % 256 == 0;
  const bool wide = s.a_row == 1 && s.a_col > 1 && 2 * b_bytes >= kCacheBytes;
  if ((crowded || wide) && s.m >= 64 && s.k >= 64 && s.n > panel) plan.pack_b = true;
  plan.depth = even_block(s.k, shallow ? 128 : plan.pack_a || plan.pack_b ? 512 : 1024, 1);
  // Few rows read a block of b few times: it had better stay in the second-level cache of whom packed it.
  const bool few = is_few(s);
  if (plan.pack_b && few && !plan.pack_a) plan.slices = slices_of(s, run.lanes);
  plan.columns =
      plan.pack_b ? even_block(parts(s.n, plan.slices), (few ? 8 : block_panels()) * panel, panel) : s.n;
  plan.by_panel = plan.slices > 1 && s.b_col == 1;
  // 512 would do as well, but for rows 4 KiB apart, which share few sets of the second-level cache: 6 %
  // slower. Columns of a are better read again by the next tile: 4 %.
  if (plan.by_panel) {
    plan.depth = even_block(s.k, s.a_col == 1 ? 256 : 128, 1);
    plan.stretch = plan.depth * std::max<Index>(kCacheBytes / (s.m * plan.depth * kSize), 1);
  }
  if (plan.pack_b)
    plan.b_scratch = up((plan.by_panel ? panel : up(plan.columns, run.lanes)) * plan.depth, kLine);
  if (plan.pack_a) {
    plan.rows = even_block(s.m, kBlockRows, run.chunk_rows);
    plan.a_stride = up(plan.depth, run.lanes) + run.lanes;
    plan.a_scratch = plan.turned ? up(plan.rows, run.chunk_rows) * plan.depth : plan.rows * plan.a_stride;
  }
  return plan;
}

/// b_straddles: whether copying b pays sooner, which leaves the bits.
template <class T>
GemmPlan plan_for(const GemmShape& s, const GemmKernels<T>& run, bool b_straddles = false) {
  const bool b_is_large = s.k * s.n * Index(sizeof(T)) > 16 * kCacheBytes;
  if (s.b_col == 1 && (s.m <= 3 || (s.m == 4 && b_is_large))) return plan_stream(s, run);
  if (s.b_row == 1 && s.b_col != 1 && s.m <= 32 && s.m * run.lanes <= std::max(s.k, run.lanes))
    return plan_dot(s, run);
  return plan_tiles(s, run, b_straddles);
}

}  // namespace fastnn::cpu
