#!/usr/bin/env python3
"""One outer iteration of 2D navigation in a single jitted JAX program, timed.

The whole iteration is one compiled call: goals, pre-adaptation rollouts, the
linear baseline, GAE, the inner step, post-adaptation rollouts, the outer
gradient with its Hessian-vector product, the sampling term and Adam.

Derivatives (--mode):
  manual  activations kept from the rollouts; reverse pass and its tangent
          written out, one task at a time so that its arrays stay in cache
  jvp     jvp of grad on the inner surrogate, by autodiff
  nested  plain reverse mode through the inner step (also --nested)

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
ap.add_argument("--mode", choices=["manual", "jvp", "nested"], default="manual")
ap.add_argument("--nested", action="store_true", help="same as --mode nested")
ap.add_argument("--batching", choices=["map", "vmap"], default="map",
                help="derivatives of the tasks one after another, or stacked")
ap.add_argument("--group", type=int, default=4,
                help="tasks taken through the iteration together")
ap.add_argument("--activations", choices=["reuse", "store", "recompute"], default="reuse",
                help="manual: keep the rollouts' hidden activations, or not")
ap.add_argument("--rng", choices=["threefry2x32", "rbg", "unsafe_rbg"], default="threefry2x32")
ap.add_argument("--iterations", type=int, default=20, help="timed iterations")
ap.add_argument("--warmup", type=int, default=3)
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--seed", type=int, default=1)
ap.add_argument("--lr", type=float, default=1e-3)
ap.add_argument("--curve", type=int, default=0, help="print returns every K iterations")
ap.add_argument("--check", action="store_true", help="compare the modes' gradients and stop")
ap.add_argument("--malloc", choices=["tuned", "default"], default="tuned")
args = ap.parse_args()
if args.nested:
    args.mode = "nested"
if args.group < 1 or 20 % args.group:
    ap.error("--group must divide 20")
if args.malloc == "tuned" and any(os.environ.get(k) != v for k, v in TUNED.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **TUNED})

flags = os.environ.get("XLA_FLAGS", "")
if args.threads == 1:
    flags += " --xla_cpu_multi_thread_eigen=false"
os.environ["XLA_FLAGS"] = flags.strip()
os.environ["NPROC"] = str(args.threads)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402

jax.config.update("jax_default_prng_impl", args.rng)

G = args.group                         # tasks taken through together
B, E, T, H = 20, 20, 100, 100          # tasks, episodes, steps, hidden units
N = T * E                              # steps per task and phase
GAMMA, LAM, ALPHA, RIDGE = 0.99, 0.997, 0.1, 1e-5
LOG2PI = 1.8378770664093453
NAMES = ("w1", "b1", "w2", "b2", "w3", "b3", "ls")


def init(key):
    def glorot(k, i, o):
        lim = (6.0 / (i + o)) ** 0.5
        return jax.random.uniform(k, (i, o), minval=-lim, maxval=lim)
    k = jax.random.split(key, 3)
    z = jnp.zeros
    return dict(w1=glorot(k[0], 2, H), b1=z(H), w2=glorot(k[1], H, H), b2=z(H),
                w3=glorot(k[2], H, 2), b3=z(2), ls=z(2))


# ---------------------------------------------------------------- rollouts

def rollout(p, shared, goals, noise, keep):
    """Arrays come back as [G, T, E, ...]: one task's data are contiguous."""
    sigma = jnp.exp(p["ls"]) if shared else jnp.exp(p["ls"])[:, None, :]

    def lin(x, w, b):
        if shared:
            return (x.reshape(G * E, -1) @ w + b).reshape(G, E, -1)
        return jnp.einsum("bei,bio->beo", x, w) + b[:, None, :]

    def tiny(x, w, b):                  # two inputs: cheaper as products
        if shared:
            return x[..., :1] * w[0] + x[..., 1:] * w[1] + b
        return x[..., :1] * w[:, None, 0] + x[..., 1:] * w[:, None, 1] + b[:, None, :]

    def step(carry, xs):
        s, alive, bufs = carry
        t, eps = xs
        h1 = jnp.tanh(tiny(s, p["w1"], p["b1"]))
        h2 = jnp.tanh(lin(h1, p["w2"], p["b2"]))
        u = lin(h2, p["w3"], p["b3"]) + sigma * eps
        s2 = jnp.clip(s + jnp.clip(0.01 * u, -0.1, 0.1), -0.5, 0.5)
        d = s2 - goals[:, None, :]
        r = -jnp.sqrt(jnp.sum(d * d, -1)) * alive
        done = jnp.all(jnp.abs(d) < 0.01, -1)
        new = dict(h1=h1, h2=h2) if keep else {}
        bufs = {k: lax.dynamic_update_slice(bufs[k], v[:, None], (0, t) + (0,) * (v.ndim - 1))
                for k, v in new.items()}
        return (s2, alive * (1.0 - done), bufs), (s, u, r, alive)

    bufs = {k: jnp.zeros((G, T, E, H)) for k in ("h1", "h2")} if keep else {}
    carry = (jnp.zeros((G, E, 2)), jnp.ones((G, E)), bufs)
    (_, _, bufs), (o, u, r, m) = lax.scan(step, carry, (jnp.arange(T), noise))
    sw = lambda a: jnp.swapaxes(a, 0, 1)
    return dict(o=sw(o), u=sw(u), r=sw(r), m=sw(m), **bufs)


