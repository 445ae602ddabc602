#pragma once

// Whole numbers from a tuple or list of known length, without pybind11's conversion of each: ten of them take
// 0.1 us.

#include <pybind11/pybind11.h>

#include <array>

#include "fastnn/core/types.hpp"

namespace fastnn::py {

template <std::size_t n> struct Numbers : std::array<Index, n> {};

}  // namespace fastnn::py

namespace pybind11::detail {

template <std::size_t n> struct type_caster<fastnn::py::Numbers<n>> {
  PYBIND11_TYPE_CASTER(fastnn::py::Numbers<n>, const_name("collections.abc.Sequence[int]"));

  bool load(handle from, bool) {
    if (!PyTuple_Check(from.ptr()) && !PyList_Check(from.ptr())) return false;
    if (PySequence_Fast_GET_SIZE(from.ptr()) != Py_ssize_t(n)) return false;
    for (std::size_t i = 0; i < n; ++i) {
      value[i] = PyNumber_AsSsize_t(PySequence_Fast_GET_ITEM(from.ptr(), Py_ssize_t(i)), PyExc_OverflowError);
      if (value[i] == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return false;
      }
    }
    return true;
  }
};

}  // namespace pybind11::detail
