#!/usr/bin/env python3
"""One outer iteration of 2D navigation in PyTorch (CPU), timed.

The same work as jax_sgmrl.py: rollouts batched over tasks with per-task
weights (baddbmm), linear baseline, GAE, inner step, rollouts of the adapted
policies, outer gradient, Hessian-vector product, sampling term, Adam.

Derivatives (--mode):
  manual  activations kept from the rollouts; reverse pass and its tangent
          written out, one task at a time
  double  autograd: gradient with create_graph, then the gradient of its dot
          product with the outer gradient (double backward)
  nested  autograd through the inner step (also --nested)

The last line of standard output is a JSON object.
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
ap.add_argument("--estimator", choices=["maml", "sgmrl", "sgmrl-loo"], default="sgmrl")
ap.add_argument("--mode", choices=["manual", "double", "nested"], default="manual")
ap.add_argument("--nested", action="store_true", help="same as --mode nested")
ap.add_argument("--batching", choices=["loop", "stack"], default="loop",
                help="derivatives of the tasks one after another, or stacked")
ap.add_argument("--iterations", type=int, default=10, help="timed iterations")
ap.add_argument("--warmup", type=int, default=2)
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--seed", type=int, default=1)
ap.add_argument("--lr", type=float, default=1e-3)
ap.add_argument("--curve", type=int, default=0, help="print returns every K iterations")
ap.add_argument("--check", action="store_true", help="compare the modes' gradients and stop")
ap.add_argument("--kernels", choices=["fast", "default"], default="fast",
                help="fast: oneDNN products and tanh by way of sigmoid; default: torch.mm and torch.tanh")
ap.add_argument("--malloc", choices=["tuned", "default"], default="tuned")
args = ap.parse_args()
if args.nested:
    args.mode = "nested"
if args.malloc == "tuned" and any(os.environ.get(k) != v for k, v in TUNED.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **TUNED})
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402

torch.set_num_threads(args.threads)
torch.set_flush_denormal(True)

B, E, T, H = 20, 20, 100, 100          # tasks, episodes, steps, hidden units
N = T * E                              # steps per task and phase
GAMMA, LAM, ALPHA, RIDGE = 0.99, 0.997, 0.1, 1e-5
LOG2PI = 1.8378770664093453
SHAPES = ((2, H), (H,), (H, H), (H,), (H, 2), (2,), (2,))   # w1 b1 w2 b2 w3 b3 log-std
DISC = GAMMA ** torch.arange(T, dtype=torch.float32)


def back_matrix(c):
    i = torch.arange(T)
    k = (i[None, :] - i[:, None]).float()
    return torch.where(k >= 0, c ** k.clamp(min=0), torch.zeros(()))


BACK_RET, BACK_ADV = back_matrix(GAMMA), back_matrix(GAMMA * LAM)
# Every task's noise and activations live in buffers made once.
BUF = {k: torch.empty(2, B, T, E, H) for k in ("h1", "h2")}
GEN = torch.Generator()
FAST = args.kernels == "fast" and torch.backends.mkldnn.is_available()


# On some processors oneDNN's f32 products run at twice the speed of torch.mm, and
# sigmoid at many times that of tanh. No gradient is recorded through these.

def mm(x, w, b=None):
    """x w + b"""
    if FAST:
        return torch.ops.mkldnn._linear_pointwise(x, w.T, b, "none", [], "")
    return x @ w if b is None else torch.addmm(b, x, w)


def mm_add(y, x, w):
    """y + x w"""
    if FAST:
        return torch.ops.mkldnn._linear_pointwise.binary(x, y, w.T, None, "add")
    return y.addmm_(x, w)


def tanh_(x):
    return x.mul_(2.0).sigmoid_().mul_(2.0).sub_(1.0) if FAST else x.tanh_()


def init():
    def glorot(i, o):
        lim = (6.0 / (i + o)) ** 0.5
        return (torch.rand(i, o, generator=GEN) * 2 - 1) * lim
    z = torch.zeros
    return [glorot(2, H), z(H), glorot(H, H), z(H), glorot(H, 2), z(2), z(2)]


@torch.no_grad()
def rollout(p, shared, goals, noise, phase, keep):
    """Arrays come back as [B, T, E, ...]: one task's data are contiguous."""
    w1, b1, w2, b2, w3, b3, ls = p
    o, u = torch.empty(B, T, E, 2), torch.empty(B, T, E, 2)
    r, m = torch.empty(B, T, E), torch.empty(B, T, E)
    s, alive, g = torch.zeros(B, E, 2), torch.ones(B, E), goals[:, None, :]
    noise = noise * (ls.exp() if shared else ls.exp()[None, :, None, :])

    def lin(x, w, b):
        if shared:
            return mm(x.reshape(B * E, -1), w, b).view(B, E, -1)
        return torch.baddbmm(b[:, None, :], x, w)

    for t in range(T):
        o[:, t], m[:, t] = s, alive
        h1 = tanh_(lin(s, w1, b1))
        h2 = tanh_(lin(h1, w2, b2))
        if keep:
            BUF["h1"][phase, :, t], BUF["h2"][phase, :, t] = h1, h2
        a = lin(h2, w3, b3).add_(noise[t])
        u[:, t] = a
        s = (s + a.mul_(0.01).clamp_(-0.1, 0.1)).clamp_(-0.5, 0.5)
        d = s - g
        r[:, t] = torch.linalg.vector_norm(d, dim=-1).neg_().mul_(alive)
        alive = alive * (d.abs_().amax(-1) >= 0.01)
    return dict(o=o, u=u, r=r, m=m)


