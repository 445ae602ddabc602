// share_tasks by threads of its own. What matters is that nobody waits for a thread that the system has not
// scheduled: another program may have its processor for a time slice of milliseconds, while most regions last
// some 10 us. So work is offered to the workers, never handed to them.
//
// Tasks are dealt out in as many runs of neighbours as there are threads. A thread takes the tasks of its own
// run one by one, so that a row is met by the thread whose cache holds it from the call before, and then
// helps with the runs of the others. When the caller finds no task left, it withdraws the offers that were
// not taken up, and waits for the others, each of which is inside its last task.
//
//           caller: offer            worker: accept           worker: done
//   idle  ----------------> offered ----------------> running -------------> idle
//   idle  <---------------- offered                   running -> awaited --> idle, and wakes the caller
//           caller: withdraw                            caller: sleep
//   idle  -> asleep (worker) -> offered (caller, which wakes it)
//
// One caller at a time has the workers; a second one, on another thread of the program, runs its tasks alone.
//
// A worker may have been put on the caller's processor, after both slept for example, where it waits while
// the caller does all the work, for as long as it takes the system to move it: 10 ms and more. So whoever has
// not taken up an offer for a while is sent to another processor.

#include "workers.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "fastnn/core/threads.hpp"
#include "parallel.hpp"

namespace fastnn {
namespace {

using Clock = std::chrono::steady_clock;

// How long a worker looks out for the next offer before it sleeps. Waking it costs the caller some
// microseconds and comes some tens of them later; the calls of a training step follow each other faster than
// this.
constexpr std::chrono::microseconds kLookOut{100};

// How long the caller looks out for the last worker. Asleep it leaves its processor to a worker that waits
// for one, since the system moves threads to idle processors.
constexpr std::chrono::microseconds kPatience{20};

// How long an offer stands before who has not taken it up is sent away.
constexpr std::chrono::microseconds kUntaken{100};

enum State : int { kIdle, kAsleep, kOffered, kRunning, kAwaited };

thread_local bool in_task = false;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// True as soon as done() is, false if it is not within `time`.
template <typename Done> bool look_out(std::chrono::microseconds time, const Done& done) {
  const Clock::time_point end = Clock::now() + time;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      pause();
    }
    std::this_thread::yield();
  } while (Clock::now() < end);
  return done();
}

/// A run of neighbouring tasks and how many of them are taken.
struct alignas(64) Run {
  std::atomic<Index> next{0};
  Index end = 0;
};

/// The tasks of one region.
class Region {
 public:
  void open(const Tasks& tasks, int threads) {
    tasks_ = tasks;
    count_ = std::min(threads, kRuns);
    for (int r = 0; r < count_; ++r) {
      runs_[r].next.store(tasks.count * r / count_, std::memory_order_relaxed);
      runs_[r].end = tasks.count * (r + 1) / count_;
    }
  }

  /// Runs tasks until none is left to take, those of run `own` first; calls between() after each.
  template <typename Between> void work(int own, const Between& between) {
    for (int r = 0; r < count_; ++r) {
      Run& run = runs_[(own + r) % count_];
      while (run.next.load(std::memory_order_relaxed) < run.end) {
        const Index task = run.next.fetch_add(1, std::memory_order_relaxed);
        if (task < run.end) tasks_.run(tasks_.fn, task);
        between();
      }
    }
  }

 private:
  static constexpr int kRuns = 64;  // more threads than this share runs
  Tasks tasks_{};
  int count_ = 0;
  Run runs_[kRuns];
};

/// Where a thread may run: sent away from the caller's processor, it may not run there until it runs at all.
class Place {
 public:
#if defined(__linux__)
  /// By the thread itself, before anybody sends it away.
  void begin() { thread_.store(pid_t(syscall(SYS_gettid)), std::memory_order_relaxed); }

  /// By the thread itself, once it runs: it may run again wherever it might before, unless somebody else has
  /// said meanwhile where it may.
  void free() {
    if (!sent_.load(std::memory_order_acquire)) return;
    cpu_set_t now;
    if (!sched_getaffinity(0, sizeof now, &now) && CPU_EQUAL(&now, &others_))
      sched_setaffinity(0, sizeof allowed_, &allowed_);
    sent_.store(false, std::memory_order_release);
  }

  /// By the caller. Nothing happens where there is no other processor, or the system does not allow it.
  void send_away() {
    const pid_t thread = thread_.load(std::memory_order_relaxed);
    const int here = sched_getcpu();
    if (!thread || here < 0 || here >= CPU_SETSIZE || sent_.load(std::memory_order_acquire)) return;
    if (sched_getaffinity(thread, sizeof allowed_, &allowed_)) return;
    others_ = allowed_;
    CPU_CLR(std::size_t(here), &others_);
    if (CPU_COUNT(&others_) == 0 || CPU_EQUAL(&others_, &allowed_)) return;
    if (!sched_setaffinity(thread, sizeof others_, &others_)) sent_.store(true, std::memory_order_release);
  }

