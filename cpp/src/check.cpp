#include "check.hpp"

#include <stdexcept>

namespace fastnn {

void fail(const char* op, std::initializer_list<Part> parts) {
  throw std::invalid_argument(message(op, parts));
}

}  // namespace fastnn