def features(o):
    t = (torch.arange(T, dtype=torch.float32) / 100.0)[None, :, None, None].expand(B, T, E, 1)
    oc = o.clamp(-10.0, 10.0)
    return torch.cat([oc, oc * oc, t, t * t, t * t * t, torch.ones_like(t)], -1)


@torch.no_grad()
def inner_weights(d):
    m = d["m"]
    ret = BACK_RET @ d["r"]
    f = features(d["o"]) * m[..., None]
    fm = f.view(B, N, 8)
    ft = fm.transpose(1, 2)
    coef = torch.linalg.solve(ft @ fm + RIDGE * torch.eye(8), ft @ ret.reshape(B, N, 1))
    v = (fm @ coef).view(B, T, E)
    vn = torch.cat([v[:, 1:], torch.zeros(B, 1, E)], 1)
    adv = BACK_ADV @ ((d["r"] + GAMMA * vn - v) * m)
    cnt = m.sum((1, 2), keepdim=True)
    mean = (adv * m).sum((1, 2), keepdim=True) / cnt
    var = ((adv - mean) ** 2 * m).sum((1, 2), keepdim=True) / cnt
    return ((adv - mean) / (var.sqrt() + 1e-8) * m / cnt).view(B, N), coef


@torch.no_grad()
def outer_weights(d, coef):
    v = (features(d["o"]).view(B, N, 8) @ coef).view(B, T, E)
    return (DISC[None, :, None] * (BACK_RET @ d["r"] - v) * d["m"] / E).view(B, N)


@torch.no_grad()
def score_coef(d_in, d_out):
    c = (torch.einsum("t,bte->b", DISC, d_out["r"]) / E)[:, None].expand(B, E)
    if args.estimator == "sgmrl-loo":
        r_in = torch.einsum("t,bte->be", DISC, d_in["r"])
        c = c - (r_in.sum(1, keepdim=True) - r_in) / (E - 1)
    return (c[:, None, :] * d_in["m"]).reshape(B, N)


# ------------------------------------------------- derivatives, by autograd

def surrogate(p, w, o, u):
    """sum_t w_t log pi(u_t | o_t); one task, or stacked with p of [B, ...]."""
    w1, b1, w2, b2, w3, b3, ls = p
    if o.dim() == 3:
        b1, b2, b3, ls = (x[:, None, :] for x in (b1, b2, b3, ls))
        lin = torch.baddbmm
    else:
        lin = torch.addmm
    h = lin(b2, torch.tanh(lin(b1, o, w1)), w2)
    z = (u - lin(b3, torch.tanh(h), w3)) * torch.exp(-ls)
    return torch.sum(w * (-0.5 * (z * z).sum(-1) - ls.sum(-1) - LOG2PI))


