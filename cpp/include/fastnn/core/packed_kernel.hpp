#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "fastnn/core/isa.hpp"
#include "fastnn/core/types.hpp"

namespace fastnn {

/// A convolution's kernel in the order in which it is multiplied, kept from call to call for as long as no
/// weights change. Whoever hands one to a convolution promises that its kernel is written by nobody who does
/// not say so.
class PackedKernel {
 public:
  PackedKernel() = default;
  PackedKernel(const PackedKernel&) = delete;
  PackedKernel& operator=(const PackedKernel&) = delete;
  ~PackedKernel();

  /// Says that weights, whosesoever, were written: from now on what was kept before is packed anew. To be
  /// called after the writing. Thread-safe.
  static void weights_changed();

  /// Bytes that are kept.
  std::size_t bytes() const { return form_.bytes; }

 private:
  template <class T> friend class Packing;

  /// What the packed elements depend on, besides the values of the kernel.
  struct Form {
    const void* w = nullptr;
    Isa isa = Isa::scalar;
    int way = 0;
    Index groups = 0, channels = 0;
    std::size_t bytes = 0;
    bool operator==(const Form&) const = default;
  };
  static std::uint64_t version();
  void make_room(std::size_t bytes);

  std::mutex mutex_;  // held while a convolution uses it
  void* data_ = nullptr;
  Form form_;
  std::uint64_t packed_at_ = 0;
};

/// As a setting of convolutions, which recorded calls hold on to; may be null.
using KeptKernel = std::shared_ptr<PackedKernel>;

}  // namespace fastnn
