#pragma once

#include "arrays.hpp"

namespace fastnn::py {

/// The seed, stream and step in an array of a random stream. Raises TypeError or ValueError if it is none.
inline std::uint64_t* state_of(const char* op, Array& state) {
  require_type(op, state.dtype().kind() == 'u' && state.itemsize() == 8, "expected a state of uint64");
  require(op, state.size() == 3 && is_dense(state), "expected a state of shape (3,), got ", state);
  require(op, state.writeable(), "expected a writable state, got a read-only array");
  return static_cast<std::uint64_t*>(state.mutable_data());
}

}  // namespace fastnn::py
