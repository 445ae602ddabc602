#include "fastnn/gather.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

/// Slice `from` of dy goes to row `to` of dx.
struct Route {
  Index from, to;
};

/// What a task adds up: columns [first, first + cols) of the rows [begin, end) of dx, where `count` routes
/// lead.
struct ScatterTask {
  const Route* routes;
  Index count, inner, first, cols, begin, end;
};

FASTNN_DECLARE(void, scatter_add, (const T* dy, T* dx, const ScatterTask& task))
FASTNN_DECLARE(void, one_hot_block, (const std::int64_t* indices, T* y, Index classes, Index inner))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Rows of dy that are asked for ahead: they lie anywhere.
constexpr Index kRowsAhead = 4;

template <class T> void scatter_add(const T* dy, T* dx, const ScatterTask& task) {
  // memset writes whole lines without reading them first: 5 to 15 % of all this is saved.
  const bool whole = task.cols == task.inner;
  const Index rows = task.end - task.begin, length = whole ? rows * task.inner : task.cols;
  for (Index i = 0; i < (whole ? 1 : rows); ++i)
    __builtin_memset(dx + (task.begin + i) * task.inner + task.first, 0, std::size_t(length) * sizeof(T));
  for (Index k = 0; k < task.count; ++k) {
    const T* const from = dy + task.routes[k].from * task.inner + task.first;
    T* const to = dx + task.routes[k].to * task.inner + task.first;
    if (k + kRowsAhead < task.count) {
      const T* const later = dy + task.routes[k + kRowsAhead].from * task.inner + task.first;
      for (Index c = 0; c < task.cols; c += 64 / Index(sizeof(T))) __builtin_prefetch(later + c);
    }
    row_each<T>(task.cols, [&](auto at) { at.store(to, at.load(to) + at.load(from)); });
  }
}
FASTNN_INSTANTIATE(scatter_add)

template <class T> void one_hot_block(const std::int64_t* indices, T* y, Index classes, Index inner) {
  row_each<T>(classes * inner, [&](auto at) { at.store(y, Vec<T>::set(0)); });
  for (Index i = 0; i < inner; ++i)
    if (indices[i] >= 0 && indices[i] < classes) y[indices[i] * inner + i] = T(1);
}
FASTNN_INSTANTIATE(one_hot_block)

}  // namespace fastnn::cpu::FASTNN_ISA
#endif

#if FASTNN_ENTRY  // ---- once --------------------------------------------------
#include <bit>
#include <cstring>

#include "check.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {
namespace {

void check_indices(const std::int64_t* indices, Index count, Index lowest, Index n) {
  for (Index k = 0; k < count; ++k)
    check("take", indices[k] >= lowest && indices[k] < n, "expected indices in [", lowest, ", ", n, "), got ",
          indices[k], " at position ", k);
}

/// Bytes of slices that are asked for ahead, for they lie anywhere.
constexpr Index kBytesAhead = 4096, kLine = 64;

/// kBytes is known where slices are single elements: then a copy is one instruction, not a call.
template <int kBytes> void gather_range(const char* x, const std::int64_t* indices, char* y, Index n,
                                        Index count, Index bytes, Index stride_bytes, Index begin,
                                        Index end) {
  const auto slice = [=](Index k) { return (indices[k] < 0 ? indices[k] + n : indices[k]) * stride_bytes; };
  const Index read = std::min(bytes, kBytesAhead), ahead = kBytesAhead / std::max(read, kLine);
  for (Index o = begin / count, k = begin % count, t = begin; t < end; ++o, k = 0) {
    const char* const from = x + o * n * stride_bytes;
    for (const Index stop = std::min(count, k + end - t); k < stop; ++k, ++t) {
      if constexpr (kBytes > 0) {
        std::memcpy(y + t * kBytes, from + slice(k), kBytes);
      } else {
        if (k + ahead < stop)
          for (Index at = 0; at <= read; at += kLine) __builtin_prefetch(from + slice(k + ahead) + at);
        std::memcpy(y + t * bytes, from + slice(k), std::size_t(bytes));
      }
    }
  }
}

/// The tasks gather_backward is cut into, where there is enough to do.
constexpr Index kScatterTasks = 16;
/// Columns a task keeps at least: four cache lines of floats.
constexpr Index kScatterColumns = 64;
/// What of dx a task writes, so that it is still in the second-level cache when slices are added to it.
constexpr Index kScatterBytes = 256 * 1024;

/// The routes of all indices, those to one block of 2^shift rows of dx together, in the order of the indices.
/// starts: where those of each block begin, and their number.
void route(const std::int64_t* indices, Index count, Index n, int shift, Index blocks, Route* routes,
           Index* starts) {
  const auto row = [=](Index k) { return indices[k] < 0 ? indices[k] + n : indices[k]; };
  std::fill_n(starts, blocks + 1, Index(0));
  for (Index k = 0; k < count; ++k) ++starts[(row(k) >> shift) + 1];
  for (Index b = 0; b < blocks; ++b) starts[b + 1] += starts[b];
  for (Index k = 0; k < count; ++k) routes[starts[row(k) >> shift]++] = {k, row(k)};
  for (Index b = blocks; b > 0; --b) starts[b] = starts[b - 1];
  starts[0] = 0;
}

}  // namespace

