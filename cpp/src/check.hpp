#pragma once

#include "fastnn/core/message.hpp"

namespace fastnn {

/// Throws std::invalid_argument("[op] <parts>"): the only way the core throws.
[[noreturn]] void fail(const char* op, std::initializer_list<Part> parts);

/// Fails unless ok. Nothing is put into text while all is well.
template <typename... Parts> void check(const char* op, bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(op, {Part(parts)...});
}

}  // namespace fastnn
