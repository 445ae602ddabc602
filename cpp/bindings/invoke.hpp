#pragma once

#include <pybind11/pybind11.h>

#include "recorder.hpp"

namespace fastnn::py {

/// The only way from Python to an entry point: calls fn(arguments...) without the interpreter's lock, and
/// has the call recorded where a recorder listens, so that a whole step can run again without Python.
///
/// Arguments say what they are by their type: `const T*` is read, `T*` is written, anything else is a
/// setting without pointers that stays the same from step to step. What changes between steps (learning
/// rate, step count, random stream) must come through a pointer, and what depends on the values in an array
/// (a label out of range) must be found out by the entry point.
template <typename... Parameters, typename... Arguments>
void invoke(void (*fn)(Parameters...), Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  {
    const pybind11::gil_scoped_release unlocked;
    fn(static_cast<Parameters>(arguments)...);
  }
  if (recorder) recorder->program.add(fn, static_cast<Parameters>(arguments)...);
}

}  // namespace fastnn::py