# ------------------------------------------------ returns, baseline, weights

def back_sum(x, c):
    """y_t = x_t + c y_{t+1} along axis 1 of [G, T, E], as a small product."""
    i = jnp.arange(T)
    k = jnp.where(i[None, :] >= i[:, None], c ** jnp.maximum(i[None, :] - i[:, None], 0), 0.0)
    return jnp.einsum("tk,bke->bte", k.astype(jnp.float32), x)


def features(o):
    t = jnp.broadcast_to((jnp.arange(T, dtype=jnp.float32) / 100.0)[None, :, None, None], (G, T, E, 1))
    oc = jnp.clip(o, -10.0, 10.0)
    return jnp.concatenate([oc, oc * oc, t, t * t, t * t * t, jnp.ones_like(t)], -1)


def cho_solve8(a, y):
    """Cholesky solve of [G, 8, 8] systems, unrolled over the matrix."""
    n = 8
    l = [[None] * n for _ in range(n)]
    for j in range(n):
        d = a[:, j, j] - sum((l[j][k] * l[j][k] for k in range(j)), 0.0)
        inv = lax.rsqrt(jnp.maximum(d, 1e-12))
        l[j][j] = inv                    # reciprocal of the diagonal
        for i in range(j + 1, n):
            l[i][j] = (a[:, i, j] - sum((l[i][k] * l[j][k] for k in range(j)), 0.0)) * inv
    z = [None] * n
    for i in range(n):
        z[i] = (y[:, i] - sum((l[i][k] * z[k] for k in range(i)), 0.0)) * l[i][i]
    x = [None] * n
    for i in reversed(range(n)):
        x[i] = (z[i] - sum((l[k][i] * x[k] for k in range(i + 1, n)), 0.0)) * l[i][i]
    return jnp.stack(x, -1)


def inner_weights(d):
    """Normalised GAE weights over the mean of steps, and the baseline."""
    m = d["m"]
    ret = back_sum(d["r"], GAMMA)
    f = features(d["o"]) * m[..., None]
    fm = f.reshape(G, N, 8)
    gram = jnp.einsum("bni,bnj->bij", fm, fm) + RIDGE * jnp.eye(8)
    coef = cho_solve8(gram, jnp.einsum("bni,bn->bi", fm, ret.reshape(G, N)))
    v = jnp.einsum("btei,bi->bte", f, coef)              # zero after the end
    vn = jnp.concatenate([v[:, 1:], jnp.zeros((G, 1, E))], 1)
    adv = back_sum((d["r"] + GAMMA * vn - v) * m, GAMMA * LAM)
    cnt = jnp.sum(m, (1, 2), keepdims=True)
    mean = jnp.sum(adv * m, (1, 2), keepdims=True) / cnt
    var = jnp.sum((adv - mean) ** 2 * m, (1, 2), keepdims=True) / cnt
    w = (adv - mean) / (jnp.sqrt(var) + 1e-8) * m / cnt
    return w, coef


