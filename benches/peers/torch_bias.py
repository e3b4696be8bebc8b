#!/usr/bin/env python3
"""One row of `stillpoint bias comp-sample` in PyTorch (CPU, one thread, float64), timed.

K-step MAML-RL meta-gradients of tabular softmax policies, only the inner step
sampled (tag `lee`): per repetition and inner step the exact V of the current
policy, a baseline V + N(0,1) noise ||V||_2 / ns per state (dice: none, and no
bootstrap), n trajectories of 20 steps, theta <- theta + alpha g; then the
exact outer gradient at the last theta, pulled back through the exact Hessians
of the K thetas. The oracle is the same recursion with exact gradients.

    peers-venv/bin/python benches/peers/torch_bias.py --estimator maml --n 32
    peers-venv/bin/python benches/peers/torch_bias.py --check

All repetitions are batched (arrays are [..., repetition]). The exact parts take
one MDP after another, the trajectories --group MDPs at once; the 20 time steps
are a loop, and so are the 20 pivots of the Gauss-Jordan inversion of
I - gamma P_pi (diagonally dominant: no pivoting). Hessian-vector products are
written out: on one inverse each, no autograd. Trajectories: one uniform number
a step, compared with the cumulated policy; what is left of it decides the
transition, looked up in full only for the 1 % that miss the likeliest
successor.

  --share-first  theta^0 is the same for all repetitions, hence its V, inverse
                 and policy too: computed once per MDP (off: once per repetition)
  --uniforms     torch: torch.rand; numpy: SFC64 by way of numpy

Tried without gain, hence absent: the 20 steps as one kernel by torch.compile,
the repetitions in pieces, LAPACK's LU or inverse.

maml, lvc and loaded have the same first-order gradient, so the same program.
rel_bias: mean over MDPs of sqrt(||mean g - g*||^2 - tr Cov / repetitions) /
||g*|| (signed); corr: mean Pearson correlation of g and g*; inner_error: mean
squared distance of the last theta from the oracle's.

The last line of standard output is a JSON object. `cpu_seconds` and
`wall_seconds` span the ten MDPs (tables, oracle, repetitions, statistics);
start-up, imports, reading the MDPs, making the buffers and a warm-up over one
group of MDPs are not in them. `us_per_trajectory` is CPU time over all
trajectories (MDPs x repetitions x K x n).
"""
import argparse
import json
import os
import resource
import sys
import time

# Large blocks are reused rather than mapped anew.
TUNED = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296",
         "MALLOC_TOP_PAD_": "67108864", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
HERE = os.path.dirname(os.path.abspath(__file__))

ap = argparse.ArgumentParser()
ap.add_argument("--mdps", default=os.path.join(HERE, "../../tasks/gmrl-mdps.json"))
ap.add_argument("--estimator", choices=["maml", "dice", "lvc", "loaded"], default="maml")
ap.add_argument("--n", type=int, default=32, help="trajectories per inner step")
ap.add_argument("--K", type=int, default=2, help="inner steps")
ap.add_argument("--alpha", type=float, default=3.0)
ap.add_argument("--repeats", type=int, default=400)
ap.add_argument("--seed", type=int, default=0)
ap.add_argument("--horizon", type=int, default=20)
ap.add_argument("--noise", type=float, default=1.0)
ap.add_argument("--group", type=int, default=0, help="MDPs whose trajectories are drawn at once (0: chosen from n)")
ap.add_argument("--share-first", action="store_true")
ap.add_argument("--uniforms", choices=["torch", "numpy"], default="numpy")
ap.add_argument("--check", action="store_true", help="compare with autograd and enumeration, and stop")
ap.add_argument("--malloc", choices=["tuned", "default"], default="tuned")
args = ap.parse_args()
if args.malloc == "tuned" and any(os.environ.get(k) != v for k, v in TUNED.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **TUNED})
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

S, A, GAMMA = 20, 5, 0.8
SA, T = S * A, args.horizon
AT_ONCE = 12800                           # trajectories drawn at once, unless --group
DICE = args.estimator == "dice"
GEN = torch.Generator()
RNG = np.random.Generator(np.random.SFC64(args.seed))


