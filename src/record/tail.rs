//! Follows a file of JSON lines while another process appends to it: only what is new is read, cuts are noticed.

use super::{Fault, file};
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// How the lines of one file are understood.
pub struct Format<T> {
    /// What a line is, for messages: `a row of a run`.
    pub what: &'static str,
    /// A line, its number (from 1) and where it ends in the file, newline included.
    pub parse: fn(&str, usize, u64) -> Result<T, String>,
    /// What must hold of a line that could be parsed, given its number.
    pub check: fn(&T, usize) -> Result<(), String>,
}

/// A place in a file of lines: all before it has been read.
pub struct Tail<T> {
    path: PathBuf,
    format: Format<T>,
    offset: u64,
    lines: usize,
    last: Vec<u8>,
}

/// What a look at the file brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News<T> {
    /// New lines, in order.
    pub items: Vec<T>,
    /// What was read before is void: the file was cut or replaced, and `items` start again at line 1.
    pub restarted: bool,
    /// There is more to read at once.
    pub more: bool,
    /// Bytes read so far, of the bytes there are.
    pub bytes: [u64; 2],
}

/// Bytes from `from` on, at most `most` of them, and the length of the file; `None` if there is no file.
fn bytes(path: &Path, from: u64, most: u64) -> std::io::Result<Option<(Vec<u8>, u64)>> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    if length > from {
        file.seek(SeekFrom::Start(from))?;
        file.take(most).read_to_end(&mut bytes)?;
    }
    Ok(Some((bytes, length)))
}

impl<T> Tail<T> {
    /// The beginning of `path`, which need not exist yet.
    pub fn new(path: PathBuf, format: Format<T>) -> Tail<T> {
        Tail { path, format, offset: 0, lines: 0, last: Vec::new() }
    }

    /// All that is left, see [`Tail::poll`].
    ///
    /// # Errors
    /// As [`Tail::poll`].
    pub fn all(&mut self) -> Result<Vec<T>, Fault> {
        let mut items = Vec::new();
        loop {
            let news = self.poll(u64::MAX)?;
            items.extend(news.items);
            if !news.more {
                return Ok(items);
            }
        }
    }

    fn restart(&mut self) {
        (self.offset, self.lines) = (0, 0);
        self.last.clear();
    }

    /// Reads at most about `limit` bytes of whole lines behind the place. A last line that is torn is left for later.
    ///
    /// The last line read is compared on every look, so that a file that was cut and has grown again since is noticed: no two
    /// runs agree in the timings of a row.
    ///
    /// # Errors
    /// The file cannot be read, or a line that is not the last cannot be understood; the place stays before that line, and the
    /// lines before it have been brought.
    pub fn poll(&mut self, limit: u64) -> Result<News<T>, Fault> {
        let before = self.offset;
        let known = self.last.len() as u64;
        let read = |from, most| bytes(&self.path, from, most).map_err(|e| file::io(&self.path, "cannot be read", &e));
        let found = read(before - known, limit.saturating_add(known))?;
        let (mut fresh, mut length) = found.unwrap_or_default();
        let restarted = length < before || !fresh.starts_with(&self.last);
        if restarted {
            (fresh, length) = read(0, limit)?.unwrap_or_default();
            self.restart();
        }
        fresh.drain(..self.last.len());
        let mut most = limit;
        while !fresh.contains(&b'\n') && self.offset + (fresh.len() as u64) < length {
            most = most.saturating_mul(2); // one line is longer than the limit
            let bytes = bytes(&self.path, self.offset, most).map_err(|e| file::io(&self.path, "cannot be read", &e))?;
            (fresh, length) = bytes.unwrap_or_default();
        }
        let unread = self.offset + (fresh.len() as u64) < length;
        let (items, bad) = self.lines_of(&fresh, length)?;
        let more = unread || bad;
        Ok(News { items, restarted, more, bytes: [self.offset, length] })
    }

