// CPU quotas of control groups, read from a made-up tree of files.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "quota.hpp"

namespace fs = std::filesystem;

namespace {

int failures = 0;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

void expect(const char* claim, const fs::path& tree, double expected) {
  const double got = fastnn::cpu_quota((tree / "cgroup").string(), (tree / "mount").string());
  if (std::abs(got - expected) < 1e-12) return;
  std::printf("FAILED %s: expected %g, got %g\n", claim, expected, got);
  ++failures;
}

}  // namespace

int main() {
  const fs::path root = fs::temp_directory_path() / "fastnn_test_quota";
  fs::remove_all(root);

  fs::path tree = root / "none";
  expect("no file, no quota", tree, 0);
  write(tree / "cgroup", "0::/\n");
  expect("no cpu.max, no quota", tree, 0);
  write(tree / "mount/cpu.max", "max 100000\n");
  expect("'max' is no quota", tree, 0);

  tree = root / "v2";
  write(tree / "cgroup", "0::/a/b\n");
  write(tree / "mount/a/b/cpu.max", "150000 100000\n");
  expect("version 2", tree, 1.5);
  write(tree / "mount/cpu.max", "50000 50000\n");
  expect("the group around is tighter", tree, 1);
  write(tree / "mount/a/cpu.max", "400000 100000\n");
  expect("the one between is wider", tree, 1);

  tree = root / "v1";
  write(tree / "cgroup", "4:memory:/m\n3:cpu,cpuacct:/box\n2:cpuset:/\nno colons\n");
  write(tree / "mount/cpu/box/cpu.cfs_quota_us", "250000\n");
  write(tree / "mount/cpu/box/cpu.cfs_period_us", "100000\n");
  expect("version 1", tree, 2.5);
  write(tree / "mount/cpu/box/cpu.cfs_quota_us", "-1\n");
  expect("-1 is no quota", tree, 0);

  tree = root / "broken";
  write(tree / "cgroup", "0::/a\n");
  write(tree / "mount/a/cpu.max", "100000\n");
  expect("a missing period is no quota", tree, 0);
  write(tree / "mount/a/cpu.max", "100000 0\n");
  expect("a period of 0 is no quota", tree, 0);

  fs::remove_all(root);
  if (!failures) std::puts("quota: all as expected");
  return failures ? 1 : 0;
}
