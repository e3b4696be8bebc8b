//! The report as one HTML file: inline drawings and style, nothing fetched, no script, light and dark.

use super::page::{Page, Section, Table};
use super::{axis, draw};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Lines of a table that are shown at once; longer tables are folded.
const LONG: usize = 24;

/// Characters of a cell beyond which it is wrapped.
const WIDE: usize = 60;

/// Style sheet. Drawings are made for white paper; in the dark their presentation attributes are overridden here.
const STYLE: &str = include_str!("style.css");

/// The page, with `drawings[i][j]` the SVG of figure j of section i.
///
/// # Errors
/// The drawing library's own, in words.
pub fn render(page: &Page) -> Result<String, String> {
    let several = page.sections.len() > 1;
    let mut sections = Vec::new();
    for (i, section) in page.sections.iter().enumerate() {
        sections.push(section_markup(i, section, several)?);
    }
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (page.title) }
                    @if several {
                        nav {
                            ul {
                                @for (i, section) in page.sections.iter().enumerate() {
                                    li { a href=(format!("#section-{i}")) { (section.title) } }
                                }
                            }
                        }
                    }
                }
                main { @for section in &sections { (section) } }
                footer {
                    p { "Made by " (page.program) " with " code { (page.command) } ". Figures lie beside this file as SVG, and the \
                        numbers of every figure and table as CSV in full precision." }
                }
            }
        }
    };
    Ok(markup.into_string())
}

/// Text with `code` between backquotes.
fn prose(text: &str) -> Markup {
    html! {
        @for (i, part) in text.split('`').enumerate() {
            @if i % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// The drawing without what only a file of its own needs.
fn inline(svg: &str) -> PreEscaped<String> {
    PreEscaped(svg.trim_start().to_string())
}

fn section_markup(index: usize, section: &Section, headed: bool) -> Result<Markup, String> {
    let mut figures = Vec::new();
    for figure in &section.figures {
        figures.push((figure, draw::svg(figure)?));
    }
    Ok(html! {
        section id=(format!("section-{index}")) {
            @if headed { h2 { (section.title) } }
            @if !section.missing.is_empty() {
                div.missing role="note" { ul { @for text in &section.missing { li { (prose(text)) } } } }
            }
            @if !section.sentences.is_empty() {
                div.answer { @for text in &section.sentences { p { (prose(text)) } } }
            }
            @for table in section.tables.iter().take(1) { (table_markup(table)) }
            div.figures {
                @for (figure, svg) in &figures {
                    figure id=(figure.name) {
                        div.drawing role="img" aria-label=(figure.title) { (inline(svg)) }
                        figcaption { (prose(&figure.caption)) (prose(&axis::remark(figure))) " Data: " code { (figure.name) ".csv" } "." }
                    }
                }
            }
            @for table in section.tables.iter().skip(1) { (table_markup(table)) }
            @for table in &section.data { p.caption { (prose(&table.caption)) " Data: " code { (table.name) ".csv" } "." } }
            @if !section.reading.is_empty() {
                h3 { "How to read this" }
                ul { @for text in &section.reading { li { (prose(text)) } } }
            }
            @if !section.provenance.is_empty() || section.configuration.is_some() {
                h3 { "Where it comes from" }
                dl {
                    @for (key, value) in &section.provenance { dt { (key) } dd { (value) } }
                }
            }
            @if let Some(text) = &section.configuration {
                details { summary { "Resolved configuration" } pre { (text) } }
            }
        }
    })
}

fn table_markup(table: &Table) -> Markup {
    let body = html! {
        div.scroll tabindex="0" role="region" aria-label=(table.title) {
            table id=(table.name) {
                thead { tr { @for column in &table.columns { th scope="col" { (column.shown) } } } }
                tbody {
                    @for line in &table.lines {
                        tr {
                            @for entry in line {
                                @if entry.shown.chars().count() > WIDE { td.wide { (prose(&entry.shown)) } }
                                @else { td { (prose(&entry.shown)) } }
                            }
                        }
                    }
                }
            }
        }
    };
    html! {
        h3 { (table.title) }
        @if table.lines.len() > LONG {
            details { summary { (table.lines.len()) " lines" } (body) }
        } @else {
            (body)
        }
        p.caption { (prose(&table.caption)) " Data: " code { (table.name) ".csv" } "." }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_code_is_marked() {
        assert_eq!(prose("a <b> `c & d` e").into_string(), "a &lt;b&gt; <code>c &amp; d</code> e");
    }
}
