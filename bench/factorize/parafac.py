# The peer of factorize-cp: TensorLy's CP of a kernel, from both of its starts.
#   parafac.py FILE OUTPUTS CHANNELS TAPS RANK: prints JSON with the better relative squared error and the processor time of that run.
import json
import sys
import time

import numpy as np
import tensorly
from tensorly.decomposition import parafac

file, *sizes = sys.argv[1:]
outputs, channels, taps, rank = map(int, sizes)
kernel = np.fromfile(file, dtype=np.float64).reshape(outputs, channels, taps)
runs = []
for init in ("svd", "random"):
    start = time.process_time()
    found = parafac(kernel, rank, init=init, random_state=0)
    seconds = time.process_time() - start
    rest = kernel - tensorly.cp_to_tensor(found)
    runs.append({"init": init, "error": float((rest**2).sum() / (kernel**2).sum()), "seconds": seconds})
print(json.dumps({"version": tensorly.__version__, "runs": runs}))
