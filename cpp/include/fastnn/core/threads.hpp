#pragma once

namespace fastnn {

/// Threads an op may use on this thread of control: the innermost ThreadLimit, else
/// set_num_threads(), else the environment's FASTNN_NUM_THREADS or OMP_NUM_THREADS, else
/// available_threads(). Results never depend on it.
int num_threads();

/// Sets num_threads() for the process. Throws std::invalid_argument if n < 1.
void set_num_threads(int n);

/// Processors this process may use: its affinity, cut down to a container's CPU quota, at least 1.
int available_threads();

/// Sets num_threads() for the calling thread alone; 0 goes back to the process's setting. Returns what
/// was set before. Throws std::invalid_argument if n < 0.
int set_thread_limit(int n);

/// set_thread_limit(n) while alive.
class ThreadLimit {
 public:
  explicit ThreadLimit(int n) : before_(set_thread_limit(n)) {}
  ~ThreadLimit() { set_thread_limit(before_); }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

/// True in a child of fork(): the other threads did not follow, so everything there runs on one thread.
bool forked();

/// What shares work among threads in this build, in words.
const char* threading();

}  // namespace fastnn
