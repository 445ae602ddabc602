#pragma once

#include <pybind11/pybind11.h>

#include <type_traits>

namespace fastnn::py {

/// The only way from Python to an entry point: calls fn(arguments...) without the interpreter's lock.
///
/// Arguments say what they are by their type: `const T*` is read, `T*` is written, anything else is a
/// setting that stays the same from step to step. What changes between steps (learning rate, step
/// count, random stream) must come through a pointer, so that a recorder put here can store the call
/// and replay a whole step without Python.
template <typename... Parameters, typename... Arguments>
void invoke(void (*fn)(Parameters...), Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  const pybind11::gil_scoped_release unlocked;
  fn(static_cast<Parameters>(arguments)...);
}

}  // namespace fastnn::py