 private:
  std::atomic<pid_t> thread_{0};
  std::atomic<bool> sent_{false};
  cpu_set_t allowed_{}, others_{};
#else
  void begin() {}
  void free() {}
  void send_away() {}
#endif
};

class alignas(64) Worker {
 public:
  Worker(Region& region, int run) : region_(region), run_(run) {}

  void offer() {
    if (state_.exchange(kOffered, std::memory_order_release) == kAsleep) state_.notify_one();
  }

  /// Sends the worker to another processor if it has not taken the offer up yet.
  void urge() {
    if (state_.load(std::memory_order_relaxed) == kOffered) place_.send_away();
  }

  /// Takes the offer back, or waits until the worker has done what it accepted.
  void join() {
    int state = kOffered;
    if (state_.compare_exchange_strong(state, kIdle, std::memory_order_acquire)) return;
    if (look_out(kPatience, [this] { return rests(); })) return;
    state = kRunning;
    state_.compare_exchange_strong(state, kAwaited, std::memory_order_acquire);
    state_.wait(kAwaited, std::memory_order_acquire);
  }

  [[noreturn]] void serve() {
    const FlushDenormals flush;
    in_task = true;
    place_.begin();
    for (;;) {
      const auto offered = [this] { return state_.load(std::memory_order_relaxed) == kOffered; };
      if (!look_out(kLookOut, offered)) {
        place_.free();
        sleep();
      }
      place_.free();
      accept();
    }
  }

 private:
  bool rests() const {
    const int state = state_.load(std::memory_order_acquire);
    return state == kIdle || state == kAsleep;
  }

  void sleep() {
    int state = kIdle;
    if (state_.compare_exchange_strong(state, kAsleep, std::memory_order_relaxed)) state_.wait(kAsleep);
  }

  void accept() {
    int state = kOffered;
    if (!state_.compare_exchange_strong(state, kRunning, std::memory_order_acquire)) return;
    region_.work(run_, [] {});
    if (state_.exchange(kIdle, std::memory_order_release) == kAwaited) state_.notify_one();
  }

  std::atomic<int> state_{kIdle};
  Region& region_;
  const int run_;
  Place place_;
};

/// Starts a detached thread on which signals of the program are not handled, but faults are.
void start(Worker& worker) {
#if defined(_WIN32)
  std::thread([&worker] { worker.serve(); }).detach();
#else
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&blocked, fault);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  struct Restore {
    const sigset_t& mask;
    ~Restore() { pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } const restore{before};
  std::thread([&worker] { worker.serve(); }).detach();
#endif
}

class Workers {
 public:
  /// False if another thread of the program has them.
  bool share(const Tasks& tasks, int threads) {
    if (taken_.exchange(true, std::memory_order_acquire)) return false;
    const int others = std::min(threads - 1, grown_to(threads - 1));
    region_.open(tasks, others + 1);
    for (int i = 0; i < others; ++i) workers_[std::size_t(i)]->offer();
    in_task = true;
    bool patient = true;
    region_.work(0, [&, end = Clock::now() + kUntaken] {
      if (!patient || Clock::now() < end) return;
      patient = false;
      for (int i = 0; i < others; ++i) workers_[std::size_t(i)]->urge();
    });
    in_task = false;
    for (int i = 0; i < others; ++i) workers_[std::size_t(i)]->join();
    taken_.store(false, std::memory_order_release);
    return true;
  }

 private:
  /// How many there are, after an attempt at `count`: where the system has no more threads, fewer do.
  int grown_to(int count) {
    try {
      while (int(workers_.size()) < count && !full_) {
        auto worker = std::make_unique<Worker>(region_, int(workers_.size()) + 1);
        workers_.reserve(workers_.size() + 1);
        start(*worker);
        workers_.push_back(std::move(worker));
      }
    } catch (const std::exception&) {
      full_ = true;
    }
    return int(workers_.size());
  }

  std::atomic<bool> taken_{false};
  bool full_ = false;
  Region region_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

// Never destroyed: workers sleep in it when the program ends.
Workers& workers() {
  static Workers* const instance = new Workers;
  return *instance;
}

}  // namespace

void share_tasks(const Tasks& tasks, int threads) {
  if (workers().share(tasks, threads)) return;
  for (Index t = 0; t < tasks.count; ++t) tasks.run(tasks.fn, t);
}

bool in_shared_task() { return in_task; }

const char* threading() { return "workers of its own"; }

}  // namespace fastnn
