#pragma once

#include <optional>

#include "fastnn/core/packed_kernel.hpp"
#include "workspace.hpp"

namespace fastnn {

/// A packed kernel for the duration of a call: the one that is kept, unless another thread is using it, else
/// in memory of the call.
template <class T> class Packing {
 public:
  /// count elements. fill(to): packs the kernel, where that has not been done since weights changed. way,
  /// groups, channels: what the order depends on besides the number of elements.
  template <class Fill> Packing(PackedKernel* kept, const T* w, int way, Index groups, Index channels,
                                std::size_t count, const Fill& fill) {
    if (kept) lock_ = std::unique_lock(kept->mutex_, std::try_to_lock);
    if (!lock_) {
      data_ = own_.emplace(count).data();
      fill(data_);
      return;
    }
    const PackedKernel::Form form{w, active_isa(), way, groups, channels, count * sizeof(T)};
    const std::uint64_t now = PackedKernel::version();  // before w is read
    const bool known = kept->form_ == form && kept->packed_at_ == now;
    if (!known) {
      kept->make_room(form.bytes);
      fill(static_cast<T*>(kept->data_));
      kept->form_ = form, kept->packed_at_ = now;
    }
    data_ = static_cast<T*>(kept->data_);
  }
  const T* data() const { return data_; }

 private:
  std::unique_lock<std::mutex> lock_;
  std::optional<Workspace<T>> own_;
  T* data_ = nullptr;
};

}  // namespace fastnn
