"""`python -m gancli.system.processes.torchrun`: torchrun, with torch loaded safely (see `load_torch`)."""

from gancli.system.loading import load_torch

load_torch()

from torch.distributed.run import main  # noqa: E402

if __name__ == "__main__":
    main()