def leaves(p):
    return [a.detach().requires_grad_() for a in p]


def autograd_inner(theta, w_in, o, u, units):
    """Inner step of every unit (a task, or all of them stacked), graph kept."""
    kept, adapted = [], []
    for i in units:
        q = leaves(theta if args.batching == "loop" else [a.expand(B, *a.shape) for a in theta])
        g = torch.autograd.grad(surrogate(q, w_in[i], o[i], u[i]), q, create_graph=True)
        kept.append((q, g))
        adapted.append([a + ALPHA * b for a, b in zip(q, g)])
    return kept, adapted


# ------------------------------------ derivatives, written out (mode manual)

@torch.no_grad()
def manual_grad(p, w, o, u, h1, h2):
    w1, b1, w2, b2, w3, b3, ls = p
    isig = torch.exp(-ls)
    z = torch.addmm(b3, h2, w3).neg_().add_(u).mul_(isig)
    dm = w[:, None] * z * isig
    g2 = dm @ w3.T
    d2 = torch.ops.aten.tanh_backward(g2, h2)
    g1 = mm(d2, w2.T)
    d1 = torch.ops.aten.tanh_backward(g1, h1)
    grad = [o.T @ d1, d1.sum(0), mm(h1.T, d2), d2.sum(0), h2.T @ dm, dm.sum(0),
            (w[:, None] * (z * z - 1.0)).sum(0)]
    return grad, (z, dm, g2, d2, g1)


@torch.no_grad()
def manual_hvp(p, v, w, c, o, u, h1, h2, rev):
    """Tangent of manual_grad along (v, c): Hessian times v plus sum_t c_t score_t."""
    tanh_b = torch.ops.aten.tanh_backward
    w2, w3, ls = p[2], p[4], p[6]
    v1, vb1, v2, vb2, v3, vb3, vl = v
    z, dm, g2, d2, g1 = rev
    isig = torch.exp(-ls)
    w, c = w[:, None], c[:, None]
    t1 = tanh_b(torch.addmm(vb1, o, v1), h1)
    t2 = tanh_b(mm_add(mm(t1, w2, vb2), h1, v2), h2)
    tm = torch.addmm(vb3, t2, w3).addmm_(h2, v3)
    tz = -tm * isig - z * vl
    tdm = (c * z + w * tz - w * z * vl) * isig
    td2 = tanh_b((tdm @ w3.T).addmm_(dm, v3.T), h2).addcmul_(t2.mul(g2), h2, value=-2.0)
    td1 = tanh_b(mm_add(mm(td2, w2.T), d2, v2.T), h1).addcmul_(g1.mul_(t1), h1, value=-2.0)
    return [o.T @ td1, td1.sum(0), mm_add(mm(t1.T, d2), h1.T, td2), td2.sum(0),
            (t2.T @ dm).addmm_(h2.T, tdm), tdm.sum(0),
            (c * (z * z - 1.0) + w * 2.0 * z * tz).sum(0)]


# -------------------------------------------------------------- one iteration

