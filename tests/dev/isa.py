"""Run the default suite as on other CPUs: one with only AVX2, and one that is faster in bf16.

    python -m tests.dev.isa [avx2] [bf16]

Print one line of counts for each. With bf16, every run whose test sets no precision trains in bf16
(`pytest --precision bf16`); this needs a CPU that supports it.
"""

import sys

import torch

from gancli.system.devices import has_bf16
from tests.dev.suite import counts

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}  # for oneDNN, and for torch's own kernels


def main(modes: list[str]) -> int:
    """Run the suites that are named; default: both."""
    well = True
    if "avx2" in modes:
        well &= counts("avx2", sys.executable, env=AVX2)
    if "bf16" in modes and not has_bf16(torch.device("cpu")):
        print("bf16: not supported by this CPU")
    elif "bf16" in modes:
        well &= counts("bf16", sys.executable, ["--precision", "bf16"])
    return not well


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["avx2", "bf16"]))
