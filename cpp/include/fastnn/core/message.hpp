#pragma once

// Messages put together out of line: some hundred places raise errors, and none of them should carry the code
// of a stream.

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace fastnn {

/// Text or a number in a message. Text is referred to, not copied.
class Part {
 public:
  Part(const char* text) : text_(text), kind_(Kind::text) {}
  Part(const std::string& text) : text_(text), kind_(Kind::text) {}
  Part(char letter) : letter_(letter), kind_(Kind::letter) {}
  Part(std::integral auto number) : integer_(static_cast<long long>(number)), kind_(Kind::integer) {}
  Part(std::floating_point auto number) : real_(static_cast<double>(number)), kind_(Kind::real) {}

  void append_to(std::string& message) const;

 private:
  enum class Kind { text, letter, integer, real };
  union {
    std::string_view text_;
    char letter_;
    long long integer_;
    double real_;
  };
  Kind kind_;
};

/// "[op] <parts>".
std::string message(const char* op, std::initializer_list<Part> parts);

}  // namespace fastnn
