//! What a figure shows, apart from how it is drawn: axes, series of marks with intervals, and the same numbers as CSV.

/// How numbers become places along an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// Proportional.
    Linear,
    /// By the logarithm; what is not positive cannot be placed.
    Log,
    /// Names at 0, 1, 2, ...
    Names(Vec<String>),
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Text beside it, with the unit.
    pub label: String,
    /// Name of the column in the CSV.
    pub column: String,
    /// Scale.
    pub scale: Scale,
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: &str, column: &str) -> Axis {
        Axis { label: label.into(), column: column.into(), scale: Scale::Linear }
    }

    /// A logarithmic axis.
    pub fn log(label: &str, column: &str) -> Axis {
        Axis { label: label.into(), column: column.into(), scale: Scale::Log }
    }
}

/// One number with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Place along the x axis.
    pub x: f64,
    /// Value.
    pub y: f64,
    /// Ends of its two-sided 95 % interval, if it has one.
    pub interval: Option<[f64; 2]>,
    /// False where the interval contains zero although the quantity cannot be negative: drawn as an upper limit.
    pub resolved: bool,
    /// Runs (or tasks, as the caption says) behind the value.
    pub n: usize,
}

impl Mark {
    /// A number without interval.
    pub fn bare(x: f64, y: f64) -> Mark {
        Mark { x, y, interval: None, resolved: true, n: 1 }
    }
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Line through the values, a band for the intervals.
    Line,
    /// A step at each value, as for distribution functions.
    Steps,
    /// Markers with whiskers, no line.
    Points,
    /// A thin line without markers: something to hold the others against.
    Reference,
    /// A thin, pale line without markers: what another line is the mean of.
    Faint,
    /// Open triangles that point up: the quantity is above the value.
    Above,
    /// Bars from zero with markers and whiskers, beside those of other series; hollow where not resolved.
    Bars,
}

impl Look {
    /// Whether it is a thin line beside those that the figure is about.
    pub fn is_thin(self) -> bool {
        matches!(self, Look::Reference | Look::Faint)
    }
}

/// One line or cloud of marks.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the key.
    pub label: String,
    /// Index into the styles: colour, dash and marker.
    pub style: usize,
    /// How it is drawn.
    pub look: Look,
    /// Marks by growing x.
    pub marks: Vec<Mark>,
}

/// One chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Name of its files, without extension.
    pub name: String,
    /// Heading.
    pub title: String,
    /// What is shown, with n and the meaning of the bands.
    pub caption: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What the n of a mark counts, in the plural: `seeds`, `runs`; empty where there is no n.
    pub counted: &'static str,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// Style of the k-th line that others are held against: black, with a dash of its own.
pub fn reference(k: usize) -> usize {
    [6, 20, 27, 13][k % 4]
}

/// A number as CSV: the shortest text that reads back as the same number; empty if it is not finite.
pub fn number(x: f64) -> String {
    if x.is_finite() { format!("{x}") } else { String::new() }
}

/// Lines as CSV with quoting.
pub fn csv(lines: &[Vec<String>]) -> String {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for line in lines {
        let _ = writer.write_record(line); // into memory: cannot fail
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

impl Figure {
    /// Text beside the vertical axis: quantity, unit and n, as in `return (reward), n = 5 seeds`.
    pub fn y_label(&self) -> String {
        let counts = self.series.iter().filter(|s| !s.look.is_thin()).flat_map(|s| &s.marks).map(|m| m.n);
        let one = self.counted.strip_suffix('s').unwrap_or(self.counted);
        match (counts.clone().min(), counts.max()) {
            (Some(_), Some(_)) if self.counted.is_empty() => self.y.label.clone(),
            (Some(1), Some(1)) => format!("{}, n = 1 {one}", self.y.label),
            (Some(least), Some(most)) if least == most => format!("{}, n = {most} {}", self.y.label, self.counted),
            (Some(least), Some(most)) => format!("{}, n = {least}\u{2013}{most} {}", self.y.label, self.counted),
            _ => self.y.label.clone(),
        }
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|s| s.marks.is_empty())
    }

    /// Every mark as one line: series, x, y, ends of the interval, n, and whether it is resolved where that can fail.
    pub fn csv(&self) -> String {
        let limits = self.series.iter().flat_map(|s| &s.marks).any(|m| !m.resolved);
        let mut head = vec!["series".to_string(), self.x.column.clone(), self.y.column.clone()];
        head.extend(["low", "high", "n"].map(String::from));
        head.extend(limits.then(|| "resolved".to_string()));
        let mut lines = vec![head];
        for series in &self.series {
            for m in &series.marks {
                let x = match &self.x.scale {
                    Scale::Names(names) => names.get(m.x.round() as usize).cloned().unwrap_or_default(),
                    _ => number(m.x),
                };
                let [low, high] = m.interval.map_or([String::new(), String::new()], |i| i.map(number));
                let mut line = vec![series.label.clone(), x, number(m.y), low, high, m.n.to_string()];
                line.extend(limits.then(|| m.resolved.to_string()));
                lines.push(line);
            }
        }
        csv(&lines)
    }
}

/// Longest slug.
const SLUG: usize = 40;

/// A file name made of letters, digits and hyphens, 40 at most.
pub fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c.is_ascii_alphanumeric() {
            true => out.push(c.to_ascii_lowercase()),
            false if !out.ends_with('-') && !out.is_empty() => out.push('-'),
            false => {}
        }
    }
    out.truncate(SLUG);
    out.trim_end_matches('-').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_csv() {
        let mark = Mark { x: 1e-7, y: 0.1 + 0.2, interval: Some([-1.0 / 3.0, 1e300]), resolved: false, n: 5 };
        let figure = Figure {
            name: "f".into(),
            title: "t".into(),
            caption: "c".into(),
            x: Axis::log("x, steps", "x"),
            y: Axis::linear("y", "y"),
            counted: "runs",
            series: vec![Series { label: "a, \"b\"".into(), style: 0, look: Look::Line, marks: vec![mark] }],
        };
        let text = figure.csv();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let line = reader.records().next().expect("one").expect("well formed");
        assert_eq!(&line[0], "a, \"b\"");
        let back: Vec<f64> = (1..5).map(|i| line[i].parse().expect("a number")).collect();
        assert_eq!(back, [mark.x, mark.y, -1.0 / 3.0, 1e300]);
        assert_eq!((&line[5], &line[6]), ("5", "false"));
    }

    #[test]
    fn the_axis_says_what_n_is() {
        let figure = |ns: &[usize], counted: &'static str| {
            let marks = ns.iter().map(|n| Mark { n: *n, ..Mark::bare(0.0, 1.0) }).collect();
            Figure {
                name: "f".into(),
                title: "t".into(),
                caption: "c".into(),
                x: Axis::linear("x", "x"),
                y: Axis::linear("y (reward)", "y"),
                counted,
                series: vec![Series { label: "a".into(), style: 0, look: Look::Line, marks }],
            }
        };
        let label = |ns: &[usize], counted| figure(ns, counted).y_label();
        assert_eq!(label(&[5, 5], "seeds"), "y (reward), n = 5 seeds");
        assert_eq!(label(&[1], "seeds"), "y (reward), n = 1 seed");
        assert_eq!(label(&[3, 5], "runs"), "y (reward), n = 3–5 runs");
        assert_eq!(label(&[3], ""), "y (reward)");
        assert_eq!(label(&[], "runs"), "y (reward)");
    }

    #[test]
    fn names_of_files_are_plain() {
        assert_eq!(slug("Bandit/Bernoulli 5 (α)"), "bandit-bernoulli-5");
    }
}
