#include "fastnn/core/memory.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "check.hpp"

namespace fastnn {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHeader = 64;  // before the data: the size class, and the data stays aligned
constexpr std::size_t kHugePage = std::size_t(2) << 20;
constexpr int kStepBits = 2;  // four sizes per power of two: at most 25 % is lost
constexpr int kClasses = 64 << kStepBits;

// Sizes 64, 80, 96, 112, 128, 160, ...: class c holds (4 + c % 4) << (c / 4) sixteenths of 64.
std::size_t bytes_of(int size_class) {
  const std::size_t mantissa = (std::size_t(1) << kStepBits) + std::size_t(size_class % (1 << kStepBits));
  return (mantissa << (size_class >> kStepBits)) * (kAlignment >> kStepBits);
}

int class_of(std::size_t bytes) {
  if (bytes <= kAlignment) return 0;
  const int power = int(std::bit_width(bytes - 1)) - int(std::bit_width(kAlignment));  // at or below bytes
  int c = std::max(0, power) << kStepBits;
  while (bytes_of(c) < bytes) ++c;
  return c;
}

std::size_t limit_from_environment() {
  const char* text = std::getenv("FASTNN_POOL_BYTES");
  if (!text || !*text) return std::size_t(1) << 30;
  std::size_t limit = 0;
  const char* const end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, limit);
  check("FASTNN_POOL_BYTES", error == std::errc() && rest == end, "expected a number of bytes, got '", text,
        "'");
  return limit;
}

struct Pool {
  std::mutex mutex;
  std::vector<void*> free_blocks[kClasses];
  std::size_t asked_last[kClasses] = {};  // number of the request for a block of the class
  MemoryStats stats{};
};

// Never destroyed: arrays may outlive every static object.
Pool& pool() {
  static Pool* const instance = [] {
    pool_limit();  // a wrong setting is told here, not when the first block is returned
    Pool* const made = new Pool;
#if !defined(_WIN32)
    // A child forked while another thread holds the lock could never take it.
    pthread_atfork([] { pool().mutex.lock(); }, [] { pool().mutex.unlock(); }, [] { pool().mutex.unlock(); });
#endif
    return made;
  }();
  return *instance;
}

int& class_in(void* block) { return *reinterpret_cast<int*>(static_cast<char*>(block) - kHeader); }

void* fresh(int size_class) {
  const std::size_t bytes = bytes_of(size_class) + kHeader;
  const bool huge = bytes >= kHugePage;
  const std::size_t alignment = huge ? kHugePage : kAlignment;
  void* const start = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!start) throw std::bad_alloc();
#if defined(__linux__)
  if (huge) madvise(start, bytes, MADV_HUGEPAGE);
#endif
  void* const block = static_cast<char*>(start) + kHeader;
  class_in(block) = size_class;
  return block;
}

/// A free block of the size that was not asked for for the longest time.
void* take_stale(Pool& p) {
  int stale = -1;
  for (int c = 0; c < kClasses; ++c)
    if (!p.free_blocks[c].empty() && (stale < 0 || p.asked_last[c] < p.asked_last[stale])) stale = c;
  void* const block = p.free_blocks[stale].back();
  p.free_blocks[stale].pop_back();
  p.stats.cached_bytes -= bytes_of(stale);
  return block;
}

void discard(void* block) { std::free(static_cast<char*>(block) - kHeader); }

}  // namespace

std::size_t pool_limit() {
  static const std::size_t limit = limit_from_environment();
  return limit;
}

void* pool_allocate(std::size_t bytes) {
  if (bytes > std::size_t(1) << 46) throw std::bad_alloc();
  const int size_class = class_of(bytes);
  Pool& p = pool();
  void* block = nullptr;
  {
    const std::lock_guard lock(p.mutex);
    auto& blocks = p.free_blocks[size_class];
    p.asked_last[size_class] = ++p.stats.requests;
    if (!blocks.empty()) {
      block = blocks.back();
      blocks.pop_back();
      p.stats.cached_bytes -= bytes_of(size_class);
      ++p.stats.reused;
    }
    p.stats.in_use_bytes += bytes_of(size_class);
    p.stats.peak_bytes = std::max(p.stats.peak_bytes, p.stats.in_use_bytes);
  }
  if (block) return block;
  try {
    return fresh(size_class);
  } catch (const std::bad_alloc&) {
    pool_clear();  // what the cache holds may be what is missing
  }
  try {
    return fresh(size_class);
  } catch (const std::bad_alloc&) {
    const std::lock_guard lock(p.mutex);
    p.stats.in_use_bytes -= bytes_of(size_class);
    throw;
  }
}

void pool_release(void* block) {
  if (!block) return;
  const int size_class = class_in(block);
  const std::size_t bytes = bytes_of(size_class);
  std::vector<void*> unwanted;
  {
    Pool& p = pool();
    const std::lock_guard lock(p.mutex);
    p.stats.in_use_bytes -= bytes;
    if (bytes > pool_limit()) {
      unwanted.push_back(block);
    } else {
      p.free_blocks[size_class].push_back(block);
      p.stats.cached_bytes += bytes;
      while (p.stats.cached_bytes > pool_limit()) unwanted.push_back(take_stale(p));
    }
  }
  for (void* one : unwanted) discard(one);
}

void pool_clear() {
  std::vector<void*> blocks;
  Pool& p = pool();
  {
    const std::lock_guard lock(p.mutex);
    for (auto& list : p.free_blocks) {
      blocks.insert(blocks.end(), list.begin(), list.end());
      list.clear();
    }
    p.stats.cached_bytes = 0;
  }
  for (void* block : blocks) discard(block);
}

MemoryStats memory_stats() {
  const std::lock_guard lock(pool().mutex);
  return pool().stats;
}

}  // namespace fastnn