def load(path):
    with open(path) as f:
        mdps = json.load(f)["mdps"]
    out = []
    for m in mdps:
        p = np.zeros((S, A, S))
        for s, a, t, x in m["transition"]:
            p[s, a, t] = x
        out.append((torch.from_numpy(p / p.sum(-1, keepdims=True)), torch.tensor(m["reward"])))
    return out


class Mdp:
    def __init__(self, p, r):
        self.r, self.rv = r.view(S, A, 1), r.reshape(SA)
        self.gp = GAMMA * p.view(SA, S)
        self.gpt = self.gp.t().contiguous()
        self.neg = -GAMMA * p.transpose(1, 2).contiguous()       # [s, s', a]


class Tables:
    """What the trajectories of some MDPs need: states and state-action pairs are numbered through."""

    def __init__(self, tables):
        self.G = len(tables)
        q, succ = torch.sort(torch.stack([p for p, _ in tables]).view(-1, SA, S), dim=2, descending=True)
        succ = (succ + S * torch.arange(self.G).view(-1, 1, 1)).view(-1, S)
        q = q.view(-1, S)
        # Successors by falling probability; what follows the likeliest one is renormalised.
        main, rest = q[:, 0], q[:, 1:]
        left = rest.sum(1, keepdim=True)
        w = max(1, int((rest > 0).sum(1).max()))
        rest = rest[:, :w]
        cum = torch.cumsum(rest, 1) / torch.where(left > 0, left, 1.0)
        last = torch.cat([rest[:, 1:] <= 0, torch.ones(len(rest), 1, dtype=torch.bool)], 1)
        self.cum = torch.where(last, torch.inf, cum)
        self.next = torch.where(rest > 0, succ[:, 1:w + 1], succ[:, :1]).reshape(-1)
        self.w = w
        self.main = succ[:, 0].contiguous()
        self.pm = torch.where(left > 0, main.unsqueeze(1), 2.0).view(-1, S, A, 1)
        self.inv_left = torch.where(left > 0, 1.0 / left, 1.0).view(-1)
        self.r = torch.cat([r.reshape(SA) for _, r in tables])


class Exact:
    """Value, gradient and Hessian-vector products for R policies at once."""

    def __init__(self, R):
        self.m = torch.empty(S, S, R)
        self.eye = torch.eye(S).unsqueeze(-1)
        self.diag = self.m.view(S * S, R)[:: S + 1]
        self.cols = [self.m[:, k] for k in range(S)]
        self.rows = [self.m[k] for k in range(S)]
        self.col, self.row = torch.empty(S, R), torch.empty(S, R)
        self.pivot, self.inv = self.col.unbind(0), torch.empty(R)
        self.col1, self.row1 = self.col.unsqueeze(1), self.row.unsqueeze(0)
        self.unit = [self.eye[:, k] for k in range(S)]

    def solve(self, mdp, theta):
        m = self.m
        self.mdp, self.pi = mdp, torch.softmax(theta, 1)
        torch.bmm(mdp.neg, self.pi, out=m)
        self.diag.add_(1.0)
        col, row, inv = self.col, self.row, self.inv
        for k in range(S):                                       # Gauss-Jordan, in place
            col.copy_(self.cols[k])
            torch.reciprocal(self.pivot[k], out=inv)
            self.cols[k].copy_(self.unit[k])
            torch.mul(self.rows[k], inv, out=row)
            self.pivot[k].sub_(1.0)
            m.addcmul_(self.col1, self.row1, value=-1.0)
        self.v = (m * (self.pi * mdp.r).sum(1)).sum(1)
        self.d = m[0]                                            # discounted visits from state 0
        return self

    def advantage(self):
        q = torch.addmm(self.mdp.rv.unsqueeze(1), self.mdp.gp, self.v)
        self.adv = q.view(S, A, -1).sub_(self.v.unsqueeze(1))
        return self

    def grad(self):
        return (self.pi * self.adv).mul_(self.d.unsqueeze(1))

    def hvp(self, u):
        pi, adv, d = self.pi, self.adv, self.d.unsqueeze(1)
        c = u - (pi * u).sum(1, keepdim=True)
        dpi = pi * c
        dv = (self.m * (dpi * adv).sum(1)).sum(1)
        x = self.mdp.gpt @ (dpi.mul_(d)).view(SA, -1)
        dd = (self.m * x.unsqueeze(1)).sum(0)
        h = (self.mdp.gp @ dv).view(S, A, -1).sub_(dv.unsqueeze(1))
        h.addcmul_(c, adv).mul_(d).addcmul_(dd.unsqueeze(1), adv)
        return h.mul_(pi)