void gather(const void* x, const std::int64_t* indices, void* y, Index outer, Index n, Index count,
            Index bytes, Index stride_bytes, bool wrap) {
  check_indices(indices, count, wrap ? -n : 0, n);
  if (bytes == 0) return;
  const auto range = bytes == 1   ? &gather_range<1>
                     : bytes == 2 ? &gather_range<2>
                     : bytes == 4 ? &gather_range<4>
                     : bytes == 8 ? &gather_range<8>
                                  : &gather_range<0>;
  parallel_ranges(outer * count, (bytes + 3) / 4, [=](Index begin, Index end) {
    range(static_cast<const char*>(x), indices, static_cast<char*>(y), n, count, bytes, stride_bytes, begin,
          end);
  });
}

template <class T> void gather_backward(const T* dy, const std::int64_t* indices, T* dx, Index outer, Index n,
                                        Index count, Index inner) {
  check_indices(indices, count, -n, n);
  if (outer * n * inner == 0) return;
  const bool worth_it = (n + count) * inner > kGrain;
  const bool in_strips = worth_it && n < kScatterTasks;
  const Index width = in_strips ? kScatterColumns : inner, strips = (inner + width - 1) / width;
  const Index wanted =
      worth_it ? std::max(kScatterTasks / strips, n * width * Index(sizeof(T)) / kScatterBytes) : 1;
  // A power of two: a division for each index takes as long as adding up its slice.
  const Index rows = Index(std::bit_ceil(std::uint64_t(n / std::max<Index>(1, wanted) + 1))),
              blocks = (n + rows - 1) / rows;
  const int shift = std::countr_zero(std::uint64_t(rows));
  const Workspace<Route> routes{std::size_t(count)};
  const Workspace<Index> starts{std::size_t(blocks + 1)};
  route(indices, count, n, shift, blocks, routes.data(), starts.data());
  const auto kernel = FASTNN_SELECT(scatter_add<T>);
  const auto run = [&](Index t) {
    const Index o = t / (strips * blocks), first = t % strips * width, block = t / strips % blocks,
                begin = block * rows;
    const Index start = starts.data()[block], stop = starts.data()[block + 1];
    kernel(dy + o * count * inner, dx + o * n * inner,
           {routes.data() + start, stop - start, inner, first, std::min(width, inner - first), begin,
            std::min(n, begin + rows)});
  };
  const Index cost = worth_it ? kGrain : (n + count) * inner;  // a task for each, or several slices to a task
  parallel_ranges(outer * strips * blocks, cost, [&](Index begin, Index end) {
    for (Index t = begin; t < end; ++t) run(t);
  });
}
FASTNN_INSTANTIATE(gather_backward)

template <class T> void one_hot(const std::int64_t* indices, T* y, Index outer, Index classes, Index inner) {
  const auto kernel = FASTNN_SELECT(one_hot_block<T>);
  parallel_ranges(outer, classes * inner, [=](Index begin, Index end) {
    for (Index o = begin; o < end; ++o) kernel(indices + o * inner, y + o * classes * inner, classes, inner);
  });
}
FASTNN_INSTANTIATE(one_hot)

}  // namespace fastnn::cpu
#endif
