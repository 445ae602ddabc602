#pragma once

#include <cstddef>
#include <cstdint>

namespace fastnn {

/// Counts of the pool that holds output arrays.
struct MemoryStats {
  std::size_t in_use_bytes;  ///< handed out and not yet returned
  std::size_t cached_bytes;  ///< returned, kept for the next request
  std::size_t peak_bytes;    ///< highest in_use_bytes so far
  std::uint64_t requests;    ///< blocks asked for so far
  std::uint64_t reused;      ///< of those, answered from the cache
};

/// A block of at least `bytes` bytes, 64-byte aligned, contents undefined. Blocks are reused, so that a
/// training loop faults no pages after its first step. Throws std::bad_alloc. Thread-safe.
void* pool_allocate(std::size_t bytes);

/// Returns a block of pool_allocate(); nullptr does nothing. The cache keeps at most pool_limit() bytes:
/// blocks of the size that was not asked for for the longest time go back to the system first.
void pool_release(void* block);

/// Gives the cached blocks back to the system.
void pool_clear();

/// Bytes the cache keeps at most: 1 GiB, or the environment's FASTNN_POOL_BYTES. Throws
/// std::invalid_argument if that is not a number.
std::size_t pool_limit();

MemoryStats memory_stats();

}  // namespace fastnn