def meta_gradient(theta, mode):
    goals = torch.rand(B, 2, generator=GEN) - 0.5
    n_in, n_out = (torch.randn(T, B, E, 2, generator=GEN) for _ in range(2))
    manual, keep = mode == "manual", mode == "manual"
    loop = manual or args.batching == "loop"
    units = range(B) if loop else [slice(None)]

    d_in = rollout(theta, True, goals, n_in, 0, keep)
    w_in, coef = inner_weights(d_in)
    o, u = d_in["o"].view(B, N, 2), d_in["u"].view(B, N, 2)
    h = {k: x.view(2, B, N, H) for k, x in BUF.items()}
    stack = lambda ts: [torch.stack(x) for x in zip(*ts)]
    kept = None
    if manual:
        g, rev = zip(*(manual_grad(theta, w_in[i], o[i], u[i], h["h1"][0, i], h["h2"][0, i]) for i in units))
        adapted = [a + ALPHA * b for a, b in zip(theta, stack(g))]
    else:
        kept, q = autograd_inner(theta, w_in, o, u, units)
        adapted = [a.detach() for a in (stack(q) if loop else q[0])]

    d_out = rollout(adapted, False, goals, n_out, 1, keep)
    w_out = outer_weights(d_out, coef)
    oo, uo = d_out["o"].view(B, N, 2), d_out["u"].view(B, N, 2)
    c = torch.zeros(B, N) if args.estimator == "maml" else score_coef(d_in, d_out)

    total = [torch.zeros(s) for s in SHAPES]
    for k, i in enumerate(units):
        if manual:
            qi = [a[i] for a in adapted]
            v, _ = manual_grad(qi, w_out[i], oo[i], uo[i], h["h1"][1, i], h["h2"][1, i])
            hv = manual_hvp(theta, [ALPHA * a for a in v], w_in[i], c[i], o[i], u[i],
                            h["h1"][0, i], h["h2"][0, i], rev[i])
            out = [a.add_(b) for a, b in zip(v, hv)]
        else:
            p, g = kept[k]
            if mode == "nested":         # through the inner step
                loss = surrogate([a + ALPHA * b for a, b in zip(p, g)], w_out[i], oo[i], uo[i])
            else:                        # outer gradient, then the dot product's
                q = leaves([a[i] for a in adapted])
                v = torch.autograd.grad(surrogate(q, w_out[i], oo[i], uo[i]), q)
                loss = ALPHA * sum((a * b).sum() for a, b in zip(g, v))
            if args.estimator != "maml":
                loss = loss + surrogate(p, c[i], o[i], u[i])
            out = torch.autograd.grad(loss, p)
            if mode == "double":
                out = [a + b for a, b in zip(out, v)]
            kept[k] = None
            if not loop:
                out = [a.sum(0) for a in out]
        for a, b in zip(total, out):
            a.add_(b)
    info = dict(pre=d_in["r"].sum().item() / (B * E), post=d_out["r"].sum().item() / (B * E),
                steps=d_in["m"].sum().item() + d_out["m"].sum().item())
    return [a / B for a in total], info


def main():
    GEN.manual_seed(args.seed)
    theta = init()
    if args.check:
        vec = {}
        for mode in ("nested", "double", "manual"):
            GEN.manual_seed(args.seed + 1)
            vec[mode] = torch.cat([g.flatten() for g in meta_gradient(theta, mode)[0]])
        rel = {m: ((vec[m] - vec["nested"]).norm() / vec["nested"].norm()).item() for m in ("double", "manual")}
        print(json.dumps(dict(estimator=args.estimator, norm=vec["nested"].norm().item(), relative_to_nested=rel)))
        sys.exit(0 if max(rel.values()) < 1e-4 else 1)

    opt = torch.optim.Adam(theta, lr=args.lr, maximize=True)
    cpu, wall, pre, post, steps = [], [], [], [], []
    for i in range(args.warmup + args.iterations):
        w0, c0 = time.perf_counter(), time.process_time()
        grad, info = meta_gradient(theta, args.mode)
        for p, g in zip(theta, grad):
            p.grad = g
        opt.step()
        w1, c1 = time.perf_counter(), time.process_time()
        pre.append(info["pre"]), post.append(info["post"])
        if args.curve and (i % args.curve == 0 or i == args.warmup + args.iterations - 1):
            print(f"iteration {i}: return before {pre[-1]:.2f}, after {post[-1]:.2f}", file=sys.stderr)
        if i >= args.warmup:
            wall.append(w1 - w0), cpu.append(c1 - c0), steps.append(info["steps"])
    med = statistics.median
    print(json.dumps(dict(
        program="torch_sgmrl", estimator=args.estimator, mode=args.mode, batching=args.batching,
        threads=args.threads, iterations=args.iterations,
        cpu_seconds=round(med(cpu), 5), wall_seconds=round(med(wall), 5), cpu_min=round(min(cpu), 5),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        env_steps=round(med(steps)),
        pre_return=round(statistics.fmean(pre[-args.iterations:]), 3),
        post_return=round(statistics.fmean(post[-args.iterations:]), 3),
        last_post_return=round(post[-1], 3))))


main()