def uniforms(out):
    if args.uniforms == "numpy":
        RNG.random(out=out.numpy())
    else:
        out.uniform_(generator=GEN)


class Sampler:
    """First-order policy gradients from n trajectories for each of R policies in each of G MDPs."""

    def __init__(self, G, R, n):
        N = G * R * n
        self.G, self.R, self.n = G, R, n
        self.rep = torch.arange(R).repeat_interleave(n).repeat(G)   # a policy's trajectories side by side
        self.start = S * torch.arange(G).repeat_interleave(R * n)
        self.u, self.w, self.vs = torch.empty(T, N), torch.empty(T, N), torch.empty(T + 1, N)
        self.sal, self.sa = torch.empty(T, N, dtype=torch.long), torch.empty(T, N, dtype=torch.long)
        self.at = torch.empty(T + 1, N, dtype=torch.long)
        self.s, self.x = torch.empty(N, dtype=torch.long), torch.empty(N)
        self.b, self.a = torch.empty(N, dtype=torch.bool), torch.empty(N, dtype=torch.int8)
        self.disc = (GAMMA ** torch.arange(T)).unsqueeze(1)
        self.steps = list(zip(*(x.unbind(0) for x in (self.u, self.sal, self.sa, self.at))))
        self.rows = self.w.unbind(0)

    def gradient(self, tab, pi, v):
        """pi [G, S, A, R], v [G, S, R], contiguous."""
        uniforms(self.u)
        c = [pi[:, :, 0].contiguous()]
        for k in range(1, A - 1):
            c.append(c[-1] + pi[:, :, k])
        lo = torch.stack([torch.zeros_like(c[0])] + c, 2)
        thr = lo.addcmul_(pi, tab.pm)                            # below: the likeliest successor
        if not DICE:
            noise = torch.empty_like(v).normal_(generator=GEN)
            v = torch.addcmul(v, noise, torch.linalg.vector_norm(v, dim=1, keepdim=True), value=args.noise / S)
        w = self.rollout(tab, pi.view(-1), [x.view(-1) for x in c], thr.view(-1), v.view(-1))
        g = torch.zeros(pi.numel()).scatter_add_(0, self.sa.view(-1), w.view(-1)).view_as(pi)
        return g.addcmul_(pi, g.sum(2, keepdim=True), value=-1.0).div_(self.n)

    def rollout(self, tab, pi, c, thr, v):
        """Pairs visited into self.sa; weights gamma^t A_t."""
        rep, R, s, x, b, a = self.rep, self.R, self.s, self.x, self.b, self.a
        sel, ge, add = torch.index_select, torch.ge, torch.add
        c0, c1, c2, c3 = c
        s.copy_(self.start)
        for u, sal, sa, at in self.steps:
            add(rep, s, alpha=R, out=at)
            a.copy_(ge(u, sel(c0, 0, at, out=x), out=b))
            a.add_(ge(u, sel(c1, 0, at, out=x), out=b))
            a.add_(ge(u, sel(c2, 0, at, out=x), out=b))
            a.add_(ge(u, sel(c3, 0, at, out=x), out=b))
            add(a, s, alpha=A, out=sal)
            add(rep, sal, alpha=R, out=sa)
            ge(u, sel(thr, 0, sa, out=x), out=b)
            sel(tab.main, 0, sal, out=s)
            i = b.nonzero().view(-1)
            k = sel(sal, 0, i)
            y = sel(u, 0, i).sub_(sel(x, 0, i)).mul_(sel(tab.inv_left, 0, k)).div_(sel(pi, 0, sel(sa, 0, i)))
            e = (y.unsqueeze(1) >= sel(tab.cum, 0, k)).sum(1)
            s.index_copy_(0, i, sel(tab.next, 0, e.add_(k, alpha=tab.w)))
        w, rows = self.w, self.rows
        sel(tab.r, 0, self.sal.view(-1), out=w.view(-1))
        w.mul_(self.disc)
        if not DICE:
            add(rep, s, alpha=R, out=self.at[T])
            sel(v, 0, self.at.view(-1), out=self.vs.view(-1))
            rows[-1].add_(self.vs[T], alpha=GAMMA ** T)
        for t in range(T - 2, -1, -1):
            rows[t].add_(rows[t + 1])
        return w if DICE else w.addcmul_(self.vs[:T], self.disc, value=-1.0)


