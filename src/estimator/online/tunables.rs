//! Which meta-parameters are fixed, scheduled or learned, within which bounds, and the logits that are stored and updated.

use super::eta::{Eta, Tunable};

/// Where a meta-parameter's value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Its initial value.
    Fixed,
    /// Linear from its initial value to `end` over the run.
    Scheduled {
        /// Value at the end of the run.
        end: f64,
    },
    /// Learned by the meta-gradient.
    Meta,
}

/// One meta-parameter: `low + (high - low) sigmoid(x)` with logit x if it is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Where its value comes from.
    pub mode: Mode,
    /// Value at the start.
    pub initial: f64,
    /// Lower bound; a learned value stays strictly above.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Setting {
    /// A constant.
    pub fn fixed(initial: f64) -> Setting {
        Setting { mode: Mode::Fixed, initial, low: initial.min(0.0), high: initial.max(1.0) }
    }

    /// Learned, between 0 and 1.
    pub fn meta(initial: f64) -> Setting {
        Setting { mode: Mode::Meta, initial, low: 0.0, high: 1.0 }
    }

    /// Value for a logit.
    pub fn value(&self, x: f64) -> f64 {
        self.low + (self.high - self.low) * sigmoid(x)
    }

    /// Derivative of the value by the logit.
    pub fn slope(&self, x: f64) -> f64 {
        (self.high - self.low) * sigmoid(x) * sigmoid(-x)
    }

    /// Logit of a value strictly between the bounds.
    pub fn logit(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - value)).ln()
    }

    /// What is wrong with it, if anything.
    pub fn check(&self) -> Result<(), String> {
        let Setting { mode, initial, low, high } = *self;
        if !(low < high && low.is_finite() && high.is_finite()) {
            return Err(format!("bounds [{low}, {high}]: the lower must be below the upper"));
        }
        let inside = |x: f64| (low..=high).contains(&x);
        match mode {
            Mode::Meta if !(low < initial && initial < high) => Err(format!(
                "initial value {initial}: a learned value starts strictly between its bounds {low} and {high}"
            )),
            Mode::Scheduled { end } if !inside(end) => Err(format!("final value {end} is not in [{low}, {high}]")),
            _ if !inside(initial) => Err(format!("initial value {initial} is not in [{low}, {high}]")),
            _ => Ok(()),
        }
    }
}

/// `1 / (1 + exp(-x))` without overflow.
fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

/// A setting for each meta-parameter, in the order of [`Tunable::ALL`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tunables(pub [Setting; 6]);

impl Tunables {
    /// Everything fixed at these values.
    pub fn fixed(eta: &Eta) -> Tunables {
        Tunables(Tunable::ALL.map(|t| Setting::fixed(eta.get(t))))
    }

    /// Setting of one meta-parameter.
    pub fn get(&self, tunable: Tunable) -> &Setting {
        &self.0[tunable as usize]
    }

    /// Place of one setting.
    pub fn get_mut(&mut self, tunable: Tunable) -> &mut Setting {
        &mut self.0[tunable as usize]
    }

    /// The learned ones: the order of logits and meta-gradients.
    pub fn learned(&self) -> Vec<Tunable> {
        Tunable::ALL.into_iter().filter(|t| self.get(*t).mode == Mode::Meta).collect()
    }

    /// Logits at the start.
    pub fn start(&self) -> Vec<f64> {
        self.logits(&self.eta(&vec![0.0; self.learned().len()], 0.0), true)
    }

    /// Logits at which the learned meta-parameters have the values of `eta`, held a little inside the bounds; those of the
    /// settings' initial values if `initial`.
    fn logits(&self, eta: &Eta, initial: bool) -> Vec<f64> {
        let logit = |t: Tunable| {
            let setting = self.get(t);
            let margin = 1e-6 * (setting.high - setting.low);
            let value =
                if initial { setting.initial } else { eta.get(t).clamp(setting.low + margin, setting.high - margin) };
            setting.logit(value)
        };
        self.learned().into_iter().map(logit).collect()
    }

    /// Logits of a reference: where the safety rail falls back to. Values on or beyond a bound are held 1e-6 of its width inside.
    pub fn fall_back(&self, reference: &Eta) -> Vec<f64> {
        self.logits(reference, false)
    }

    /// Values of all meta-parameters for these logits, at a fraction `progress` of the run.
    ///
    /// # Panics
    /// If there is not one logit per learned meta-parameter.
    pub fn eta(&self, logits: &[f64], progress: f64) -> Eta {
        let learned = self.learned();
        assert_eq!(logits.len(), learned.len(), "one logit per learned meta-parameter");
        let mut eta = Eta::reference(0.0, 0.0);
        for t in Tunable::ALL {
            let setting = self.get(t);
            *eta.get_mut(t) = match setting.mode {
                Mode::Fixed | Mode::Meta => setting.initial,
                Mode::Scheduled { end } => setting.initial + (end - setting.initial) * progress.clamp(0.0, 1.0),
            };
        }
        for (t, x) in learned.into_iter().zip(logits) {
            *eta.get_mut(t) = self.get(t).value(*x);
        }
        eta
    }

    /// Meta-gradient by the logits from that by the values.
    pub fn by_logits(&self, logits: &[f64], by_value: &[f64]) -> Vec<f64> {
        self.learned().into_iter().zip(logits).zip(by_value).map(|((t, x), g)| g * self.get(t).slope(*x)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_and_values_agree() {
        let mut tunables = Tunables::fixed(&Eta::reference(0.9, 1.0));
        *tunables.get_mut(Tunable::Gamma) = Setting::meta(0.99);
        *tunables.get_mut(Tunable::ValueCost) = Setting { low: 0.1, high: 2.0, ..Setting::meta(0.5) };
        tunables.get_mut(Tunable::EntropyCost).initial = 0.02;
        tunables.get_mut(Tunable::EntropyCost).mode = Mode::Scheduled { end: 0.0 };
        assert_eq!(tunables.learned(), [Tunable::Gamma, Tunable::ValueCost]);
        let x = tunables.start();
        let eta = tunables.eta(&x, 0.25);
        assert!((eta.gamma - 0.99).abs() < 1e-15 && (eta.value_cost - 0.5).abs() < 1e-15);
        assert_eq!([eta.lambda, eta.entropy_cost, eta.policy_cost], [1.0, 0.015, 1.0]);
        let h = 1e-6;
        let slopes = tunables.by_logits(&x, &[1.0, 1.0]);
        for (k, t) in tunables.learned().into_iter().enumerate() {
            let moved = |h: f64| {
                let mut x = x.clone();
                x[k] += h;
                tunables.eta(&x, 0.0).get(t)
            };
            assert!((slopes[k] - (moved(h) - moved(-h)) / (2.0 * h)).abs() < 1e-9);
        }
        let back = tunables.eta(&tunables.fall_back(&Eta::reference(1.0, 1.0)), 0.0);
        assert!((back.gamma - (1.0 - 1e-6)).abs() < 1e-12, "{}", back.gamma);
    }

    #[test]
    fn impossible_settings_are_named() {
        assert!(Setting::meta(0.5).check().is_ok());
        assert!(Setting::meta(1.0).check().unwrap_err().contains("strictly"));
        assert!(Setting { low: 2.0, ..Setting::meta(0.5) }.check().unwrap_err().contains("bounds"));
        assert!(
            Setting { mode: Mode::Scheduled { end: 3.0 }, ..Setting::meta(0.5) }.check().unwrap_err().contains("3")
        );
        assert!(Setting { mode: Mode::Fixed, ..Setting::meta(1.5) }.check().is_err());
    }
}
