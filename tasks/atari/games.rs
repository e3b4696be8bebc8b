//! The table of games: ROM and MD5, minimal actions, reference scores of random play and humans.

use super::error::AtariError;
use std::sync::OnceLock;

/// Scores that normalise others: (score - random) / |human - random|.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// Mean score of random play.
    pub random: f64,
    /// Mean score of a human tester.
    pub human: f64,
}

impl Reference {
    /// Human-normalised score: 0 random, 1 human. The absolute value matters for Video Pinball under human starts,
    /// where the human scored below random (Double DQN's convention).
    pub fn normalised(&self, score: f64) -> f64 {
        (score - self.random) / (self.human - self.random).abs()
    }
}

/// What the 57-game benchmark knows of a game.
#[derive(Clone, Debug, PartialEq)]
pub struct Benchmark {
    /// Minimal action set, as the emulator reports it.
    pub minimal_actions: Vec<u8>,
    /// References under no-op starts (dqn_zoo `atari_data.py`).
    pub noop: Reference,
    /// References under human starts (van Hasselt, Guez and Silver 2016, Table 5). The start states were never
    /// published, so scores under human starts can be read and not repeated.
    pub human_starts: Reference,
}

/// One game that the emulator knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Game {
    /// ALE's name in snake case, e.g. `space_invaders`.
    pub name: &'static str,
    /// MD5 of its ROM, lower-case hexadecimal.
    pub md5: &'static str,
    /// Present for the 57 games of the benchmark.
    pub benchmark: Option<Benchmark>,
}

impl Game {
    /// File name of its ROM.
    pub fn rom_file(&self) -> String {
        format!("{}.bin", self.name)
    }
}

const TABLE: &str = include_str!("games.tsv");

fn parse(line: &'static str) -> Game {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let number = |i: usize| fields[i].parse::<f64>().expect("a score in games.tsv");
    let benchmark = (fields.len() == 7).then(|| Benchmark {
        minimal_actions: fields[2].split(',').map(|a| a.parse().expect("an action in games.tsv")).collect(),
        noop: Reference { random: number(3), human: number(4) },
        human_starts: Reference { random: number(5), human: number(6) },
    });
    Game { name: fields[0], md5: fields[1], benchmark }
}

/// Every game, by name.
pub fn all() -> &'static [Game] {
    static GAMES: OnceLock<Vec<Game>> = OnceLock::new();
    GAMES.get_or_init(|| TABLE.lines().filter(|l| !l.starts_with('#')).map(parse).collect())
}

/// The 57 games of the benchmark, by name.
pub fn benchmark() -> impl Iterator<Item = &'static Game> {
    all().iter().filter(|g| g.benchmark.is_some())
}

/// `space_invaders` for `SpaceInvaders`, `Space-Invaders`, `atari/space_invaders`, `SpaceInvadersNoFrameskip-v4`, ...
fn normal(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = name.split("-v").next().unwrap_or(name);
    let name = name.strip_suffix("NoFrameskip").unwrap_or(name);
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(if matches!(c, '-' | ' ') { vec!['_'] } else { c.to_lowercase().collect() });
    }
    out
}

/// The game called `name`: ALE's name, `atari/NAME`, or Gymnasium's (`SpaceInvaders`, `ALE/Pong-v5`).
///
/// # Errors
/// [`AtariError::UnknownGame`] with the nearest name.
pub fn find(name: &str) -> Result<&'static Game, AtariError> {
    let wanted = normal(name);
    if let Some(game) = all().iter().find(|g| g.name == wanted) {
        return Ok(game);
    }
    let distance = |g: &Game| strsim::damerau_levenshtein(g.name, &wanted);
    let nearest = all().iter().min_by_key(|g| distance(g)).filter(|g| distance(g) <= 1 + wanted.len() / 3);
    let hint = match nearest {
        Some(game) => format!("did you mean `{}`?", game.name),
        None => "`stillpoint tasks` lists them".into(),
    };
    Err(AtariError::UnknownGame(format!("no Atari game is called `{name}`; {hint}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_the_benchmark() {
        assert_eq!((all().len(), benchmark().count()), (108, 57));
        assert!(all().windows(2).all(|w| w[0].name < w[1].name));
        assert!(all().iter().all(|g| g.md5.len() == 32));
        let pong = find("pong").expect("there").benchmark.as_ref().expect("in the benchmark");
        assert_eq!(pong.minimal_actions, [0, 1, 3, 4, 11, 12]);
        assert_eq!(pong.noop, Reference { random: -20.7, human: 14.6 });
    }

    #[test]
    fn names_of_other_programs_are_understood() {
        for name in ["space_invaders", "SpaceInvaders", "ALE/SpaceInvaders-v5", "SpaceInvadersNoFrameskip-v4"] {
            assert_eq!(find(name).expect(name).name, "space_invaders");
        }
        assert_eq!(find("atari/up_n_down").expect("there").name, "up_n_down");
    }

    #[test]
    fn unknown_names_get_a_suggestion() {
        assert!(find("pomg").expect_err("unknown").to_string().contains("did you mean `pong`?"));
        assert!(find("breakotu").expect_err("unknown").to_string().contains("`breakout`"));
        assert!(find("xyzxyzxyz").expect_err("unknown").to_string().contains("stillpoint tasks"));
    }

    #[test]
    fn humans_below_random_still_count_upwards() {
        let pinball = find("video_pinball").expect("there").benchmark.as_ref().expect("in the benchmark");
        let r = pinball.human_starts;
        assert!(r.human < r.random && r.normalised(r.random + 1.0) > 0.0);
    }
}
