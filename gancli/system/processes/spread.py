"""Run one command on several GPUs: restart it under torchrun with one process per GPU."""

import os
import sys

import torch

from gancli.errors import UserError
from gancli.system.processes.environment import SAFE_PATH


def spread_over(gpus: int) -> None:
    """Replace this process by torchrun, one rank per GPU, unless it is a rank; raise UserError for too few GPUs."""
    there = torch.cuda.device_count()
    if gpus > there:
        found = f"only {there}" if there else "no GPU"
        advice = "give at most that many" if there else "leave --gpus out"
        raise UserError(f"--gpus {gpus}: torch finds {found} on this machine; {advice}")
    if gpus > 1 and "WORLD_SIZE" not in os.environ:
        torchrun = ("-m", "gancli.system.processes.torchrun", "--standalone", "--nproc-per-node", str(gpus))
        sys.stdout.flush()
        # safe for torchrun and for the processes that it starts
        os.execve(sys.executable, [sys.executable, *torchrun, "-m", "gancli", *sys.argv[1:]], os.environ | SAFE_PATH)
