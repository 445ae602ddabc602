#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace fastnn {

/// A recorded step: calls of entry points, in order, that run again without whoever made them.
///
/// Arguments are kept by value. What a call reads and writes it finds through pointers, so memory has to
/// stay where it is between runs, or its operands have to be pointed elsewhere.
class Program {
 public:
  /// One pointer among the arguments of one call.
  class Operand {
   public:
    std::size_t call() const { return call_; }  ///< its place among the calls
    bool written() const { return written_; }   ///< T* rather than const T*
    const char* target() const {
      const char* to;
      std::memcpy(&to, place_, sizeof to);
      return to;
    }
    void point_to(const char* to) { std::memcpy(place_, &to, sizeof to); }

   private:
    friend class Program;
    void* place_;  // where the pointer lies
    std::size_t call_;
    bool written_;
  };

  /// Adds fn(arguments...).
  template <typename... Parameters>
  void add(void (*fn)(Parameters...), const std::remove_cvref_t<Parameters>&... arguments) {
    auto call = std::make_unique<Bound<Parameters...>>(fn, arguments...);
    std::apply([this](auto&... argument) { (note(argument), ...); }, call->arguments);
    calls_.push_back(std::move(call));
  }

  /// Makes all calls. What one of them throws ends the run.
  void run() const {
    for (const auto& call : calls_) call->run();
  }

  std::size_t size() const { return calls_.size(); }
  std::vector<Operand>& operands() { return operands_; }

 private:
  struct Call {
    virtual ~Call() = default;
    virtual void run() const = 0;
  };

  template <typename... Parameters> struct Bound final : Call {
    Bound(void (*f)(Parameters...), const std::remove_cvref_t<Parameters>&... a) : fn(f), arguments(a...) {}
    void run() const override { std::apply(fn, arguments); }
    void (*fn)(Parameters...);
    std::tuple<std::remove_cvref_t<Parameters>...> arguments;
  };

  template <typename Argument> void note(Argument& argument) {
    if constexpr (std::is_pointer_v<Argument>) {
      if (!argument) return;
      Operand operand;
      operand.place_ = &argument;
      operand.call_ = calls_.size();
      operand.written_ = !std::is_const_v<std::remove_pointer_t<Argument>>;
      operands_.push_back(operand);
    }
  }

  std::vector<std::unique_ptr<Call>> calls_;
  std::vector<Operand> operands_;
};

}  // namespace fastnn
