// share_tasks: every task once, whoever comes; nested calls, callers side by side, more threads than
// processors. Meant for the thread sanitizer too.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "fastnn/core/threads.hpp"
#include "parallel.hpp"

namespace {

std::atomic<int> failures{0};

void expect(const char* claim, bool holds) {
  if (holds) return;
  std::printf("FAILED %s\n", claim);
  ++failures;
}

/// One region; plain writes, so that the sanitizer sees whether the caller may read them.
bool runs_each_once(fastnn::Index tasks) {
  std::vector<int> runs(std::size_t(tasks), 0);
  fastnn::parallel_tasks(tasks, [&](fastnn::Index t) { ++runs[std::size_t(t)]; });
  return std::all_of(runs.begin(), runs.end(), [](int n) { return n == 1; });
}

void every_task_runs_once() {
  for (const int threads : {1, 2, 3, 8, 70}) {
    const fastnn::ThreadLimit limit(threads);
    for (const fastnn::Index tasks : {0, 1, 2, 3, 7, 64, 1000}) {
      for (int i = 0; i < 100; ++i) expect("every task runs once", runs_each_once(tasks));
    }
  }
}

void workers_that_sleep_are_woken() {
  const fastnn::ThreadLimit limit(3);
  for (int i = 0; i < 50; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(i % 5 * 100));
    expect("workers that sleep are woken", runs_each_once(16));
  }
}

void a_caller_that_sleeps_is_woken() {
  const fastnn::ThreadLimit limit(2);
  for (int i = 0; i < 20; ++i) {
    int done[2] = {0, 0};
    fastnn::parallel_tasks(2, [&](fastnn::Index t) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1 + t));
      done[t] = 1;
    });
    expect("a caller that sleeps is woken", done[0] && done[1]);
  }
}

void others_take_part() {
  const fastnn::ThreadLimit limit(2);
  std::thread::id ids[2];
  fastnn::parallel_tasks(2, [&](fastnn::Index t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ids[t] = std::this_thread::get_id();
  });
  expect("two tasks that take long run on two threads", ids[0] != ids[1]);
}

void nested_calls_stay_on_their_thread() {
  const fastnn::ThreadLimit limit(4);
  std::atomic<int> strayed{0};
  fastnn::parallel_tasks(8, [&](fastnn::Index) {
    const std::thread::id outer = std::this_thread::get_id();
    fastnn::parallel_tasks(8, [&](fastnn::Index) { strayed += std::this_thread::get_id() != outer; });
  });
  expect("nested calls stay on their thread", strayed == 0);
}

void callers_side_by_side() {
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([] {
      const fastnn::ThreadLimit limit(3);
      for (int i = 0; i < 2000; ++i) expect("callers side by side", runs_each_once(8));
    });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace

int main() {
  every_task_runs_once();
  workers_that_sleep_are_woken();
  a_caller_that_sleeps_is_woken();
  others_take_part();
  nested_calls_stay_on_their_thread();
  callers_side_by_side();
  return failures != 0;
}
