#!/usr/bin/env python3
"""Atari with preprocessing and random actions in ALE's vector environment, EnvPool or Gymnasium.

    python benches/peers/atari_throughput.py --program ale|envpool|gymnasium --game pong --envs 8 --threads 1 --steps 500

The same work as examples/atari_throughput.rs: four frames per step, grey, maximum of the last two, area average to
84 x 84, stack of four copied into a batch, up to 30 no-ops, a new game when one is over, minimal actions, none
sticky, rewards not clipped. Prints one JSON line that compare.py reads. Needs ale-py 0.12.1, gymnasium, opencv and
envpool.
"""
import argparse
import json
import os
import resource
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np


class Ale:
    def __init__(self, a):
        from ale_py.vector_env import AtariVectorEnv

        self.env = AtariVectorEnv(game=a.game, num_envs=a.envs, num_threads=a.threads, noop_max=30, use_fire_reset=False,
                                  reward_clipping=False, repeat_action_probability=0.0)
        self.actions = self.env.single_action_space.n
        self.env.reset(seed=1)

    def step(self, actions):
        _, rewards, ended, cut, _ = self.env.step(actions)
        return rewards.sum(), (ended | cut).sum()


class EnvPool:
    def __init__(self, a):
        import envpool

        name = "".join(w.capitalize() for w in a.game.split("_")) + "-v5"
        self.env = envpool.make(name, env_type="gymnasium", num_envs=a.envs, num_threads=a.threads, seed=1, noop_max=30,
                                use_fire_reset=False, reward_clip=False, episodic_life=False, repeat_action_probability=0.0,
                                max_episode_steps=27000)
        self.actions = self.env.action_space.n
        self.env.reset()

    def step(self, actions):
        _, rewards, ended, cut, _ = self.env.step(actions)
        return rewards.sum(), (ended | cut).sum()


class Gymnasium:
    def __init__(self, a):
        import ale_py
        import cv2
        import gymnasium

        cv2.setNumThreads(1)
        gymnasium.register_envs(ale_py)
        name = "ALE/" + "".join(w.capitalize() for w in a.game.split("_")) + "-v5"

        def make():
            env = gymnasium.make(name, frameskip=1, repeat_action_probability=0.0, full_action_space=False)
            env = gymnasium.wrappers.AtariPreprocessing(env, noop_max=30, frame_skip=4)
            return gymnasium.wrappers.FrameStackObservation(env, 4)

        assert a.threads == 1, "Gymnasium's environments share one thread"
        self.env = gymnasium.vector.SyncVectorEnv([make] * a.envs)
        self.actions = self.env.single_action_space.n
        self.env.reset(seed=1)

    step = Ale.step


ap = argparse.ArgumentParser()
ap.add_argument("--program", choices=("ale", "envpool", "gymnasium"), required=True)
ap.add_argument("--game", default="pong")
ap.add_argument("--envs", type=int, default=8)
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--steps", type=int, default=500)
a = ap.parse_args()
peer = dict(ale=Ale, envpool=EnvPool, gymnasium=Gymnasium)[a.program](a)
actions = np.random.default_rng(0).integers(0, peer.actions, (a.steps, a.envs))
for t in range(a.steps // 10):
    peer.step(actions[t])
points = games = 0
wall, cpu = time.perf_counter(), time.process_time()
for t in range(a.steps):
    p, g = peer.step(actions[t])
    points, games = points + float(p), games + int(g)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
frames = 4 * a.steps * a.envs
print(json.dumps(dict(program=a.program, game=a.game, envs=a.envs, threads=a.threads, frames=frames, games=games, points=points,
                      frames_per_cpu_second=frames / cpu, frames_per_second=frames / wall, cpu_seconds=cpu, wall_seconds=wall,
                      peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
