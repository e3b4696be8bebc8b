//! Which arms of a family share one objective: V_ζ depends on the inner settings, so arms that adapt otherwise have another.

use crate::config::suite::{self, Setting, Suite};
use crate::config::tree::Format;
use crate::learn::options::{Inner, Options};
use crate::policy::Spec;
use crate::record::suite_dir::{CONFIG, SuiteDir};
use crate::report::comparison::verdict::list;

/// What V_ζ depends on besides the family: discount, adaptation as the arm's estimator has it, policy.
#[derive(Clone, Debug, PartialEq)]
struct Objective {
    gamma: f64,
    inner: Inner,
    policy: Spec,
}

impl Objective {
    fn of(options: &Options, policy: &Spec) -> Objective {
        let mut inner = options.inner.clone();
        inner.advantage = options.outer.estimator.inner_advantage(&inner.advantage);
        Objective { gamma: options.gamma, inner, policy: policy.clone() }
    }

    fn shown(&self) -> String {
        let Inner { steps, episodes, alpha, learn_alpha, .. } = &self.inner;
        let (plural, learned) = (if *steps == 1 { "" } else { "s" }, if *learn_alpha { ", learned" } else { "" });
        format!("{steps} step{plural} of {episodes} episodes, α = {alpha}{learned}, γ = {}", self.gamma)
    }
}

/// The recorded suite; `None` if its text is not one that this version can read.
pub fn recorded(dir: &SuiteDir) -> Option<Suite> {
    let source = dir.dir.join(CONFIG).display().to_string();
    suite::parse(&dir.config, &source, Format::Toml, &dir.dir, false).ok()
}

/// A sentence for the caption of a figure of V_ζ or its gap, after a blank: that the arms of `family`, each with its chosen
/// setting, do not share one V_ζ. Empty if they do.
pub fn differing(suite: Option<&Suite>, family: &str, arms: &[(&str, &Setting)]) -> String {
    let unknown = || match arms {
        [] | [_] => String::new(),
        _ => {
            " Each arm has the V_ζ of its own inner settings, which could not be read here and may differ.".to_string()
        }
    };
    let Some(suite) = suite else { return unknown() };
    let mut groups: Vec<(Objective, Vec<String>)> = Vec::new();
    for (name, setting) in arms {
        let place = suite.families.iter().position(|f| f.name == family);
        let place = place.zip(suite.arms.iter().position(|a| a.name == *name));
        let plan = place.and_then(|(f, a)| suite.plan(f, a, setting, 0).ok()).map(|loaded| loaded.plan);
        let Some(plan) = plan else { return unknown() };
        let objective = Objective::of(&plan.options, &plan.policy);
        match groups.iter_mut().find(|(known, _)| *known == objective) {
            Some((_, names)) => names.push((*name).to_string()),
            None => groups.push((objective, vec![(*name).to_string()])),
        }
    }
    if groups.len() < 2 {
        return String::new();
    }
    let group = |(objective, names): &(Objective, Vec<String>)| {
        format!("{} ({})", list(names).replace('`', ""), objective.shown())
    };
    format!(
        " The arms do not share one V_ζ, because their inner settings or policies differ: {}. Compare heights among arms of one \
         V_ζ only.",
        groups.iter().map(group).collect::<Vec<_>>().join("; ")
    )
}
