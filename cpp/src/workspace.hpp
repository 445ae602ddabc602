#pragma once

#include <cstddef>

#include "fastnn/core/memory.hpp"

namespace fastnn {

/// Scratch memory for the duration of one scope, 64-byte aligned, from the pool. Entry points use it for
/// what no caller should have to know about (packed panels); kernels get it as a pointer.
template <class T> class Workspace {
 public:
  explicit Workspace(std::size_t count) : data_(static_cast<T*>(pool_allocate(count * sizeof(T)))) {}
  ~Workspace() { pool_release(data_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  T* data() const { return data_; }

 private:
  T* data_;
};

}  // namespace fastnn
