#pragma once

// Arguments that the bindings of optimizers share: buffers updated in place, runs, numbers in memory.

#include "arrays.hpp"
#include "fastnn/optimizers.hpp"

namespace fastnn::py {

/// A buffer that is updated in place: dense, writable, of type T, as long as `size`.
template <class T> T* updated(const char* op, const char* name, Array& buffer, Index size) {
  if (type_number(buffer) != kTypeNumber<T>) refuse_dtype(op, name, kTypeNumber<T>, buffer);
  require(op, is_dense(buffer) && buffer.writeable(), "expected a dense, writable array to update in place");
  require(op, buffer.size() == size, "expected ", name, " of ", size, " elements, got ", buffer.size());
  return static_cast<T*>(buffer.mutable_data());
}

template <class T> T* updated(const char* op, const char* name, std::optional<Array>& buffer, Index size) {
  return buffer ? updated<T>(op, name, *buffer, size) : nullptr;
}

/// int64 (r, 3): offsets, lengths, whether weights decay there; inside a buffer of `size` elements.
class Runs {
 public:
  Runs(const char* op, const Array& runs, Index size) : runs_(op, "runs", runs) {
    require(op, runs_.axes() == 2 && runs_.shape(1) == 3, "expected runs of shape (r, 3)");
    for (Index r = 0; r < count(); ++r)
      require(op,
              data()[r].offset >= 0 && data()[r].length >= 0 && data()[r].offset + data()[r].length <= size,
              "expected runs inside the buffer, got one that leaves it");
  }
  const Run* data() const { return reinterpret_cast<const Run*>(runs_.data()); }
  Index count() const { return runs_.shape(0); }

 private:
  Input<std::int64_t> runs_;
};

/// Numbers in memory, read when the call runs: dense, as it is.
template <class T> const T* numbers(const char* op, const char* name, const Array& x, Index count) {
  if (type_number(x) != kTypeNumber<T>) refuse_dtype(op, name, kTypeNumber<T>, x);
  require(op, x.size() == count && is_dense(x), "expected ", name, " of ", count, " elements, got ", x);
  return static_cast<const T*>(x.data());
}

/// What every update rule takes: weights p, gradients g of p's shape, runs, a factor for each run (or None),
/// and the learning rate.
template <class T> struct Step {
  const char* op;
  Index size;
  T* p;
  Input<T> g;
  Runs runs;
  const double *scales, *learning_rate;

  Step(const char* op_, Array& p_, const Array& g_, const Array& runs_, const std::optional<Array>& scales_,
       const Array& learning_rate_)
      : op(op_),
        size(p_.size()),
        p(updated<T>(op, "p", p_, size)),
        g(op, "g", g_),
        runs(op, runs_, size),
        scales(scales_ ? numbers<double>(op, "scales", *scales_, runs.count()) : nullptr),
        learning_rate(numbers<double>(op, "learning_rate", learning_rate_, 1)) {
    require_shape(op, "g", p_, g_);
  }

  /// A buffer beside the weights; null for None.
  template <class Buffer> T* slot(const char* name, Buffer& buffer) const {
    return updated<T>(op, name, buffer, size);
  }
};

/// Where epsilon goes, by name: "hat", "outside" or "inside".
inline Epsilon epsilon_placement(const char* op, const std::string& name) {
  if (name == "hat") return Epsilon::hat;
  if (name == "outside") return Epsilon::outside;
  require(op, name == "inside", "expected epsilon_placement 'hat', 'outside' or 'inside', got '", name, "'");
  return Epsilon::inside;
}

}  // namespace fastnn::py
