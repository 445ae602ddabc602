#pragma once

#include "arrays.hpp"
#include "fastnn/elementwise.hpp"

namespace fastnn::py {

/// The function of that code, which Python finds by name in _core.unary_codes.
inline Unary unary_of(const char* op, int code) {
  constexpr int kCount = 0
#define FASTNN_UNARY(name, Functor, saved) +1
#include "fastnn/elementwise.def"
#undef FASTNN_UNARY
      ;
  require(op, code >= 0 && code < kCount, "expected a code of _core.unary_codes, got ", code);
  return Unary(code);
}

}  // namespace fastnn::py
