#include "fastnn/core/threads.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <thread>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "check.hpp"
#include "quota.hpp"

namespace fastnn {
namespace {

std::atomic<bool> is_forked{false};
thread_local int limit = 0;

// Other threads do not exist in a forked child: workers would not come, and OpenMP's next region there would
// wait for its own for ever (gcc 12). tests/test_fork.py shows it.
const bool guard_installed = [] {
#if !defined(_WIN32)
  pthread_atfork(nullptr, nullptr, [] { is_forked.store(true); });
#endif
  return true;
}();

int affinity() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, int(std::thread::hardware_concurrency()));
}

int from_environment(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text || !*text) return 0;
  char* end = nullptr;
  const long n = std::strtol(text, &end, 10);
  return *end == '\0' && n >= 1 && n <= 4096 ? int(n) : 0;
}

int initial() {
  if (const char* text = std::getenv("FASTNN_NUM_THREADS"); text && *text) {
    const int n = from_environment("FASTNN_NUM_THREADS");
    check("FASTNN_NUM_THREADS", n >= 1, "expected an integer from 1 to 4096, got '", text, "'");
    return n;
  }
  const int omp = from_environment("OMP_NUM_THREADS");
  return omp ? omp : available_threads();
}

std::atomic<int>& setting() {
  static std::atomic<int> threads{initial()};
  return threads;
}

}  // namespace

bool forked() { return is_forked.load(std::memory_order_relaxed); }

int available_threads() {
  static const int threads = [] {
    const int processors = affinity();
    const double quota = cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota > 0 ? std::clamp(int(std::floor(quota)), 1, processors) : processors;
  }();
  return threads;
}

int num_threads() { return limit ? limit : setting().load(std::memory_order_relaxed); }

void set_num_threads(int n) {
  check("set_num_threads", n >= 1, "expected at least 1 thread, got ", n);
  setting().store(n, std::memory_order_relaxed);
}

int set_thread_limit(int n) {
  check("threads", n >= 0, "expected at least 1 thread, got ", n);
  return std::exchange(limit, n);
}

}  // namespace fastnn
