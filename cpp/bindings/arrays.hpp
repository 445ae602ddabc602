#pragma once

// NumPy arrays as the kernels want them: dense, aligned, of one known type; and output arrays from the
// pool.

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "fastnn/copy.hpp"
#include "fastnn/core/memory.hpp"
#include "fastnn/core/message.hpp"
#include "fastnn/core/strided.hpp"
#include "invoke.hpp"

namespace fastnn::py {

namespace pyb = pybind11;
using Array = pyb::array;

/// `out=`: an array to write to, or None.
using Out = std::optional<Array>;

using Shape = std::vector<pyb::ssize_t>;

inline Shape shape_of(const Array& x) { return Shape(x.shape(), x.shape() + x.ndim()); }

inline Index size_of(const Shape& shape) {
  Index size = 1;
  for (const auto length : shape) size *= length;
  return size;
}

inline int type_number(const Array& x) { return x.dtype().num(); }

inline bool same_shape(const Array& a, const Array& b) {
  return a.ndim() == b.ndim() && std::equal(a.shape(), a.shape() + a.ndim(), b.shape());
}

/// "(2, 3)", as Python writes it.
std::string text(const Shape& shape);
std::string text(const Array& x);
std::string dtype_text(const Array& x);

/// What a message says of x: its shape if it is an array or a shape, else itself.
template <typename T> decltype(auto) said(const T& x) {
  if constexpr (std::is_base_of_v<Array, T> || std::is_same_v<T, Shape>)
    return text(x);
  else
    return (x);
}

template <typename... Parts> std::string message(const char* op, const Parts&... parts) {
  return fastnn::message(op, {Part(said(parts))...});
}

[[noreturn]] void raise_value_error(const char* op, std::initializer_list<Part> parts);
[[noreturn]] void raise_type_error(const char* op, std::initializer_list<Part> parts);

/// Raises ValueError("[op] <parts>") unless ok. Parts are formatted only then: give arrays, not their text().
template <typename... Parts> void require(const char* op, bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    raise_value_error(op, {Part(said(parts))...});
}

/// Raises TypeError("[op] <parts>") unless ok.
template <typename... Parts> void require_type(const char* op, bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    raise_type_error(op, {Part(said(parts))...});
}

/// Raises ValueError unless x has the shape of `like`.
inline void require_shape(const char* op, const char* name, const Array& like, const Array& x) {
  require(op, same_shape(like, x), "expected ", name, " of shape ", like, ", got ", x);
}

/// NumPy's number for the element type T.
template <class T> constexpr int kTypeNumber = -1;
template <> inline constexpr int kTypeNumber<bool> = 0;
template <> inline constexpr int kTypeNumber<std::int32_t> = 5;
template <> inline constexpr int kTypeNumber<std::int64_t> = 7;
template <> inline constexpr int kTypeNumber<float> = 11;
template <> inline constexpr int kTypeNumber<double> = 12;

/// Calls fn(T{}) with T the element type of x, float or double; raises TypeError for any other.
template <typename Fn> auto with_float(const char* op, const char* name, const Array& x, const Fn& fn) {
  switch (type_number(x)) {
    case kTypeNumber<float>: return fn(float{});
    case kTypeNumber<double>: return fn(double{});
  }
  throw pyb::type_error(message(op, "expected ", name, " of float32 or float64, got ", dtype_text(x)));
}

/// A new array from the pool, contents undefined. type_number is NumPy's.
Array empty(const Shape& shape, int type_number);

template <class T> Array empty(const Shape& shape) { return empty(shape, kTypeNumber<T>); }

/// x itself if it is dense, aligned and in native byte order, else a dense copy of it.
Array dense(const Array& x);

/// Raises TypeError("[op] expected name of ..., got ...").
[[noreturn]] void refuse_dtype(const char* op, const char* name, int wanted, const Array& got);

/// An argument that is read.
template <class T> class Input {
 public:
  /// Raises TypeError unless x holds elements of type T.
  Input(const char* op, const char* name, const Array& x) : array_(dense(x)) {
    if (type_number(array_) != kTypeNumber<T>) refuse_dtype(op, name, kTypeNumber<T>, x);
  }
  const T* data() const { return static_cast<const T*>(array_.data()); }
  const Array& array() const { return array_; }
  Index size() const { return array_.size(); }
  int axes() const { return int(array_.ndim()); }
  Index shape(int axis) const { return array_.shape(axis); }

 private:
  Array array_;
};

/// A result: the caller's `out`, or a new array from the pool.
template <class T> class Output {
 public:
  /// Raises ValueError if out has another shape, is read-only, or shares memory with one of `inputs`
  /// (other than being exactly one of `aliases`); TypeError if it has another dtype.
  Output(const char* op, const Shape& shape, const Out& out = std::nullopt,
         std::initializer_list<Array> inputs = {}, std::initializer_list<Array> aliases = {})
      : result_(out ? *out : empty<T>(shape)), dense_(result_) {
    if (out) adopt(op, shape, inputs, aliases);
  }
  T* data() { return static_cast<T*>(dense_.mutable_data()); }
  Index size() const { return dense_.size(); }

  /// The array to return, after the work is done.
  Array array();

 private:
  void adopt(const char* op, const Shape& shape, std::initializer_list<Array> inputs,
             std::initializer_list<Array> aliases);

  Array result_;
  Array dense_;  // result_, or what is copied to it at the end if it is not dense
};

/// Refuses an `out` that does not fit; see Output.
void check_out(const char* op, const Array& out, const Shape& shape, int type_number,
               std::initializer_list<Array> inputs, std::initializer_list<Array> aliases);

/// Copies dense x to y, an array of the same shape and type, whatever its strides.
void copy_into(const Array& x, Array& y);

inline bool is_dense(const Array& x) {
  constexpr int kWanted = int(pyb::array::c_style) | int(pyb::detail::npy_api::NPY_ARRAY_ALIGNED_);
  return (x.flags() & kWanted) == kWanted;
}

template <class T> void Output<T>::adopt(const char* op, const Shape& shape,
                                         std::initializer_list<Array> inputs,
                                         std::initializer_list<Array> aliases) {
  check_out(op, result_, shape, kTypeNumber<T>, inputs, aliases);
  if (!is_dense(result_)) dense_ = empty<T>(shape);
}

template <class T> Array Output<T>::array() {
  if (!dense_.is(result_)) copy_into(dense_, result_);
  return result_;
}

/// The shape NumPy broadcasts `shapes` to. Raises ValueError if they do not fit.
Shape broadcast_shape(const char* op, std::initializer_list<Shape> shapes);

/// Walks N dense arrays of these shapes together over `shape`.
template <int N> Strided<N> broadcast_walk(const char* op, const Shape& shape, const Shape (&shapes)[N]) {
  const int axes = int(shape.size());
  std::vector<Index> steps[N];
  for (int k = 0; k < N; ++k) {
    steps[k].assign(shape.size(), 0);
    Index step = 1;
    const int own = int(shapes[k].size());
    for (int i = own - 1; i >= 0; --i) {
      const auto axis = std::size_t(axes - own + i);
      const Index length = shapes[k][std::size_t(i)];
      steps[k][axis] = length == 1 ? 0 : step;
      step *= length;
    }
  }
  Strided<N> walk;
  for (int i = 0; i < axes; ++i) {
    Index here[N];
    for (int k = 0; k < N; ++k) here[k] = steps[k][std::size_t(i)];
    require(op, walk.push(shape[std::size_t(i)], here), "expected at most ", kMaxAxes, " axes, got ", axes);
  }
  return walk;
}

}  // namespace fastnn::py
