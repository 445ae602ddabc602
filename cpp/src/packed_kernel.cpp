#include "fastnn/core/packed_kernel.hpp"

#include <atomic>

#include "fastnn/core/memory.hpp"

namespace fastnn {
namespace {

std::atomic<std::uint64_t> changes{1};

}  // namespace

PackedKernel::~PackedKernel() { pool_release(data_); }

void PackedKernel::weights_changed() { ++changes; }

std::uint64_t PackedKernel::version() { return changes.load(); }

/// What was kept is lost.
void PackedKernel::make_room(std::size_t bytes) {
  const bool fits = form_.bytes == bytes && data_;
  packed_at_ = 0;
  if (fits) return;
  form_ = {};
  pool_release(data_);
  data_ = nullptr;
  data_ = pool_allocate(bytes);
}

}  // namespace fastnn
