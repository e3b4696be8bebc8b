"""Frames per CPU-second of Stable-Baselines3's A2C on an Atari game: one process, 16 environments, 5 steps, Nature network.

Prints one JSON line. Needs stable-baselines3, ale-py, gymnasium, opencv-python-headless (requirements in README.md here).
"""

import argparse
import json
import time

import ale_py
import gymnasium
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import VecFrameStack


class Clock(BaseCallback):
    """Starts the clock after `warm` updates."""

    def __init__(self, warm, updates):
        super().__init__()
        self.warm, self.updates, self.done, self.start = warm, updates, 0, None

    def _on_step(self):
        return self.done < self.warm + self.updates

    def _on_rollout_end(self):
        self.done += 1
        now = (time.process_time(), time.perf_counter(), self.num_timesteps)
        if self.done == self.warm:
            self.start = now
        self.now = now


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--game", default="Pong")
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    gymnasium.register_envs(ale_py)
    raw = {"frameskip": 1, "repeat_action_probability": 0.0, "full_action_space": False}
    env = VecFrameStack(make_atari_env(f"ALE/{a.game}-v5", n_envs=16, seed=1, env_kwargs=raw), n_stack=4)
    model = A2C("CnnPolicy", env, n_steps=5, ent_coef=0.01, vf_coef=0.25, policy_kwargs={"optimizer_kwargs": {"eps": 1e-5}})
    clock = Clock(a.warm, a.updates)
    model.learn(10**9, callback=clock)
    cpu, wall, steps = (b - c for b, c in zip(clock.now, clock.start))
    found = {"cpu_seconds": cpu, "wall_seconds": wall, "frames": 4 * steps}
    print(json.dumps(found | {"frames_per_cpu_second": 4 * steps / cpu, "frames_per_second": 4 * steps / wall}))


if __name__ == "__main__":
    main()
