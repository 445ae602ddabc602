#pragma once

// The way back through bias and activation, for every op that has them in its epilogue.

#include <algorithm>

#include "fastnn/elementwise.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

/// dz = dy Functor' and the sums of its columns, if wanted, in one pass over memory. Defined in
/// ops/dense.cpp.
FASTNN_DECLARE(void, dense_slope,
               (Unary op, const T* saved, const T* dy, T* dz, T* sums, Index rows, Index cols,
                const UnaryParameters& p))

}  // namespace fastnn::cpu

#if FASTNN_ENTRY
#include "parallel.hpp"
#include "workspace.hpp"

namespace fastnn::cpu {

/// dz = dy activation'(saved), (rows, cols), or nothing if the activation is linear, and db, its column sums,
/// if not null. Rows are summed 64 at a time, whatever the number of threads.
template <class T> void slope(const T* saved, const T* dy, T* dz, T* db, Index rows, Index cols,
                              Unary activation, const UnaryParameters& parameters) {
  constexpr Index kChunkRows = 64;
  const auto kernel = FASTNN_SELECT(dense_slope<T>);
  const Index chunks = (rows + kChunkRows - 1) / kChunkRows;
  const Workspace<T> sums(std::size_t(db && chunks != 1 ? chunks * cols : 0));
  T* const partial = !db ? nullptr : chunks == 1 ? db : sums.data();
  parallel_ranges(chunks, kChunkRows * cols, [&](Index begin, Index end) {
    for (Index chunk = begin; chunk < end; ++chunk) {
      const Index row = chunk * kChunkRows, at = row * cols;
      kernel(activation, saved + at, dy + at, dz ? dz + at : nullptr,
             partial ? partial + chunk * cols : nullptr, std::min(kChunkRows, rows - row), cols, parameters);
    }
  });
  if (db && chunks != 1) kernel(Unary::linear, partial, partial, nullptr, db, chunks, cols, {});
}

}  // namespace fastnn::cpu
#endif
