#include "fastnn/gather.hpp"

#include "kernel.hpp"

namespace fastnn::cpu {

/// What a task adds up: columns [first, first + cols) of the rows [begin, end) of dx.
struct ScatterTask {
  Index n, count, inner, first, cols, begin, end;
};

FASTNN_DECLARE(void, scatter_add, (const T* dy, const std::int64_t* indices, T* dx, const ScatterTask& task))
FASTNN_DECLARE(void, one_hot_block, (const std::int64_t* indices, T* y, Index classes, Index inner))

}  // namespace fastnn::cpu

#if FASTNN_KERNELS  // ---- once per ISA ----------------------------------------
#include "simd/rows.hpp"

namespace fastnn::cpu::FASTNN_ISA {

template <class T>
void scatter_add(const T* dy, const std::int64_t* indices, T* dx, const ScatterTask& task) {
  for (Index i = task.begin; i < task.end; ++i)
    row_each<T>(task.cols, [&](auto at) { at.store(dx + i * task.inner + task.first, Vec<T>::set(0)); });
  for (Index k = 0; k < task.count; ++k) {
    const Index i = indices[k] < 0 ? indices[k] + task.n : indices[k];
    if (i < task.begin || i >= task.end) continue;
    const T* from = dy + k * task.inner + task.first;
    T* to = dx + i * task.inner + task.first;
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
#include <cstring>

#include "check.hpp"
#include "parallel.hpp"

namespace fastnn::cpu {
namespace {

void check_indices(const std::int64_t* indices, Index count, Index n) {
  for (Index k = 0; k < count; ++k)
    check("take", indices[k] >= -n && indices[k] < n, "expected indices in [", -n, ", ", n, "), got ",
          indices[k], " at position ", k);
}

/// kBytes is known where slices are single elements: then a copy is one instruction, not a call.
template <int kBytes> void gather_range(const char* x, const std::int64_t* indices, char* y, Index n,
                                        Index count, Index bytes, Index stride_bytes, Index begin,
                                        Index end) {
  for (Index t = begin; t < end; ++t) {
    const Index k = indices[t % count], row = t / count * n + (k < 0 ? k + n : k);
    if constexpr (kBytes > 0)
      std::memcpy(y + t * kBytes, x + row * stride_bytes, kBytes);
    else
      std::memcpy(y + t * bytes, x + row * stride_bytes, std::size_t(bytes));
  }
}

/// The tasks gather_backward is cut into, where there is enough to do.
constexpr Index kScatterTasks = 16;
/// Columns a task keeps at least: four cache lines of floats.
constexpr Index kScatterColumns = 64;

}  // namespace

void gather(const void* x, const std::int64_t* indices, void* y, Index outer, Index n, Index count,
            Index bytes, Index stride_bytes) {
  check_indices(indices, count, n);
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
  check_indices(indices, count, n);
  if (outer * n * inner == 0) return;
  const bool worth_it = (n + count) * inner > kGrain;
  const Index width = worth_it ? kScatterColumns : inner, strips = (inner + width - 1) / width;
  const Index wanted = worth_it ? (kScatterTasks + strips - 1) / strips : 1;
  const Index rows = (n + wanted - 1) / wanted, blocks = (n + rows - 1) / rows;
  const auto kernel = FASTNN_SELECT(scatter_add<T>);
  const auto run = [=](Index t) {
    const Index o = t / (strips * blocks), first = t % strips * width, begin = t / strips % blocks * rows;
    kernel(dy + o * count * inner, indices, dx + o * n * inner,
           {n, count, inner, first, std::min(width, inner - first), begin, std::min(n, begin + rows)});
  };
  const Index cost = worth_it ? kGrain : (n + count) * inner;  // a task for each, or several slices to a task
  parallel_ranges(outer * strips * blocks, cost, [=](Index begin, Index end) {
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
