//! ALE 0.6 (feature `ale-sys`) beside ALE 0.12.1: where the two agree and where they do not, as measured.

use std::io::Write as _;
use tasks::atari::ale06::Ale06;
use tasks::atari::emulator::Emulator;
use tasks::atari::{Library, games};

/// Frames until points, lives or memory differ first under the same random actions; `None` if they never do.
fn parts(library: &Library, name: &str, sticky: f32, frames: usize) -> Option<usize> {
    let game = games::find(name).expect("a game");
    let mut new = library.start(game, sticky, 7).expect("it starts");
    let mut old = Ale06::start(&library.home().rom(game), game, sticky, 7).expect("it starts");
    assert_eq!(old.reset().expect("it resets").lives, new.reset().expect("it resets").lives);
    assert_eq!(old.minimal_actions(), new.minimal_actions());
    let (mut x, mut action) = (7u64, 0);
    for t in 0..frames {
        if t % 3 == 0 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            action = new.minimal_actions()[(x >> 33) as usize % new.minimal_actions().len()];
        }
        let (a, b) = (new.act(action).expect("a frame"), old.act(action).expect("a frame"));
        if a != b || new.ram() != old.ram() {
            return Some(t);
        }
        if a.over {
            new.reset().expect("it resets");
            old.reset().expect("it resets");
        }
    }
    None
}

#[test]
fn the_two_emulators_agree_where_the_table_says() {
    let library = match Library::of_user() {
        Ok(library) => library,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "\nSKIPPED, NOT TESTED: ALE 0.6 beside 0.12.1: {why}\n");
            return;
        }
    };
    for name in ["amidar", "breakout", "demon_attack", "montezuma_revenge", "pong", "qbert", "space_invaders"] {
        assert_eq!(parts(&library, name, 0.0, 3000), None, "{name}");
        assert!(parts(&library, name, 0.25, 3000).is_some(), "{name}, sticky");
    }
    assert_eq!(parts(&library, "seaquest", 0.0, 3000), Some(0));
    assert!(parts(&library, "seaquest", 0.25, 3000).is_some());
}
