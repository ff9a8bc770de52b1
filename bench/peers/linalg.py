"""numpy as the peer of bench/factorize-linalg.mjs: one thread, processor time.

    python bench/peers/linalg.py      one question per line as JSON: {"operation": "svd" or "eigh", "file", "rows", "columns"}, the file
                                      float64, row by row; one answer per line: {"cpu", "wall", "values", "numpy"}, seconds

Needs numpy. The variables that hold its BLAS to one thread are set by the caller, before Python starts.
"""

import json
import sys
import time

import numpy

OPERATIONS = {
    "svd": lambda a: numpy.linalg.svd(a, full_matrices=False)[1],
    "eigh": lambda a: numpy.linalg.eigh(a)[0][::-1],
}
matrices = {}
for line in sys.stdin:
    question = json.loads(line)
    file = question["file"]
    if file not in matrices:
        matrices = {file: numpy.fromfile(file).reshape(question["rows"], question["columns"])}
    cpu, wall = time.process_time(), time.perf_counter()
    values = OPERATIONS[question["operation"]](matrices[file])
    answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps({**answer, "values": values.tolist(), "numpy": numpy.__version__}), flush=True)
