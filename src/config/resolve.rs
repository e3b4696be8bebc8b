//! Plan back to a configuration file in which every key that has an effect is written out.

use super::plan::{Plan, Precision};
use super::raw;
use crate::diff::{Activation, Init};
use crate::estimator::choice::{LeaveGroupOutForm, OuterPart, Sampling};
use crate::learn::meta::{Inner, Outer, Update};
use crate::math::advantage::{AdvantageKind, Average, Baseline, OuterAdvantage, OuterBaseline};
use crate::optim::{Optimiser, RmsPropDialect};
use crate::policy;

/// TOML text that loads to a plan equal to `plan`.
pub fn resolved(plan: &Plan) -> String {
    let mut family = toml::Table::new();
    family.insert("name".into(), toml::Value::String(plan.family.name.clone()));
    for (key, value) in &plan.family.params {
        // Parameters came from a tree without nulls, so every value has a TOML form.
        if let Ok(value) = toml::Value::try_from(value) {
            family.insert(key.clone(), value);
        }
    }
    let raw = raw::Raw {
        name: Some(plan.name.clone()),
        seed: Some(plan.seed),
        iterations: Some(plan.iterations),
        precision: Some(match plan.precision {
            Precision::F32 => raw::Precision::F32,
            Precision::F64 => raw::Precision::F64,
        }),
        gamma: Some(plan.options.gamma),
        family,
        policy: policy_section(&plan.policy),
        inner: inner_section(&plan.options.inner),
        outer: outer_section(&plan.options.outer),
        gap: super::gap::section(plan.gap.as_ref()),
    };
    match toml::to_string(&raw) {
        Ok(text) => format!("# Resolved configuration: every key that has an effect, defaults included.\n{text}"),
        Err(e) => unreachable!("a plan always has a TOML form: {e}"),
    }
}

fn policy_section(spec: &policy::Spec) -> raw::Policy {
    if spec.kind == policy::Kind::Tabular {
        return raw::Policy { kind: Some(raw::PolicyKind::Tabular), ..raw::Policy::default() };
    }
    let (init, init_gain) = match spec.init {
        Init::GlorotUniform => (raw::Init::GlorotUniform, None),
        Init::Orthogonal { gain } => (raw::Init::Orthogonal, Some(gain)),
    };
    raw::Policy {
        kind: Some(raw::PolicyKind::Mlp),
        hidden: Some(spec.hidden.clone()),
        activation: Some(match spec.activation {
            Activation::Tanh => raw::Activation::Tanh,
            Activation::Relu => raw::Activation::Relu,
        }),
        init: Some(init),
        init_gain,
        log_std: Some(spec.log_std),
        min_log_std: spec.min_log_std,
    }
}

fn average(average: Average) -> raw::Average {
    match average {
        Average::Trajectories => raw::Average::Trajectories,
        Average::Steps => raw::Average::Steps,
    }
}

fn inner_section(inner: &Inner) -> raw::Inner {
    let advantage = inner.advantage;
    let (kind, lambda) = match advantage.kind {
        AdvantageKind::Return => (raw::InnerAdvantage::Return, None),
        AdvantageKind::Gae { lambda } => (raw::InnerAdvantage::Gae, Some(lambda)),
    };
    let (baseline, ridge) = match advantage.baseline {
        Baseline::None => (raw::InnerBaseline::None, None),
        Baseline::Linear { ridge } => (raw::InnerBaseline::Linear, Some(ridge)),
    };
    raw::Inner {
        steps: Some(inner.steps),
        episodes: Some(inner.episodes),
        alpha: Some(inner.alpha),
        learn_alpha: Some(inner.learn_alpha),
        advantage: Some(kind),
        lambda,
        baseline: Some(baseline),
        ridge,
        normalise: Some(advantage.normalise),
        average: Some(average(advantage.average)),
        bootstrap: Some(advantage.bootstrap),
        gamma: Some(advantage.gamma),
    }
}

