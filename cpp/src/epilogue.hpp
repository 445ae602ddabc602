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

/// Whether relu is all there is to do after the bias: tiles do that themselves.
template <class T> bool is_relu(const Epilogue<T>& epilogue) {
  return epilogue.activation == Unary::relu && !epilogue.z;
}

/// Whether nothing is left after the bias and perhaps relu.
template <class T> bool is_done_by_tiles(const Epilogue<T>& epilogue) {
  return is_relu(epilogue) || (epilogue.activation == Unary::linear && !epilogue.z);
}

}  // namespace fastnn::cpu
