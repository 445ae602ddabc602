#pragma once

// Arguments that may be None, and results that are made only if they are wanted.

#include <optional>

#include "arrays.hpp"

namespace fastnn::py {

/// A dense array of T, or null; of `shape` if one is given.
template <class T> class OptionalInput {
 public:
  OptionalInput(const char* op, const char* name, const Out& x) {
    if (x) held_.emplace(op, name, *x);
  }
  OptionalInput(const char* op, const char* name, const Out& x, const Shape& shape) {
    if (!x) return;
    require(op, shape_of(*x) == shape, "expected ", name, " of shape ", shape, ", got ", *x);
    held_.emplace(op, name, *x);
  }
  const T* data() const { return held_ ? held_->data() : nullptr; }

 private:
  std::optional<Input<T>> held_;
};

/// A result, or null where it is not wanted.
template <class T> class OptionalOutput {
 public:
  OptionalOutput(const char* op, bool wanted, const Shape& shape, const Out& out = std::nullopt,
                 std::initializer_list<Array> inputs = {}) {
    if (wanted) held_.emplace(op, shape, out, inputs);
  }
  T* data() { return held_ ? held_->data() : nullptr; }
  pyb::object object() { return held_ ? pyb::object(held_->array()) : pyb::none(); }

 private:
  std::optional<Output<T>> held_;
};

}  // namespace fastnn::py
