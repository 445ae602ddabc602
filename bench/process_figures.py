"""What a library costs before it computes anything: import time, memory after import, size on disk.

python -m bench.process_figures fastnn numpy torch sklearn
"""

import importlib.metadata
import importlib.util
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

# where they differ from the module's name
PACKAGES = {"fastnn": ["fastnn-kernels"], "sklearn": ["scikit-learn"], "jax": ["jax", "jaxlib"]}
RUNS = 10
PROBE = "import resource{}; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"


def main() -> None:
    bare_seconds, bare_megabytes = fresh_process("")
    print(f"{'':12} {'import ms':>10} {'peak RSS MB':>12} {'on disk MB':>11} {'with dependencies':>18}")
    print(f"{'(python)':12} {bare_seconds * 1e3:10.0f} {bare_megabytes:12.0f}")
    for module in sys.argv[1:]:
        if importlib.util.find_spec(module) is None:
            print(f"{module}: not installed, left out")
            continue
        seconds, megabytes = fresh_process(f", {module}")
        own, total = sizes(PACKAGES.get(module, [module]))
        print(f"{module:12} {(seconds - bare_seconds) * 1e3:10.0f} {megabytes:12.0f} {own:11.0f} {total:18.0f}")


def fresh_process(imports: str) -> tuple[float, float]:
    """Median seconds and peak megabytes of a process that only imports."""
    seconds, megabytes = [], []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", PROBE.format(imports)], check=True, capture_output=True)
        seconds.append(time.perf_counter() - begin)
        megabytes.append(float(done.stdout))
    return statistics.median(seconds[1:]), statistics.median(megabytes[1:])  # the first one fills the file cache


def sizes(packages: list[str]) -> tuple[float, float]:
    """Megabytes of the packages' files, and of theirs with everything they require."""
    own = sum(size(name) for name in packages)
    seen: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name in seen or not installed(name):
            continue
        seen.add(name)
        for requirement in importlib.metadata.requires(name) or ():
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[^\w.-]", requirement)[0].lower())
    return own, sum(size(name) for name in seen)


def installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
        return True
    except importlib.metadata.PackageNotFoundError:
        return False


def size(name: str) -> float:
    files = importlib.metadata.files(name) or ()
    return sum(Path(file.locate()).stat().st_size for file in files if Path(file.locate()).exists()) / 1e6


if __name__ == "__main__":
    main()
