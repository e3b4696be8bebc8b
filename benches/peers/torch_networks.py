#!/usr/bin/env python3
"""Gradient of a convolutional actor-critic network by all its parameters, and an acting
forward pass, in PyTorch (CPU, float32): Nature CNN, IMPALA shallow, IMPALA deep.

    peers-venv/bin/python benches/peers/torch_networks.py --architecture nature --layout channels-last

The last line of standard output is a JSON object with medians over --repeats. Bytes are
converted and divided by 255 inside what is timed, as in the trainer.
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

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--architecture", choices=["nature", "impala-shallow", "impala-deep"], default="nature")
ap.add_argument("--layout", choices=["default", "channels-last"], default="default")
ap.add_argument("--batch", type=int, default=160)
ap.add_argument("--acting", type=int, default=32)
ap.add_argument("--repeats", type=int, default=15)
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--malloc", choices=["tuned", "default"], default="tuned")
args = ap.parse_args()
if args.malloc == "tuned" and any(os.environ.get(k) != v for k, v in TUNED.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **TUNED})
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402

torch.set_num_threads(args.threads)
torch.set_flush_denormal(True)
torch.manual_seed(1)
OUTPUTS = 7


class Section(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.first = nn.Conv2d(i, o, 3, padding=1)
        self.blocks = nn.ModuleList([nn.Conv2d(o, o, 3, padding=1) for _ in range(4)])

    def forward(self, x):
        x = F.max_pool2d(self.first(x), 3, 2, 1)
        for a, b in (self.blocks[:2], self.blocks[2:]):
            x = x + b(F.relu(a(F.relu(x))))
        return x


def torso():
    if args.architecture == "nature":
        return nn.Sequential(nn.Conv2d(4, 32, 8, 4), nn.ReLU(True), nn.Conv2d(32, 64, 4, 2), nn.ReLU(True),
                             nn.Conv2d(64, 64, 3), nn.ReLU(True)), 3136, 512
    if args.architecture == "impala-shallow":
        return nn.Sequential(nn.Conv2d(4, 16, 8, 4), nn.ReLU(True), nn.Conv2d(16, 32, 4, 2), nn.ReLU(True)), 2592, 256
    return nn.Sequential(Section(4, 16), Section(16, 32), Section(32, 32), nn.ReLU()), 3872, 256


convolutions, features, hidden = torso()
net = nn.Sequential(convolutions, nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(True), nn.Linear(hidden, OUTPUTS))
layout = torch.channels_last if args.layout == "channels-last" else torch.contiguous_format
net = net.to(memory_format=layout)
obs = torch.randint(0, 256, (args.batch, 4, 84, 84), dtype=torch.uint8)
small = torch.randint(0, 256, (args.acting, 4, 84, 84), dtype=torch.uint8)
cotangents = torch.randn(args.batch, OUTPUTS) / 1000


def numbers(x):
    return x.to(torch.float32, memory_format=layout).div_(255)


def gradient():
    net.zero_grad(set_to_none=True)
    net(numbers(obs)).backward(cotangents)


def act():
    with torch.inference_mode():
        net(numbers(small))


def timed(f, n):
    cpu, wall = [], []
    for _ in range(n):
        a, b = time.process_time(), time.perf_counter()
        f()
        cpu.append(time.process_time() - a)
        wall.append(time.perf_counter() - b)
    return statistics.median(cpu), statistics.median(wall)


timed(gradient, 2), timed(act, 2)
cpu, wall = timed(gradient, args.repeats)
acting, acting_wall = timed(act, 4 * args.repeats)
print(json.dumps(dict(program="PyTorch " + torch.__version__, architecture=args.architecture, layout=args.layout,
                      batch=args.batch, acting_batch=args.acting, threads=args.threads, cpu_seconds=cpu, wall_seconds=wall,
                      acting_cpu_seconds=acting, acting_wall_seconds=acting_wall,
                      peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
