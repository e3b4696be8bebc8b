//! Stop-gap policies until the real layer lands.
#![allow(missing_docs)]
use crate::batch::Actions;
use crate::diff::{Activation, Init, Mlp, Tape, Workspace};
use crate::math::real::Real;
use crate::rng::Rng;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use tasks::env::Space;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Tabular,
    Mlp,
}
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub kind: Kind,
    pub hidden: Vec<usize>,
    pub activation: Activation,
    pub init: Init,
    pub log_std: f64,
    pub min_log_std: Option<f64>,
    pub value_head: bool,
}
impl Spec {
    pub fn tabular() -> Spec {
        Spec { kind: Kind::Tabular, ..Spec::mlp() }
    }
    pub fn mlp() -> Spec {
        Spec {
            kind: Kind::Mlp,
            hidden: vec![100, 100],
            activation: Activation::Tanh,
            init: Init::GlorotUniform,
            log_std: 0.0,
            min_log_std: None,
            value_head: false,
        }
    }
}
pub struct Weights<'a, F> {
    pub log_prob: &'a [F],
    pub entropy: Option<&'a [F]>,
    pub value: Option<&'a [F]>,
}
#[derive(Clone)]
pub struct TabularSoftmax {
    pub states: usize,
    pub actions: usize,
}
#[derive(Clone)]
pub struct Net {
    mlp: Mlp,
    log_std: f64,
    onehot: bool,
}
#[derive(Clone)]
pub enum Policy {
    Tabular(TabularSoftmax),
    Categorical(Net),
    Gaussian(Net),
}
use Policy::*;
impl Policy {
    pub fn build(spec: &Spec, obs: &Space, act: &Space) -> Result<Policy, String> {
        if spec.kind == Kind::Tabular {
            let (Space::Discrete(s), Space::Discrete(a)) = (obs, act) else {
                return Err("tabular needs discrete".into());
            };
            return Ok(Tabular(TabularSoftmax { states: *s, actions: *a }));
        }
        let (inputs, onehot) = match obs {
            Space::Discrete(n) => (*n, true),
            b => (b.width(), false),
        };
        let out = match act {
            Space::Discrete(n) => *n,
            b => b.width(),
        };
        let mut sizes = vec![inputs];
        sizes.extend(&spec.hidden);
        sizes.push(out);
        let net = Net { mlp: Mlp::new(sizes, spec.activation), log_std: spec.log_std, onehot };
        Ok(if matches!(act, Space::Discrete(_)) { Categorical(net) } else { Gaussian(net) })
    }
    fn net(&self) -> &Net {
        match self {
            Categorical(n) | Gaussian(n) => n,
            _ => panic!(),
        }
    }
    pub fn n_params(&self) -> usize {
        match self {
            Tabular(t) => t.states * t.actions,
            Categorical(n) => n.mlp.n_params(),
            Gaussian(n) => n.mlp.n_params() + n.mlp.outputs(),
        }
    }
    pub fn obs_width(&self) -> usize {
        match self {
            Tabular(_) => 1,
            _ => self.net().mlp.inputs(),
        }
    }
    pub fn encode<F: Real>(&self, raw: &[f64], out: &mut [F]) {
        match self {
            Categorical(n) | Gaussian(n) if n.onehot => {
                out.fill(F::zero());
                out[raw[0] as usize] = F::one();
            }
            _ => {
                for (o, &r) in out.iter_mut().zip(raw) {
                    *o = F::of(r)
                }
            }
        }
    }
    pub fn init<F: Real>(&self, rng: &mut Rng) -> Vec<F> {
        match self {
            Tabular(_) => vec![F::zero(); self.n_params()],
            Categorical(n) => n.mlp.init(Init::GlorotUniform, rng),
            Gaussian(n) => {
                let mut t = n.mlp.init(Init::GlorotUniform, rng);
                t.resize(self.n_params(), F::of(n.log_std));
                t
            }
        }
    }
    pub fn empty_actions<F>(&self) -> Actions<F> {
        match self {
            Gaussian(n) => Actions::Continuous { values: vec![], width: n.mlp.outputs() },
            _ => Actions::Discrete(vec![]),
        }
    }
    pub fn forward<F: Real>(&self, theta: &[F], obs: &[F], rows: usize, tape: &mut Tape<F>) {
        match self {
            Tabular(t) => {
                let first = tape.grow([t.actions].into_iter(), rows);
                for i in 0..rows {
                    let s = obs[i].f64() as usize;
                    tape.layers[0][(first + i) * t.actions..][..t.actions]
                        .copy_from_slice(&theta[s * t.actions..][..t.actions]);
                }
            }
            _ => {
                let n = self.net();
                n.mlp.forward(&theta[..n.mlp.n_params()], obs, rows, tape)
            }
        }
    }
    fn probs<F: Real>(z: &[F]) -> Vec<F> {
        let m = z.iter().copied().fold(F::neg_infinity(), F::max);
        let e: Vec<F> = z.iter().map(|&x| (x - m).exp()).collect();
        let s: F = e.iter().copied().sum();
        e.into_iter().map(|x| x / s).collect()
    }
    pub fn sample<F: Real>(
        &self,
        theta: &[F],
        tape: &Tape<F>,
        rows: std::ops::Range<usize>,
        rngs: &mut [Rng],
        actions: &mut Actions<F>,
    ) {
        for (row, rng) in rows.zip(rngs) {
            let z = tape.output_row(row);
            match actions {
                Actions::Discrete(a) => {
                    let mut u = F::of(rng.random::<f64>());
                    let p = Self::probs(z);
                    let mut k = p.len() - 1;
                    for (i, &p) in p.iter().enumerate() {
                        if u < p {
                            k = i;
                            break;
                        }
                        u -= p;
                    }
                    a.push(k as u32)
                }
                Actions::Continuous { values, .. } => {
                    let n = self.net().mlp.n_params();
                    for (i, &m) in z.iter().enumerate() {
                        let e: f64 = StandardNormal.sample(rng);
                        values.push(m + theta[n + i].exp() * F::of(e))
                    }
                }
            }
        }
    }
    pub fn log_prob<F: Real>(&self, theta: &[F], tape: &Tape<F>, actions: &Actions<F>, out: &mut Vec<F>) {
        out.clear();
        for row in 0..tape.rows() {
            let z = tape.output_row(row);
            out.push(match actions {
                Actions::Discrete(a) => Self::probs(z)[a[row] as usize].ln(),
                Actions::Continuous { values, width } => {
                    let n = self.net().mlp.n_params();
                    (0..*width)
                        .map(|i| {
                            let ls = theta[n + i];
                            let u = (values[row * width + i] - z[i]) / ls.exp();
                            -F::of(0.5) * u * u - ls - F::of(0.9189385332046727)
                        })
                        .sum()
                }
            })
        }
    }
    pub fn entropy<F: Real>(&self, theta: &[F], tape: &Tape<F>, out: &mut Vec<F>) {
        out.clear();
        for row in 0..tape.rows() {
            let z = tape.output_row(row);
            out.push(match self {
                Gaussian(n) => {
                    (0..n.mlp.outputs()).map(|i| theta[n.mlp.n_params() + i] + F::of(1.4189385332046727)).sum()
                }
                _ => Self::probs(z).into_iter().map(|p| -p * p.ln()).sum(),
            })
        }
    }
    pub fn grad<F: Real>(
        &self,
        theta: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &Weights<F>,
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        self.pass(theta, None, obs, actions, tape, weights.log_prob, &mut |_, _| {}, out, ws)
    }
    pub fn multi_grad<F: Real>(
        &self,
        theta: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &[Vec<F>],
        out: &mut [Vec<F>],
        ws: &mut Workspace<F>,
    ) {
        for (w, o) in weights.iter().zip(out) {
            self.pass(theta, None, obs, actions, tape, w, &mut |_, _| {}, o, ws)
        }
    }
    pub fn hvp<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &[F],
        tangent_weights: &mut dyn FnMut(&[F], &mut [F]),
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        self.pass(theta, Some(direction), obs, actions, tape, weights, tangent_weights, out, ws)
    }
    fn pass<F: Real>(
        &self,
        theta: &[F],
        direction: Option<&[F]>,
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        w: &[F],
        tw: &mut dyn FnMut(&[F], &mut [F]),
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        let k = tape.output_width();
        let rows = tape.rows();
        let np = match self {
            Tabular(_) => 0,
            _ => self.net().mlp.n_params(),
        };
        // dl/dz, its tangent along z_dot, ldot
        let zdot: Option<Vec<F>> = direction.map(|v| match self {
            Tabular(t) => (0..rows)
                .flat_map(|r| {
                    let s = obs[r].f64() as usize;
                    v[s * k..][..t.actions].to_vec()
                })
                .collect(),
            _ => self.net().mlp.jvp(&theta[..np], &v[..np], obs, tape, ws).to_vec(),
        });
        let mut d = vec![F::zero(); rows * k];
        let mut dd = vec![F::zero(); rows * k];
        let mut ldot = vec![F::zero(); rows];
        let (mut ds, mut dds) = (vec![F::zero(); rows * k], vec![F::zero(); rows * k]);
        for r in 0..rows {
            let z = tape.output_row(r);
            match actions {
                Actions::Discrete(a) => {
                    let p = Self::probs(z);
                    for i in 0..k {
                        d[r * k + i] = if a[r] as usize == i { F::one() } else { F::zero() } - p[i];
                    }
                    if let Some(zd) = &zdot {
                        let zd = &zd[r * k..][..k];
                        let m: F = p.iter().zip(zd).map(|(&p, &z)| p * z).sum();
                        for i in 0..k {
                            dd[r * k + i] = -p[i] * (zd[i] - m);
                            ldot[r] += d[r * k + i] * zd[i];
                        }
                    }
                }
                Actions::Continuous { values, .. } => {
                    for i in 0..k {
                        let iv = (-theta[np + i] - theta[np + i]).exp();
                        let e = values[r * k + i] - z[i];
                        let j = r * k + i;
                        d[j] = e * iv;
                        ds[j] = e * e * iv - F::one();
                        if let (Some(zd), Some(v)) = (&zdot, direction) {
                            let sd = v[np + i];
                            dd[j] = -zd[j] * iv - F::of(2.0) * e * iv * sd;
                            dds[j] = -F::of(2.0) * e * zd[j] * iv - F::of(2.0) * e * e * iv * sd;
                            ldot[r] += d[j] * zd[j] + ds[j] * sd;
                        }
                    }
                }
            }
        }
        let mut wd = vec![F::zero(); rows];
        if direction.is_some() {
            tw(&ldot, &mut wd);
        }
        for r in 0..rows {
            for i in 0..k {
                let j = r * k + i;
                dd[j] = w[r] * dd[j] + wd[r] * d[j];
                dds[j] = w[r] * dds[j] + wd[r] * ds[j];
                d[j] *= w[r];
                ds[j] *= w[r];
            }
        }
        match (self, direction) {
            (Tabular(_), v) => {
                let src = if v.is_some() { &dd } else { &d };
                for r in 0..rows {
                    let s = obs[r].f64() as usize;
                    for i in 0..k {
                        out[s * k + i] += src[r * k + i];
                    }
                }
            }
            (_, None) => self.net().mlp.vjp(&theta[..np], obs, tape, &d, &mut out[..np], ws),
            (_, Some(v)) => {
                self.net().mlp.reverse_tangent(&theta[..np], &v[..np], obs, tape, [&d, &dd], None, &mut out[..np], ws)
            }
        }
        if let Gaussian(_) = self {
            let src = if direction.is_some() { &dds } else { &ds };
            for r in 0..rows {
                for i in 0..k {
                    out[np + i] += src[r * k + i];
                }
            }
        }
    }
}
