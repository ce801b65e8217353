"""The default suite as other CPUs would run it: one with AVX2 alone, and one that is faster in bf16.

    python -m tests.dev.isa [avx2] [bf16]

Prints a line of counts for each. bf16 is what runs in this process's suite are played in, where a test does not say
otherwise (`pytest --precision bf16`); a CPU without it has nothing to show there.
"""

import sys

import torch

from gancli.system.devices import has_bf16
from tests.dev.suite import counts

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}  # of oneDNN, and of torch's own kernels


def main(modes: list[str]) -> int:
    """Run what is asked, or both."""
    well = True
    if "avx2" in modes:
        well &= counts("avx2", sys.executable, env=AVX2)
    if "bf16" in modes and not has_bf16(torch.device("cpu")):
        print("bf16: this CPU has none")
    elif "bf16" in modes:
        well &= counts("bf16", sys.executable, ["--precision", "bf16"])
    return not well


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["avx2", "bf16"]))
