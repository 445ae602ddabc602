#include "fastnn/core/message.hpp"

#include <cstdio>

namespace fastnn {

void Part::append_to(std::string& message) const {
  switch (kind_) {
    case Kind::text: message += text_; break;
    case Kind::letter: message += letter_; break;
    case Kind::integer: message += std::to_string(integer_); break;
    case Kind::real: {
      char digits[32];
      std::snprintf(digits, sizeof digits, "%g", real_);
      message += digits;
    }
  }
}

std::string message(const char* op, std::initializer_list<Part> parts) {
  std::string text = std::string("[") + op + "] ";
  for (const Part& part : parts) part.append_to(text);
  return text;
}

}  // namespace fastnn
