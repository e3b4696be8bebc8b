//! What a report consists of: sections with sentences, what is missing, figures, tables and where the numbers come from.

use super::figure::{self, Figure};

/// A cell of a table: how it is shown, and the number behind it in full.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// As shown.
    pub shown: String,
    /// As in the CSV.
    pub full: Vec<String>,
}

impl Entry {
    /// Text, the same in both.
    pub fn text(text: impl Into<String>) -> Entry {
        let text = text.into();
        Entry { shown: text.clone(), full: vec![text] }
    }

    /// A number, shortened where it is shown.
    pub fn number(x: f64) -> Entry {
        Entry { shown: super::comparison::verdict::digits(x), full: vec![figure::number(x)] }
    }

    /// A count.
    pub fn count(n: usize) -> Entry {
        Entry::text(n.to_string())
    }

    /// A number with its interval; three columns in the CSV.
    pub fn interval(x: f64, interval: Option<[f64; 2]>) -> Entry {
        use super::comparison::verdict::{brackets, digits};
        let [low, high] = interval.map_or([String::new(), String::new()], |i| i.map(figure::number));
        Entry { shown: digits(x) + &brackets(interval), full: vec![figure::number(x), low, high] }
    }

    /// An empty cell that takes `columns` columns in the CSV.
    pub fn none(columns: usize) -> Entry {
        Entry { shown: "–".into(), full: vec![String::new(); columns] }
    }
}

/// A heading of a column: as shown, and its columns in the CSV.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// As shown.
    pub shown: String,
    /// Names in the CSV.
    pub names: Vec<String>,
}

impl Column {
    /// One column.
    pub fn plain(shown: &str, name: &str) -> Column {
        Column { shown: shown.into(), names: vec![name.into()] }
    }

    /// A number with its interval: NAME, NAME_low, NAME_high.
    pub fn interval(shown: &str, name: &str) -> Column {
        Column { shown: shown.into(), names: vec![name.into(), format!("{name}_low"), format!("{name}_high")] }
    }
}

/// One table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Name of its file, without extension.
    pub name: String,
    /// Heading.
    pub title: String,
    /// What the columns mean, with units and n.
    pub caption: String,
    /// Columns.
    pub columns: Vec<Column>,
    /// Lines of cells.
    pub lines: Vec<Vec<Entry>>,
}

impl Table {
    /// Leaves out the plain columns with these names.
    pub fn without(&mut self, names: &[&str]) {
        let kept: Vec<bool> = self.columns.iter().map(|c| !names.contains(&c.names[0].as_str())).collect();
        let mut k = kept.iter();
        self.columns.retain(|_| k.next() == Some(&true));
        for line in &mut self.lines {
            let mut k = kept.iter();
            line.retain(|_| k.next() == Some(&true));
        }
    }

    /// The table as CSV, in full precision.
    pub fn csv(&self) -> String {
        let head = self.columns.iter().flat_map(|c| c.names.clone()).collect();
        let lines = self.lines.iter().map(|line| line.iter().flat_map(|e| e.full.clone()).collect());
        figure::csv(&std::iter::once(head).chain(lines).collect::<Vec<Vec<String>>>())
    }
}

/// What one input (or one group of runs) has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Heading.
    pub title: String,
    /// Prefix of the names of its files where a report has several sections.
    pub name: String,
    /// What is missing or limits the rest, one sentence each.
    pub missing: Vec<String>,
    /// The answer in a few sentences.
    pub sentences: Vec<String>,
    /// Tables, most important first.
    pub tables: Vec<Table>,
    /// Tables that are too long to be shown: files only.
    pub data: Vec<Table>,
    /// Figures.
    pub figures: Vec<Figure>,
    /// How to read the above.
    pub reading: Vec<String>,
    /// Where it comes from: key and value.
    pub provenance: Vec<(String, String)>,
    /// Resolved configuration.
    pub configuration: Option<String>,
}

/// A whole report.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Heading.
    pub title: String,
    /// The command that made it.
    pub command: String,
    /// Program and version that made it.
    pub program: String,
    /// Sections in the order of the inputs.
    pub sections: Vec<Section>,
}

impl Page {
    /// Makes the names of figures and tables distinct, and drops figures without marks.
    pub fn settle(&mut self) {
        let several = self.sections.len() > 1;
        let mut taken: Vec<String> = Vec::new();
        for section in &mut self.sections {
            section.figures.retain(|f| !f.is_empty());
            let prefix = if several { format!("{}-", section.name) } else { String::new() };
            let names = section.figures.iter_mut().map(|f| &mut f.name);
            let tables = section.tables.iter_mut().chain(&mut section.data);
            for name in names.chain(tables.map(|t| &mut t.name)) {
                let base = format!("{prefix}{name}");
                let numbered = |k: usize| if k == 1 { base.clone() } else { format!("{base}-{k}") };
                *name = (1..).map(numbered).find(|n| !taken.contains(n)).unwrap_or_default();
                taken.push(name.clone());
            }
        }
    }
}
