//! Iterated games of two players with two actions each, by payoff table: what is paid, and what each player sees.

use crate::env::Rng;
use rand::Rng as _;

/// What a player can see: the start, and the four outcomes of the round before.
pub const STATES: usize = 5;

/// Outcomes of a round, by the actions of the first and of the second player: DD, DC, CD, CC (D is action 0, C is action 1).
pub const OUTCOMES: usize = 4;

/// Places in a play: state of the first player times [`OUTCOMES`] plus outcome. One byte tells a whole round.
pub const PLACES: usize = STATES * OUTCOMES;

/// Names of the states, from the player's own view: own action first.
pub const STATE_NAMES: [&str; STATES] = ["start", "DD", "DC", "CD", "CC"];

/// A game that is played over and over.
#[derive(Clone, Debug, PartialEq)]
pub struct Game {
    /// Name; `custom` for a table of the user's own.
    pub name: String,
    /// What the first and the second player are paid for DD, DC, CD, CC; the first player's action comes first in both rows.
    pub payoffs: [[f64; OUTCOMES]; 2],
}

/// Names, what action 0 and 1 are, and the payoffs of the games that are shipped.
const GAMES: [(&str, &str, [[f64; OUTCOMES]; 2]); 4] = [
    (
        "ipd",
        "iterated prisoner's dilemma: 0 defects, 1 cooperates (Theoretical-GMRL, LOLA-DiCE)",
        [[-2.0, 0.0, -3.0, -1.0], [-2.0, -3.0, 0.0, -1.0]],
    ),
    (
        "matching-pennies",
        "0 heads, 1 tails: the first player wins a match, the second a mismatch",
        [[1.0, -1.0, -1.0, 1.0], [-1.0, 1.0, 1.0, -1.0]],
    ),
    ("stag-hunt", "0 hunts hare, 1 hunts stag (Skyrms)", [[2.0, 3.0, 1.0, 4.0], [2.0, 1.0, 3.0, 4.0]]),
    ("chicken", "0 dares, 1 gives way (Aumann 1974)", [[0.0, 7.0, 2.0, 6.0], [0.0, 2.0, 7.0, 6.0]]),
];

/// Names of the shipped games.
pub fn names() -> [&'static str; 4] {
    GAMES.map(|(name, _, _)| name)
}

/// What a shipped game is, in words.
pub fn about(name: &str) -> Option<&'static str> {
    GAMES.iter().find(|(n, _, _)| *n == name).map(|(_, about, _)| *about)
}

/// The state in which `player` (0 or 1) sees a place whose state is `state` to the first player: the other's DC is one's own CD.
pub fn seen(player: usize, state: usize) -> usize {
    match (player, state) {
        (1, 2) => 3,
        (1, 3) => 2,
        _ => state,
    }
}

/// Action of `player` in an outcome: 0 is D, 1 is C.
pub fn action(player: usize, outcome: usize) -> usize {
    (outcome >> (1 - player)) & 1
}

impl Game {
    /// A shipped game.
    pub fn named(name: &str) -> Option<Game> {
        GAMES.iter().find(|(n, _, _)| *n == name).map(|(n, _, payoffs)| Game { name: (*n).into(), payoffs: *payoffs })
    }

    /// A game of the user's own.
    pub fn custom(payoffs: [[f64; OUTCOMES]; 2]) -> Game {
        Game { name: "custom".into(), payoffs }
    }
}

/// Plays `episodes` of `horizon` rounds, one after the other, and appends their places to `out`.
///
/// `defects[p][s]` is the probability that player p plays action 0 in the state s of its own view. A round takes one draw of 64 bits,
/// 32 for each player, so probabilities count to 2^-32.
pub fn play(defects: &[[f64; STATES]; 2], episodes: usize, horizon: usize, rng: &mut Rng, out: &mut Vec<u8>) {
    let limit = |p: f64| (p.clamp(0.0, 1.0) * 4_294_967_296.0).round() as u64;
    let limits: [[u64; STATES]; 2] =
        std::array::from_fn(|p| std::array::from_fn(|state| limit(defects[p][seen(p, state)])));
    out.reserve(episodes * horizon);
    for _ in 0..episodes {
        let mut state = 0;
        for _ in 0..horizon {
            let draw = rng.next_u64();
            let first = u8::from((draw & 0xffff_ffff) >= limits[0][state]);
            let second = u8::from((draw >> 32) >= limits[1][state]);
            let outcome = 2 * first + second;
            out.push((OUTCOMES * state) as u8 + outcome);
            state = usize::from(outcome) + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn payoffs_are_those_of_the_specification() {
        let ipd = Game::named("ipd").expect("shipped");
        // own action, other's action, own reward (specification gradient-bias 3.1)
        for (own, other, reward) in [(0, 0, -2.0), (0, 1, 0.0), (1, 0, -3.0), (1, 1, -1.0)] {
            assert_eq!(ipd.payoffs[0][2 * own + other], reward);
            assert_eq!(ipd.payoffs[1][2 * other + own], reward);
        }
        for name in names() {
            let game = Game::named(name).expect("shipped");
            assert!(about(name).is_some());
            let is_symmetric = (0..OUTCOMES).all(|o| game.payoffs[0][o] == game.payoffs[1][seen(1, o + 1) - 1]);
            assert_eq!(is_symmetric, name != "matching-pennies", "{name}");
        }
    }

    #[test]
    fn each_player_sees_its_own_action_first() {
        for outcome in 0..OUTCOMES {
            for player in [0, 1] {
                let state = seen(player, outcome + 1);
                assert_eq!(action(player, outcome), (state - 1) >> 1, "own action");
                assert_eq!(action(1 - player, outcome), (state - 1) & 1, "other's action");
            }
        }
        assert_eq!([seen(0, 0), seen(1, 0)], [0, 0]);
    }

    #[test]
    fn rounds_follow_the_policies() {
        // tit for tat against one who always defects but in the first round
        let tit_for_tat = [0.0, 1.0, 0.0, 1.0, 0.0];
        let defector = [0.0, 1.0, 1.0, 1.0, 1.0];
        let mut out = Vec::new();
        play(&[tit_for_tat, defector], 2, 4, &mut Rng::seed_from_u64(1), &mut out);
        // CC at the start; then CD; then DD for good
        assert_eq!(out[..4], [3, 4 * 4 + 2, 4 * 3, 4]);
        assert_eq!(out[4..], out[..4]);
    }

    #[test]
    fn frequencies_match_probabilities() {
        let defects = [[0.3, 0.6, 0.2, 0.9, 0.5], [0.7, 0.1, 0.4, 0.8, 0.25]];
        let mut out = Vec::new();
        play(&defects, 40_000, 2, &mut Rng::seed_from_u64(2), &mut out);
        for state in 0..STATES {
            let here: Vec<usize> =
                out.iter().map(|p| usize::from(*p)).filter(|p| p / OUTCOMES == state).map(|p| p % OUTCOMES).collect();
            for outcome in 0..OUTCOMES {
                let chance = |p: usize| {
                    let d = defects[p][seen(p, state)];
                    if action(p, outcome) == 0 { d } else { 1.0 - d }
                };
                let expected = chance(0) * chance(1);
                let n = here.len() as f64;
                let found = here.iter().filter(|o| **o == outcome).count() as f64 / n;
                // 20 binomials at 4.5 standard errors: alpha < 2e-4
                assert!((found - expected).abs() < 4.5 * (expected * (1.0 - expected) / n).sqrt(), "{state} {outcome}");
            }
        }
    }
}
