// share_tasks by OpenMP: for programs that want one set of threads for this library and for code of their
// own. The region ends when its last thread has come, so a busy program beside it costs time slices; see
// workers.cpp.

#include <omp.h>

#include "fastnn/core/threads.hpp"
#include "parallel.hpp"
#include "workers.hpp"

namespace fastnn {

void share_tasks(const Tasks& tasks, int threads) {
#pragma omp parallel num_threads(threads)
  {
    const FlushDenormals flush;
#pragma omp for schedule(static)
    for (Index t = 0; t < tasks.count; ++t) tasks.run(tasks.fn, t);
  }
}

bool in_shared_task() { return omp_in_parallel(); }

const char* threading() { return "OpenMP"; }

}  // namespace fastnn