def meta(mdps, ex, sampler, tab, R, first=None):
    """Meta-gradients and adapted parameters, [G, S, A, R]; exact inner gradients without a sampler.
    ex[i][j]: solver of MDP j at theta^i; first: its solvers at theta^0 where all repetitions share them."""
    theta = torch.zeros(len(mdps), S, A, R)
    for i in range(args.K):
        if i == 0 and first is not None:
            row = first
        else:
            row = [e.solve(m, th).advantage() for e, m, th in zip(ex[i], mdps, theta)]
        if sampler is None:
            step = torch.stack([e.grad() for e in row])
        else:
            pi = torch.stack([e.pi.expand(S, A, R) for e in row])
            step = sampler.gradient(tab, pi, torch.stack([e.v.expand(S, R) for e in row]))
        theta.add_(step, alpha=args.alpha)
    out = []
    for j, (m, th) in enumerate(zip(mdps, theta)):
        g = ex[args.K][j].solve(m, th).advantage().grad()
        for i in reversed(range(args.K)):
            e = first[j] if i == 0 and first is not None else ex[i][j]
            g = g + args.alpha * e.hvp(g)
        out.append(g)
    return out, theta


def solvers(G, R):
    last = Exact(R)                                              # nothing of it is kept
    return [[Exact(R) for _ in range(G)] for _ in range(args.K)] + [[last] * G]


def study(tables, ex1, ex, sampler):
    rel, corr, err = [], [], []
    G, m = sampler.G, args.repeats
    for at in range(0, len(tables), G):
        part = tables[at:at + G]
        mdps, tab = [Mdp(p, r) for p, r in part], Tables(part)
        stars, goals = meta(mdps, ex1, None, tab, 1)
        first = ex1[0] if args.share_first and args.K else None
        gs, thetas = meta(mdps, ex, sampler, tab, m, first)
        for g, th, star, goal in zip(gs, thetas, stars, goals):
            g, star = g.view(SA, m), star.view(SA, 1)
            err.append(((th - goal) ** 2).mean().item())
            b2 = ((g.mean(1, keepdim=True) - star) ** 2).sum().item()
            b2 -= g.var(1).sum().item() / m if m > 1 else 0.0
            rel.append((abs(b2) ** 0.5 if b2 > 0 else -abs(b2) ** 0.5) / star.norm().item())
            gc, sc = g - g.mean(0), star - star.mean()
            corr.append(((gc * sc).sum(0) / (gc.norm(dim=0) * sc.norm())).mean().item())
    return rel, corr, err


