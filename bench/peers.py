"""Runs the Python peers and measures child processes for the bench scripts.

    python bench/peers.py count MODEL...              node counts, one JSON object {path: count}
    python bench/peers.py slim TOOL IN OUT            runs onnxslim or onnxsim as its own command; JSON with nodes, bytes, time, memory, error
    python bench/peers.py time COMMAND [ARGUMENT...]  runs the command; JSON with exit status, wall and CPU seconds, peak RSS in bytes
    python bench/peers.py versions                    JSON with the versions of the packages that matter

Needs: pip install onnx onnxruntime onnxslim==0.1.98 onnxsim==0.8.1 (onnxslim folds much less without onnxruntime).
Nodes are counted in the main graph, in every subgraph, and once in the body of every local function; Constant nodes count.
"""

import json
import os
import sys
import sysconfig
import time


def count_graph(graph):
    total = 0
    for node in graph.node:
        total += 1
        for attribute in node.attribute:
            graphs = [attribute.g] if attribute.HasField("g") else []
            total += sum(count_graph(inner) for inner in [*graphs, *attribute.graphs])
    return total


def count_nodes(path):
    import onnx  # imported late: measured children must not inherit this process's size

    model = onnx.load(path, load_external_data=False)
    return count_graph(model.graph) + sum(count_graph(function) for function in model.functions)


def measure(command, log=None):
    """Wall time, CPU time and peak RSS of one child and what it waited for (getrusage)."""
    sink = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    start = time.perf_counter()
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, sink, 1), (os.POSIX_SPAWN_DUP2, sink, 2)],
    )
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    os.close(sink)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "wallSeconds": round(wall, 4),
        "cpuSeconds": round(usage.ru_utime + usage.ru_stime, 4),
        "peakBytes": usage.ru_maxrss * 1024,
    }


def peer_command(tool, source, target):
    return [os.path.join(sysconfig.get_path("scripts"), tool), source, target]


def slim(tool, source, target):
    log = target + ".log"
    result = measure(peer_command(tool, source, target), log)
    # Some failures end with status 0, or leave the process by a signal; a file that loads is what counts.
    if result["status"] != 0 or not os.path.exists(target):
        with open(log, encoding="utf8", errors="replace") as text:
            lines = [line.strip() for line in text if line.strip()]
        return {**result, "nodes": None, "bytes": None, "error": lines[-1] if lines else "no output file"}
    return {**result, "nodes": count_nodes(target), "bytes": os.path.getsize(target), "error": None}


def versions():
    from importlib.metadata import version

    return {name: version(name) for name in ("onnx", "onnxruntime", "onnxslim", "onnxsim")}


def main(arguments):
    verb, rest = arguments[0], arguments[1:]
    if verb == "count":
        result = {path: count_nodes(path) for path in rest}
    elif verb == "slim":
        result = slim(*rest)
    elif verb == "time":
        result = measure(rest)
    elif verb == "versions":
        result = versions()
    else:
        raise SystemExit(__doc__)
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1:])