    /// The whole lines of `fresh`, which begins at the place in a file of `length` bytes, and whether a bad line follows them.
    fn lines_of(&mut self, fresh: &[u8], length: u64) -> Result<(Vec<T>, bool), Fault> {
        let (mut items, mut start) = (Vec::new(), 0);
        while let Some(size) = fresh[start..].iter().position(|&b| b == b'\n') {
            let line = &fresh[start..=start + size];
            let (number, end) = (self.lines + 1, self.offset + line.len() as u64);
            let text = std::str::from_utf8(&line[..size]).map_err(|e| e.to_string());
            let item = match text.and_then(|text| (self.format.parse)(text, number, end)) {
                Err(_) if end >= length => break, // torn: a crash, or half a write
                parsed => parsed.and_then(|item| (self.format.check)(&item, number).map(|()| item)),
            };
            let item = match item {
                Ok(item) => item,
                Err(_) if !items.is_empty() => return Ok((items, true)),
                Err(why) => return Err(self.corrupt(number, &why)),
            };
            items.push(item);
            (self.lines, self.offset) = (number, end);
            self.last.clear();
            self.last.extend_from_slice(line);
            start += size + 1;
        }
        Ok((items, false))
    }

    fn corrupt(&self, line: usize, why: &str) -> Fault {
        Fault::Unusable(format!("{}: line {line} is not {}: {why}", self.path.display(), self.format.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(dir: &Path) -> Tail<u64> {
        let parse = |text: &str, _, _| text.parse::<u64>().map_err(|e| e.to_string());
        let check = |n: &u64, line| if *n % 100 == line as u64 { Ok(()) } else { Err(format!("{n} in line {line}")) };
        Tail::new(dir.join("n"), Format { what: "a number", parse, check })
    }

    fn poll(tail: &mut Tail<u64>) -> (Vec<u64>, bool) {
        let news = tail.poll(1 << 20).expect("readable");
        (news.items, news.restarted)
    }

    #[test]
    fn only_what_is_new_is_read_and_torn_lines_wait() {
        let dir = tempfile::tempdir().expect("scratch");
        let write = |text: &str| std::fs::write(dir.path().join("n"), text).expect("writable");
        let mut tail = numbers(dir.path());
        assert_eq!(poll(&mut tail), (vec![], false), "no file yet");
        write("1\n2");
        assert_eq!(poll(&mut tail), (vec![1], false));
        write("1\n2\n3\n\0\0\n");
        assert_eq!(poll(&mut tail), (vec![2, 3], false));
        write("1\n2\n3\n4\n");
        assert_eq!(poll(&mut tail), (vec![4], false));
        assert_eq!(poll(&mut tail), (vec![], false));
    }

    #[test]
    fn cut_and_replaced_files_start_again() {
        let dir = tempfile::tempdir().expect("scratch");
        let write = |text: &str| std::fs::write(dir.path().join("n"), text).expect("writable");
        let mut tail = numbers(dir.path());
        write("1\n2\n3\n");
        poll(&mut tail);
        write("1\n2\n");
        assert_eq!(poll(&mut tail), (vec![1, 2], true), "shorter");
        write("1\n102\n3\n4\n5\n");
        assert_eq!(
            poll(&mut tail),
            (vec![1, 102, 3, 4, 5], true),
            "cut and grown again: another line before the place"
        );
        std::fs::remove_file(dir.path().join("n")).expect("there");
        assert_eq!(poll(&mut tail), (vec![], true), "gone");
        write("1\n");
        assert_eq!(poll(&mut tail), (vec![1], false));
    }

    #[test]
    fn small_portions_bring_the_same_lines() {
        let dir = tempfile::tempdir().expect("scratch");
        let text: String = (1..=50).map(|i| format!("{:0w$}\n", i, w = 1 + i % 7)).collect();
        std::fs::write(dir.path().join("n"), text).expect("writable");
        for limit in [1, 3, 10, 1 << 20] {
            let (mut tail, mut all) = (numbers(dir.path()), Vec::new());
            loop {
                let news = tail.poll(limit).expect("readable");
                assert!(!news.restarted);
                all.extend(news.items);
                if !news.more {
                    break;
                }
            }
            assert_eq!(all, (1..=50).collect::<Vec<u64>>(), "limit {limit}");
        }
    }

    #[test]
    fn a_bad_line_that_is_not_the_last_is_named() {
        let dir = tempfile::tempdir().expect("scratch");
        for (text, expected) in [("1\nx\n3\n", "line 2 is not a number"), ("1\n7\n", "7 in line 2")] {
            std::fs::write(dir.path().join("n"), text).expect("writable");
            let mut tail = numbers(dir.path());
            assert_eq!(poll(&mut tail), (vec![1], false));
            let message = tail.poll(1 << 20).expect_err("bad").to_string();
            assert_eq!(numbers(dir.path()).all().expect_err("bad").to_string(), message);
            assert!(message.contains(expected), "{message}");
        }
    }
}
