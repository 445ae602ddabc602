#pragma once

#include <sstream>
#include <stdexcept>

namespace fastnn {

/// The only way the core throws: std::invalid_argument("[op] <parts>") unless ok.
template <typename... Parts> void check(const char* op, bool ok, const Parts&... parts) {
  if (ok) [[likely]]
    return;
  std::ostringstream message;
  message << '[' << op << "] ";
  (message << ... << parts);
  throw std::invalid_argument(message.str());
}

}  // namespace fastnn