DISC = GAMMA ** jnp.arange(T, dtype=jnp.float32)


def outer_weights(d, coef):
    """Raw scale: gamma^h (reward-to-go - baseline of D_in) / n_o."""
    v = jnp.einsum("btei,bi->bte", features(d["o"]), coef)
    return DISC[None, :, None] * (back_sum(d["r"], GAMMA) - v) * d["m"] / E


def score_coef(d_in, d_out):
    """Coefficient of each inner step's score in the sampling term: [G, T, E]."""
    j_out = jnp.einsum("t,bte->b", DISC, d_out["r"]) / E
    c = jnp.broadcast_to(j_out[:, None], (G, E))
    if args.estimator == "sgmrl-loo":
        r_in = jnp.einsum("t,bte->be", DISC, d_in["r"])
        c = c - (jnp.sum(r_in, 1, keepdims=True) - r_in) / (E - 1)
    return c[:, None, :] * d_in["m"]


# ---------------------------------------------------- derivatives, by autodiff

def surrogate(p, w, o, u):
    """sum_t w_t log pi(u_t | o_t) over one task's steps."""
    h1 = jnp.tanh(o @ p["w1"] + p["b1"])
    h2 = jnp.tanh(h1 @ p["w2"] + p["b2"])
    z = (u - (h2 @ p["w3"] + p["b3"])) * jnp.exp(-p["ls"])
    return jnp.sum(w * (-0.5 * jnp.sum(z * z, -1) - jnp.sum(p["ls"]) - LOG2PI))


surrogate_grad = jax.grad(surrogate)
flat = lambda d: (d["o"].reshape(G, N, 2), d["u"].reshape(G, N, 2))
tree = jax.tree_util.tree_map


def over_tasks(f, *xs, reduce=False):
    if args.batching == "vmap":
        out = jax.vmap(f)(*xs)
        return tree(lambda a: a.sum(0), out) if reduce else out
    if not reduce:
        return lax.map(lambda x: f(*x), xs)
    zero = tree(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(lambda x: f(*tree(lambda a: a[0], x)), xs))
    return lax.scan(lambda acc, x: (tree(jnp.add, acc, f(*x)), None), zero, xs)[0]


# ------------------------------------- derivatives, written out (mode manual)

def forward(p, o):
    h1 = jnp.tanh(o @ p["w1"] + p["b1"])
    return h1, jnp.tanh(h1 @ p["w2"] + p["b2"])


def manual_grad(p, w, o, u, h1, h2):
    """Gradient of the surrogate from kept activations."""
    isig = jnp.exp(-p["ls"])
    z = (u - (h2 @ p["w3"] + p["b3"])) * isig
    dm = w[:, None] * z * isig
    d2 = (dm @ p["w3"].T) * (1.0 - h2 * h2)
    g1 = d2 @ p["w2"].T
    d1 = g1 * (1.0 - h1 * h1)
    grad = dict(w1=o.T @ d1, b1=d1.sum(0), w2=h1.T @ d2, b2=d2.sum(0),
                w3=h2.T @ dm, b3=dm.sum(0), ls=jnp.sum(w[:, None] * (z * z - 1.0), 0))
    return grad, (g1,)


def manual_hvp(p, v, w, c, o, u, h1, h2, g1=None):
    """Tangent of manual_grad along (v, c): Hessian times v plus sum_t c_t score_t."""
    isig = jnp.exp(-p["ls"])
    z = (u - (h2 @ p["w3"] + p["b3"])) * isig
    w, c = w[:, None], c[:, None]
    dm = w * z * isig
    s1, s2 = 1.0 - h1 * h1, 1.0 - h2 * h2
    g2 = dm @ p["w3"].T
    d2 = g2 * s2
    # forward tangent
    t1 = s1 * (o @ v["w1"] + v["b1"])
    t2 = s2 * (t1 @ p["w2"] + h1 @ v["w2"] + v["b2"])
    tm = t2 @ p["w3"] + h2 @ v["w3"] + v["b3"]
    tz = -tm * isig - z * v["ls"]
    # tangent of the reverse pass
    tdm = (c * z + w * tz - w * z * v["ls"]) * isig
    td2 = (tdm @ p["w3"].T + dm @ v["w3"].T) * s2 - 2.0 * g2 * h2 * t2
    if g1 is None:
        g1 = d2 @ p["w2"].T
    td1 = (td2 @ p["w2"].T + d2 @ v["w2"].T) * s1 - 2.0 * g1 * h1 * t1
    return dict(w1=o.T @ td1, b1=td1.sum(0), w2=t1.T @ d2 + h1.T @ td2, b2=td2.sum(0),
                w3=t2.T @ dm + h2.T @ tdm, b3=tdm.sum(0),
                ls=jnp.sum(c * (z * z - 1.0) + w * 2.0 * z * tz, 0))


