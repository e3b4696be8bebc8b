#!/usr/bin/env python3
"""Gradient, and gradient with Hessian-vector product, of a Gaussian MLP policy's
weighted log-probability in PyTorch (CPU): in -> 100 -> 100 -> out, tanh, batch 4000.

The last line of standard output is a JSON object; its top-level times are those
of --report.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time

# Large blocks are reused rather than mapped anew, in huge pages where the system allows.
TUNED = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296",
         "MALLOC_TOP_PAD_": "67108864", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

ap = argparse.ArgumentParser()
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--batch", type=int, default=4000)
ap.add_argument("--inputs", type=int, default=2)
ap.add_argument("--outputs", type=int, default=2)
ap.add_argument("--hidden", type=int, default=100)
ap.add_argument("--repeats", type=int, default=100)
ap.add_argument("--report", choices=["grad_f32", "grad_hvp_f32", "grad_f64", "grad_hvp_f64"],
                default="grad_f32")
ap.add_argument("--only", action="store_true", help="time only what --report names")
ap.add_argument("--malloc", choices=["tuned", "default"], default="tuned")
args = ap.parse_args()
if args.malloc == "tuned" and any(os.environ.get(k) != v for k, v in TUNED.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **TUNED})
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402

torch.set_num_threads(args.threads)
torch.set_flush_denormal(True)


def make(dtype):
    gen = torch.Generator().manual_seed(1)
    sizes = (args.inputs, args.hidden, args.hidden, args.outputs)
    p = []
    for i, o in zip(sizes, sizes[1:]):
        lim = (6.0 / (i + o)) ** 0.5
        p += [(torch.rand(i, o, generator=gen) * 2 - 1) * lim, torch.zeros(o)]
    p.append(torch.zeros(args.outputs))
    rnd = lambda *s: torch.randn(*s, generator=gen)
    data = [rnd(args.batch, args.inputs), rnd(args.batch, args.outputs), rnd(args.batch) / args.batch]
    v = [rnd(*a.shape) for a in p]
    return ([a.to(dtype).requires_grad_() for a in p], [a.to(dtype) for a in data], [a.to(dtype) for a in v])


def surrogate(p, o, u, w):
    w1, b1, w2, b2, w3, b3, ls = p
    h = torch.tanh(torch.addmm(b1, o, w1))
    h = torch.tanh(torch.addmm(b2, h, w2))
    z = (u - torch.addmm(b3, h, w3)) * torch.exp(-ls)
    return torch.sum(w * (-0.5 * (z * z).sum(-1) - ls.sum() - 0.9189385332046727 * args.outputs))


def grad(p, data, v):
    return torch.autograd.grad(surrogate(p, *data), p)


def grad_hvp(p, data, v):
    g = torch.autograd.grad(surrogate(p, *data), p, create_graph=True)
    return g, torch.autograd.grad(sum((a * b).sum() for a, b in zip(g, v)), p)


results = {}
for name, dtype in (("f32", torch.float32), ("f64", torch.float64)):
    for kind, f in (("grad", grad), ("grad_hvp", grad_hvp)):
        key = f"{kind}_{name}"
        if args.only and key != args.report:
            continue
        x = make(dtype)
        for _ in range(10):
            f(*x)
        wall, cpu = [], []
        for _ in range(args.repeats):
            w0, c0 = time.perf_counter(), time.process_time()
            f(*x)
            w1, c1 = time.perf_counter(), time.process_time()
            wall.append(w1 - w0), cpu.append(c1 - c0)
        med = statistics.median
        results[key] = dict(cpu_seconds=round(med(cpu), 7), wall_seconds=round(med(wall), 7),
                            cpu_min=round(min(cpu), 7))
print(json.dumps(dict(
    program="torch_mlp", report=args.report, batch=args.batch, threads=args.threads, repeats=args.repeats,
    cpu_seconds=results[args.report]["cpu_seconds"], wall_seconds=results[args.report]["wall_seconds"],
    peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1), results=results)))
