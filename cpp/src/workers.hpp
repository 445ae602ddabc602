#pragma once

// Tasks on several threads. workers.cpp does it with threads of its own, workers_openmp.cpp with OpenMP; the
// build takes one of the two (FASTNN_OPENMP).

#include "fastnn/core/types.hpp"

namespace fastnn {

/// Numbered pieces of work: run(fn, task) for every task in [0, count), in any order, each on some thread.
struct Tasks {
  Index count;
  void (*run)(const void* fn, Index task);
  const void* fn;
};

/// Runs every task once on the calling thread and at most `threads` - 1 others, and returns when all are
/// done. Denormals are flushed in the others; the caller sees to its own mode.
void share_tasks(const Tasks& tasks, int threads);

/// True inside a task that share_tasks runs: what it calls stays on its thread.
bool in_shared_task();

}  // namespace fastnn
