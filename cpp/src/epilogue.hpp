#pragma once

// What is done to results while they are in cache, for every op with an Epilogue.

#include "fastnn/gemm.hpp"
#include "kernel.hpp"

namespace fastnn::cpu {

/// z = c + bias, c = activation(z) for rows c_row apart, with one bias for each column, or one for all if
/// bias_step is 0. z: null, or where z is kept, laid out as c. Defined in ops/gemm.cpp.
FASTNN_DECLARE(void, epilogue_rows,
               (const Epilogue<T>& epilogue, Index bias_step, T* c, T* z, Index c_row, const T* bias,
                Index rows, Index cols))

/// Batch normalisation by given statistics as a part of what is done to results: (z - mean) scale + shift,
/// with one of each for each column, after the bias and before the activation; nothing where mean is null.
template <class T> struct ColumnNorm {
  const T *mean = nullptr, *scale = nullptr, *shift = nullptr;

  /// That of the columns from this one on.
  ColumnNorm from(Index column) const {
    return mean ? ColumnNorm{mean + column, scale + column, shift + column} : ColumnNorm{};
  }
};

/// What convolutions do to results.
template <class T> struct ConvEpilogue : Epilogue<T> { ColumnNorm<T> norm = {}; };

/// Whether relu is all there is to do after the bias: tiles do that themselves.
template <class T> bool is_relu(const Epilogue<T>& epilogue) {
  return epilogue.activation == Unary::relu && !epilogue.z;
}

/// Whether nothing is left after the bias and perhaps relu.
template <class T> bool is_done_by_tiles(const Epilogue<T>& epilogue) {
  return is_relu(epilogue) || (epilogue.activation == Unary::linear && !epilogue.z);
}

}  // namespace fastnn::cpu