def check(tables):
    """Against autograd, and (for the sampler) against the exact gradient, steps and visits."""
    torch.manual_seed(3)
    worst = 0.0
    p, r = tables[0]
    mdp = Mdp(p, r)

    def value(th):
        pi = torch.softmax(th, 1)
        m = torch.eye(S) - GAMMA * torch.einsum("sa,sat->st", pi, p)
        return torch.linalg.solve(m, (pi * r).sum(1))[0]

    def rel(a, b):
        return ((a - b).norm() / b.norm()).item()

    theta = torch.randn(S, A, 3)
    with torch.inference_mode():
        th, ex = theta, [Exact(3) for _ in range(args.K + 1)]
        for e in ex[:-1]:
            th = th + args.alpha * e.solve(mdp, th).advantage().grad()
        g = ex[-1].solve(mdp, th).advantage().grad()
        for e in reversed(ex[:-1]):
            g = g + args.alpha * e.hvp(g)
        h = meta([mdp], solvers(1, 1), None, None, 1)[0][0]
    for i in range(4):
        q = (theta[:, :, i].clone() if i < 3 else torch.zeros(S, A)).requires_grad_()
        th = q
        for _ in range(args.K):
            th = th + args.alpha * torch.autograd.grad(value(th), th, create_graph=True)[0]
        worst = max(worst, rel(g[:, :, i] if i < 3 else h[:, :, 0], torch.autograd.grad(value(th), q)[0]))

    # Many trajectories: frequencies of (s, a) by time, and the mean gradient, without baseline noise.
    args.noise = 0.0
    R, n = 50, 4000
    with torch.inference_mode():
        e = Exact(1).solve(mdp, theta[:, :, :1]).advantage()
        other = Exact(1).solve(Mdp(*tables[1]), theta[:, :, :1])  # drawn along with it, first
        sm = Sampler(2, R, n)
        pi = torch.stack([x.pi.expand(S, A, R) for x in (other, e)])
        g = sm.gradient(Tables([tables[1], tables[0]]), pi, torch.stack([x.v.expand(S, R) for x in (other, e)]))[1]
        sa = sm.sa[:, R * n:] // R - SA
        freq = torch.stack([torch.bincount(x, minlength=SA) for x in sa]) / (R * n)
        occ, d = [], torch.zeros(S)
        d[0] = 1.0
        for _ in range(T):
            occ.append((d.unsqueeze(1) * e.pi[:, :, 0]).view(SA))
            d = occ[-1] @ p.view(SA, S)
        occ = torch.stack(occ)
        # Exact gradient of the T-step surrogate: values to the end, from V (dice: from 0).
        h = torch.zeros(S) if DICE else e.v[:, 0].clone()
        want = torch.zeros(S, A)
        for t in reversed(range(T)):
            q = r + GAMMA * (p @ h)
            h = (e.pi[:, :, 0] * q).sum(1)
            want += GAMMA ** t * occ[t].view(S, A) * (q - h.unsqueeze(1))
        z = ((g.mean(2) - want) / (g.std(2) / R ** 0.5).clamp(min=1e-9))[want.abs() > 1e-6]
        zf = ((freq - occ) / (occ * (1 - occ) / (R * n)).sqrt())[occ > 20 / (R * n)]
    out = dict(estimator=args.estimator, autograd_relative=worst,
               gradient_z_rms=z.square().mean().sqrt().item(), gradient_z_max=z.abs().max().item(),
               visits_z_rms=zf.square().mean().sqrt().item(), visits_z_max=zf.abs().max().item())
    print(json.dumps(out))
    return worst < 1e-10 and out["gradient_z_rms"] < 1.5 and out["visits_z_rms"] < 1.5


def main():
    tables = load(args.mdps)
    if args.check:
        sys.exit(0 if check(tables) else 1)
    group = args.group or max(1, AT_ONCE // (args.n * args.repeats))
    group = next(c for c in range(min(group, len(tables)), 0, -1) if len(tables) % c == 0)
    with torch.inference_mode():
        ex1, ex = solvers(group, 1), solvers(group, args.repeats)
        sampler = Sampler(group, args.repeats, args.n)
        GEN.manual_seed(args.seed + 1000003)
        study(tables[:group], ex1, ex, sampler)                  # warm-up
        GEN.manual_seed(args.seed)
        w0, c0 = time.perf_counter(), time.process_time()
        rel, corr, err = study(tables, ex1, ex, sampler)
        c1, w1 = time.process_time(), time.perf_counter()
    total = len(tables) * args.repeats * args.K * args.n
    mean = lambda x: sum(x) / len(x)  # noqa: E731
    print(json.dumps(dict(
        program="torch_bias", estimator=args.estimator, n=args.n, K=args.K, alpha=args.alpha, repeats=args.repeats,
        mdps=len(tables), seed=args.seed, horizon=T, noise=args.noise, group=group, share_first=args.share_first,
        uniforms=args.uniforms, threads=1,
        cpu_seconds=round(c1 - c0, 5), wall_seconds=round(w1 - w0, 5),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        trajectories=total, us_per_trajectory=round((c1 - c0) / max(total, 1) * 1e6, 4),
        rel_bias=round(mean(rel), 5), corr=round(mean(corr), 5), inner_error=float(f"{mean(err):.4g}"))))


main()