# ------------------------------------------------------------- one iteration

def meta_gradient(theta, key, mode):
    kg, k1, k2 = jax.random.split(key, 3)
    goals = jax.random.uniform(kg, (B // G, G, 2), minval=-0.5, maxval=0.5)
    xs = (goals, *(jax.random.normal(k, (B // G, T, G, E, 2)) for k in (k1, k2)))
    if G == B:
        grad, info = group_gradient(theta, *(x[0] for x in xs), mode)
    else:
        f = lambda x: group_gradient(theta, *x, mode)
        shapes = jax.eval_shape(lambda: f(tuple(x[0] for x in xs)))
        zero = tree(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        grad, info = lax.scan(lambda acc, x: (tree(jnp.add, acc, f(x)), None), zero, xs)[0]
    scale = lambda c, d: tree(lambda a: a / c, d)
    return scale(B, grad), dict(scale(B * E, info), steps=info["steps"])


def group_gradient(theta, goals, noise_in, noise_out, mode):
    """Sum over a group of tasks of the estimator, and of the returns."""
    keep = mode == "manual" and args.activations != "recompute"

    d_in = rollout(theta, True, goals, noise_in, keep)
    w_in, coef = inner_weights(d_in)
    w_in = w_in.reshape(G, N)
    o, u = flat(d_in)
    acts = lambda d: tuple(d[k].reshape(G, N, H) for k in ("h1", "h2")) if keep else ()

    def grad_of(p, w, o, u, *h):
        if mode != "manual":
            return surrogate_grad(p, w, o, u)
        return manual_grad(p, w, o, u, *(h or forward(p, o)))[0]

    reuse = keep and args.activations == "reuse"
    if reuse:                            # keep the reverse pass for the tangent too
        g_in, rev = over_tasks(lambda *x: manual_grad(theta, *x), w_in, o, u, *acts(d_in))
    else:
        g_in, rev = over_tasks(lambda *x: grad_of(theta, *x), w_in, o, u, *acts(d_in)), ()
    adapted = tree(lambda a, g: a + ALPHA * g, theta, g_in)

    d_out = rollout(adapted, False, goals, noise_out, keep)
    w_out = outer_weights(d_out, coef).reshape(G, N)
    oo, uo = flat(d_out)
    if args.estimator == "maml":
        c = jnp.zeros((G, N))
    else:
        c = score_coef(d_in, d_out).reshape(G, N)

    if mode == "nested":
        def task_loss(p, wi, o, u, wo, oo, uo, c):
            q = tree(lambda a, g: a + ALPHA * g, p, surrogate_grad(p, wi, o, u))
            loss = surrogate(q, wo, oo, uo)
            return loss if args.estimator == "maml" else loss + surrogate(p, c, o, u)
        data = (w_in, o, u, w_out, oo, uo, c)
        if args.batching == "map":
            grad = over_tasks(lambda *x: jax.grad(task_loss)(theta, *x), *data, reduce=True)
        else:
            grad = jax.grad(lambda p: jnp.sum(jax.vmap(lambda *x: task_loss(p, *x))(*data)))(theta)
    else:
        # M v + J S is the tangent of grad sum_t w_t log pi along (alpha v, c), plus v
        def task(q, wi, c, wo, o, u, oo, uo, *h):
            v = grad_of(q, wo, oo, uo, *h[2:4])
            av = tree(lambda a: ALPHA * a, v)
            if mode == "manual":
                hv = manual_hvp(theta, av, wi, c, o, u, *(h[:2] or forward(theta, o)), *h[4:])
            elif args.estimator == "maml":
                hv = jax.jvp(lambda p: surrogate_grad(p, wi, o, u), (theta,), (av,))[1]
            else:
                hv = jax.jvp(lambda p, w: surrogate_grad(p, w, o, u), (theta, wi), (av, c))[1]
            return tree(jnp.add, v, hv)
        grad = over_tasks(task, adapted, w_in, c, w_out, o, u, oo, uo, *acts(d_in), *acts(d_out), *rev, reduce=True)

    info = dict(pre=jnp.sum(d_in["r"]), post=jnp.sum(d_out["r"]),
                steps=jnp.sum(d_in["m"]) + jnp.sum(d_out["m"]))
    return grad, info


def iteration(state, mode):
    key, sub = jax.random.split(state["key"])
    grad, info = meta_gradient(state["p"], sub, mode)
    n = state["n"] + 1.0
    m = tree(lambda m, g: 0.9 * m + 0.1 * g, state["m"], grad)
    v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, state["v"], grad)
    lr = args.lr * jnp.sqrt(1.0 - 0.999 ** n) / (1.0 - 0.9 ** n)
    p = tree(lambda p, m, v: p + lr * m / (jnp.sqrt(v) + 1e-8), state["p"], m, v)
    return dict(p=p, m=m, v=v, n=n, key=key), info


def main():
    k0, k1 = jax.random.split(jax.random.key(args.seed))
    p = init(k0)
    z = tree(jnp.zeros_like, p)
    if args.check:
        grads = {m: jax.jit(lambda p, k, m=m: meta_gradient(p, k, m)[0])(p, k1)
                 for m in ("nested", "jvp", "manual")}
        vec = {m: jnp.concatenate([g[k].ravel() for k in NAMES]) for m, g in grads.items()}
        rel = {m: float(jnp.linalg.norm(vec[m] - vec["nested"]) / jnp.linalg.norm(vec["nested"]))
               for m in ("jvp", "manual")}
        print(json.dumps(dict(estimator=args.estimator, norm=float(jnp.linalg.norm(vec["nested"])),
                              relative_to_nested=rel)))
        sys.exit(0 if max(rel.values()) < 1e-4 else 1)

    step = jax.jit(lambda s: iteration(s, args.mode), donate_argnums=0)
    state = dict(p=p, m=z, v=tree(jnp.zeros_like, p), n=jnp.zeros(()), key=k1)
    t0 = time.perf_counter()
    step = step.lower(state).compile()
    compile_s = time.perf_counter() - t0
    cpu, wall, pre, post, steps = [], [], [], [], []
    for i in range(args.warmup + args.iterations):
        w0, c0 = time.perf_counter(), time.process_time()
        state, info = step(state)
        jax.block_until_ready((state, info))
        w1, c1 = time.perf_counter(), time.process_time()
        pre.append(float(info["pre"])), post.append(float(info["post"]))
        if args.curve and (i % args.curve == 0 or i == args.warmup + args.iterations - 1):
            print(f"iteration {i}: return before {pre[-1]:.2f}, after {post[-1]:.2f}", file=sys.stderr)
        if i >= args.warmup:
            wall.append(w1 - w0), cpu.append(c1 - c0), steps.append(float(info["steps"]))
    med = statistics.median
    print(json.dumps(dict(
        program="jax_sgmrl", estimator=args.estimator, mode=args.mode, batching=args.batching,
        activations=args.activations, threads=args.threads, iterations=args.iterations,
        cpu_seconds=round(med(cpu), 5), wall_seconds=round(med(wall), 5), cpu_min=round(min(cpu), 5),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        compile_seconds=round(compile_s, 2), env_steps=round(med(steps)),
        pre_return=round(statistics.fmean(pre[-args.iterations:]), 3),
        post_return=round(statistics.fmean(post[-args.iterations:]), 3),
        last_post_return=round(post[-1], 3))))


main()