fn outer_section(outer: &Outer) -> raw::Outer {
    let mut section = raw::Outer {
        estimator: Some(outer.estimator.name.clone()),
        tasks: Some(outer.tasks),
        episodes: Some(outer.episodes),
        clip_norm: outer.clip,
        ..raw::Outer::default()
    };
    if let Sampling::LeaveGroupOut { groups, form } = outer.estimator.sampling {
        section.groups = Some(groups);
        section.form = Some(match form {
            LeaveGroupOutForm::Importance => raw::Form::Importance,
            LeaveGroupOutForm::Resimulated => raw::Form::Resimulated,
        });
    }
    if outer.estimator.outer != OuterPart::Published {
        outer_advantage(&mut section, &outer.advantage);
    }
    match outer.update {
        Update::Gradient => optimiser(&mut section, outer.optimiser),
        Update::Trpo(trpo) => {
            section.optimiser = Some(raw::Optimiser::Trpo);
            section.kl = Some(trpo.kl);
            section.cg_steps = Some(trpo.cg_steps);
            section.damping = Some(trpo.damping);
            section.backtracks = Some(trpo.backtracks);
            section.backtrack_ratio = Some(trpo.backtrack_ratio);
        }
        Update::Promp(promp) => {
            optimiser(&mut section, outer.optimiser);
            section.optimiser = Some(raw::Optimiser::Promp);
            section.epochs = Some(promp.epochs);
            section.clip = Some(promp.clip);
            section.inner_kl = Some(promp.inner_kl);
        }
    }
    section
}

fn outer_advantage(section: &mut raw::Outer, advantage: &OuterAdvantage) {
    match *advantage {
        OuterAdvantage::Raw(baseline) => {
            section.advantage = Some(raw::OuterAdvantage::Raw);
            let (baseline, ridge) = match baseline {
                OuterBaseline::None => (raw::OuterBaseline::None, None),
                OuterBaseline::Inner { ridge } => (raw::OuterBaseline::Inner, Some(ridge)),
                OuterBaseline::CrossFit { ridge } => (raw::OuterBaseline::CrossFit, Some(ridge)),
            };
            section.baseline = Some(baseline);
            section.ridge = ridge;
        }
        OuterAdvantage::Processed(processed) => {
            let (kind, lambda) = match processed.kind {
                AdvantageKind::Return => (raw::OuterAdvantage::Return, None),
                AdvantageKind::Gae { lambda } => (raw::OuterAdvantage::Gae, Some(lambda)),
            };
            let (baseline, ridge) = match processed.baseline {
                Baseline::None => (raw::OuterBaseline::None, None),
                Baseline::Linear { ridge } => (raw::OuterBaseline::Linear, Some(ridge)),
            };
            section.advantage = Some(kind);
            section.lambda = lambda;
            section.baseline = Some(baseline);
            section.ridge = ridge;
            section.normalise = Some(processed.normalise);
            section.average = Some(average(processed.average));
            section.bootstrap = Some(processed.bootstrap);
        }
    }
}

fn optimiser(section: &mut raw::Outer, optimiser: Optimiser) {
    let (kind, rate) = match optimiser {
        Optimiser::Sgd { beta } => (raw::Optimiser::Sgd, beta),
        Optimiser::Adam { beta, beta1, beta2, epsilon } => {
            (section.beta1, section.beta2, section.epsilon) = (Some(beta1), Some(beta2), Some(epsilon));
            (raw::Optimiser::Adam, beta)
        }
        Optimiser::RmsProp { beta, decay, epsilon, dialect, .. } => {
            (section.decay, section.epsilon) = (Some(decay), Some(epsilon));
            let kind = match dialect {
                RmsPropDialect::TensorFlow => raw::Optimiser::RmsPropTf,
                RmsPropDialect::PyTorch => raw::Optimiser::RmsPropTorch,
            };
            (kind, beta)
        }
    };
    section.optimiser = Some(kind);
    section.beta = Some(rate);
}
