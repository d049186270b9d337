//! `csv:PATH`: a manifest that lists pictures, one a line: path, label, and perhaps the part.
//!
//! ```text
//! path,label,split
//! photos/rex.jpg,dog,train
//! "photos/a, b.jpg",cat,test
//! ```
//!
//! Paths are relative to the manifest's folder and stay within it: a path that leads out, by `..`,
//! by a root or by a link, is refused with its line, for whoever wrote the manifest decides what is
//! read. A first line whose first field is `path` is a header, and so is one of the usual words for
//! a picture and a label (`filename,class`). Quotes are RFC 4180's, what is quoted is taken to the
//! letter, and spaces around other fields are not; lines may end as Windows ends them. `\` parts
//! folders as `/` does, unless on Unix a file is called so. The split is all rows' or no row's.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::folder::part_of;
use super::plain;
use super::shelf::{Collector, Place};
use super::{Request, Source};
use crate::config::Part;
use crate::error::DataError;
use crate::natural;

/// A path and a label are not that long: 64 MiB are a million rows.
const MAX_BYTES: u64 = 1 << 26;

pub(super) fn open(request: &Request) -> Result<Box<dyn Source>, DataError> {
    let path = request.path()?;
    if path.is_dir() {
        let hint = "give the manifest itself; a folder of class folders is folder:PATH";
        return Err(DataError::refused(&path, "is a folder, want a CSV file", hint));
    }
    let path = path.canonicalize().map_err(|error| DataError::read(&path, error))?;
    let (mut file, meta) = plain::open(&path)?;
    if meta.len() > MAX_BYTES {
        let what = format!("has {} bytes, at most {MAX_BYTES} are read", meta.len());
        return Err(DataError::refused(&path, what, "split it, or use shards:PATH"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| DataError::read(&path, error))?;
    let rows = rows(&bytes).map_err(|(line, what)| at(&path, line, what))?;
    let root = path.parent().unwrap_or(Path::new("/"));
    let mut collector = Collector::new();
    collector.stamp(&path, &meta);
    let classes = collect(&path, root, &rows, &mut collector)?;
    Ok(Box::new(collector.finish(&path, classes)?))
}

fn at(path: &Path, line: usize, what: impl Into<String>) -> DataError {
    let what = what.into();
    DataError::refused(path, format!("line {line}: {what}"), "correct the line and start again")
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    /// Counted from 1.
    line: usize,
    path: String,
    label: String,
    part: Option<Part>,
}

type Wrong = (usize, String);

/// The rows, or the first wrong line and why.
fn rows(bytes: &[u8]) -> Result<Vec<Row>, Wrong> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        (line, "is not UTF-8".to_owned())
    })?;
    let mut rows = Vec::new();
    for (line, fields) in records(text)? {
        let fields: Vec<&str> = fields.iter().map(Field::text).collect();
        if rows.is_empty()
            && let Some(known) = header(&fields)
        {
            if known {
                continue;
            }
            let what = "looks like a header, want path,label or path,label,split";
            return Err((line, what.into()));
        }
        let (path, label, part) = match fields[..] {
            [path, label] => (path, label, ""),
            [path, label, part] => (path, label, part),
            _ => {
                let n = fields.len();
                return Err((line, format!("has {n} fields, want path,label or path,label,split")));
            }
        };
        if path.is_empty() || label.is_empty() {
            let which = if path.is_empty() { "path" } else { "label" };
            return Err((line, format!("has an empty {which}")));
        }
        let known = part_of(part);
        if known.is_none() && !part.is_empty() {
            return Err((line, format!("has the split {part:?}, want train, val or test")));
        }
        rows.push(Row { line, path: path.into(), label: label.into(), part: known });
    }
    let Some(first) = rows.first() else {
        return Err((1, "no pictures are listed".into()));
    };
    if let Some(row) = rows.iter().find(|row| row.part.is_some() != first.part.is_some()) {
        let (has, other) = if row.part.is_some() { ("a", "none") } else { ("no", "one") };
        let before = first.line;
        return Err((row.line, format!("has {has} split, line {before} has {other}")));
    }
    Ok(rows)
}

/// True if a first line is a header, false if it is one that is not understood.
fn header(fields: &[&str]) -> Option<bool> {
    const PICTURE: [&str; 8] =
        ["path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path"];
    const LABEL: [&str; 5] = ["label", "labels", "class", "category", "target"];
    let is =
        |words: &[&str], field: &str| words.iter().any(|word| field.eq_ignore_ascii_case(word));
    let labelled = fields.get(1).is_some_and(|field| is(&LABEL, field));
    match fields[0] {
        first if first.eq_ignore_ascii_case("path") => Some(true),
        first if labelled && is(&PICTURE, first) => Some(true),
        // A picture's name ends in its kind; a title does not.
        first if labelled && !first.contains('.') => Some(false),
        _ => None,
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Field {
    written: String,
    quoted: bool,
}

impl Field {
    fn text(&self) -> &str {
        if self.quoted { &self.written } else { self.written.trim() }
    }
}

type Record = (usize, Vec<Field>);

fn is_blank(fields: &[Field]) -> bool {
    matches!(fields, [field] if field.text().is_empty())
}

/// RFC 4180: fields of each record that is not blank, with the line it begins on.
fn records(text: &str) -> Result<Vec<Record>, Wrong> {
    let mut records = Vec::new();
    let (mut line, mut begins) = (1, 1);
    let (mut fields, mut field) = (Vec::new(), Field::default());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        line += usize::from(character == '\n');
        let closed = field.quoted && !quoted;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.written.push('"');
            }
            '"' if quoted => quoted = false,
            _ if quoted => field.written.push(character),
            '"' if field.written.is_empty() && !closed => (quoted, field.quoted) = (true, true),
            ',' => fields.push(std::mem::take(&mut field)),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' => {
                let what = "has a carriage return without a line feed; save it with the line ends \
                            of Unix or Windows";
                return Err((line, what.into()));
            }
            '\n' => {
                fields.push(std::mem::take(&mut field));
                let record = std::mem::take(&mut fields);
                if !is_blank(&record) {
                    records.push((begins, record));
                }
                begins = line;
            }
            '"' => return Err((line, "has a quote within a field".into())),
            _ if closed => return Err((line, "goes on after a closing quote".into())),
            _ => field.written.push(character),
        }
    }
    if quoted {
        return Err((begins, "opens a quote that is never closed".into()));
    }
    fields.push(field);
    if !is_blank(&fields) {
        records.push((begins, fields));
    }
    Ok(records)
}

/// Fills the collector; returns the classes in natural order.
fn collect(
    manifest: &Path,
    root: &Path,
    rows: &[Row],
    collector: &mut Collector,
) -> Result<Vec<String>, DataError> {
    let names = |rows: &mut dyn Iterator<Item = &Row>| -> BTreeSet<String> {
        rows.map(|row| row.label.clone()).collect()
    };
    let mut classes: Vec<String> = names(&mut rows.iter()).into_iter().collect();
    classes.sort_by(|a, b| natural::compare(a, b));
    if classes.len() < 2 {
        let what = format!("names {} classes, want at least 2", classes.len());
        return Err(DataError::refused(manifest, what, "give each picture its label"));
    }
    if rows[0].part.is_some() {
        let trained = names(&mut rows.iter().filter(|row| row.part == Some(Part::Train)));
        if let Some(row) = rows.iter().find(|row| !trained.contains(&row.label)) {
            let what = format!("has the label {:?}, which no training row has", row.label);
            return Err(at(manifest, row.line, what));
        }
    }
    let labels: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let mut lines: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let (name, place) = place(root, row).map_err(|what| at(manifest, row.line, what))?;
        if let Some(first) = lines.insert(name.clone(), row.line) {
            let what = format!("lists {name} again, line {first} did");
            return Err(at(manifest, row.line, what));
        }
        if let Place::File(path) = &place
            && let Ok(meta) = std::fs::metadata(path)
        {
            collector.stamp(path, &meta);
        }
        collector.add(name, labels[row.label.as_str()], row.part, place);
    }
    Ok(classes)
}

/// The picture's name, with `/` between its pieces, and where it lies.
fn place(root: &Path, row: &Row) -> Result<(String, Place), String> {
    let is_called_so = cfg!(unix) && root.join(&row.path).symlink_metadata().is_ok();
    let written = match is_called_so {
        true => row.path.clone(),
        false => row.path.replace('\\', "/"),
    };
    let mut pieces = Vec::new();
    for piece in Path::new(&written).components() {
        match piece {
            Component::Normal(piece) => pieces.push(piece.to_string_lossy().into_owned()),
            Component::CurDir => {}
            _ => return Err(format!("{} leads out of the manifest's folder", row.path)),
        }
    }
    let drive = pieces.first().is_some_and(|first| first.ends_with(':'));
    if drive || pieces.is_empty() {
        return Err(format!("{} leads out of the manifest's folder", row.path));
    }
    let name = pieces.join("/");
    let path: PathBuf = root.join(&name);
    match path.canonicalize() {
        Ok(real) if !real.starts_with(root) => {
            Err(format!("{} is a link that leads out of the manifest's folder", row.path))
        }
        Ok(_) => Ok((name, Place::File(path))),
        // What is not there is a bad picture like any other.
        Err(error) => Ok((name, Place::Bad(format!("cannot be read: {error}")))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> Vec<String> {
        let tell = |row: &Row| {
            let part = row.part.map_or("-", Part::name);
            format!("{} {}|{}|{part}", row.line, row.path, row.label)
        };
        rows(text.as_bytes()).unwrap().iter().map(tell).collect()
    }

    fn wrong(text: &str) -> String {
        let (line, what) = rows(text.as_bytes()).unwrap_err();
        format!("line {line}: {what}")
    }

    #[test]
    fn rows_are_read_as_they_are_written_everywhere() {
        let want = ["2 a.jpg|cat|train", "3 b, c.jpg|dog|val"];
        assert_eq!(told("path,label,split\na.jpg,cat,train\n\"b, c.jpg\",dog,valid\n"), want);
        let windows = "\u{feff}path,label,split\r\na.jpg,cat,train\r\n\"b, c.jpg\",dog,val";
        assert_eq!(told(windows), want);
        assert_eq!(
            told("\"say \"\"a\"\".jpg\",cat\n\n x/y.png , dog \n"),
            ["1 say \"a\".jpg|cat|-", "3 x/y.png|dog|-"]
        );
    }

    #[test]
    fn the_usual_headers_are_known_and_pictures_are_none() {
        for header in ["filename,label", "Image,Class", "file_path , category", "path,breed"] {
            assert_eq!(told(&format!("{header}\na.jpg,cat\n")), ["2 a.jpg|cat|-"], "{header}");
        }
        // A class may be called so, and a picture too.
        assert_eq!(told("a.jpg,label\nimage,cat\n"), ["1 a.jpg|label|-", "2 image|cat|-"]);
    }

    #[test]
    fn what_is_quoted_is_taken_to_the_letter() {
        let text = "\" a.jpg\",cat\n a.jpg ,\" dog \"\n\"b\r.jpg\",cat\n";
        assert_eq!(told(text), ["1  a.jpg|cat|-", "2 a.jpg| dog |-", "3 b\r.jpg|cat|-"]);
    }

    #[test]
    fn each_fault_is_told_with_its_line() {
        assert_eq!(wrong(""), "line 1: no pictures are listed");
        assert_eq!(
            wrong("a.jpg,cat\nb.jpg\n"),
            "line 2: has 1 fields, want path,label or path,label,split"
        );
        assert_eq!(
            wrong("a.jpg,cat,x,y"),
            "line 1: has 4 fields, want path,label or path,label,split"
        );
        assert_eq!(wrong("a.jpg,\n"), "line 1: has an empty label");
        let text = wrong("a.jpg,cat,train\nb.jpg,dog,tset");
        assert_eq!(text, "line 2: has the split \"tset\", want train, val or test");
        let text = wrong("a.jpg,cat,train\nb.jpg,dog,");
        assert_eq!(text, "line 2: has no split, line 1 has one");
        assert_eq!(
            wrong("a.jpg,cat\n\"b.jpg,dog\nc,d\n"),
            "line 2: opens a quote that is never closed"
        );
        assert_eq!(wrong("a\"b,cat"), "line 1: has a quote within a field");
        let text = wrong("path,label\ra.jpg,cat\rb.jpg,dog\r");
        assert!(text.starts_with("line 1: has a carriage return without a line feed"), "{text}");
        let text = wrong("Bild,label\na.jpg,cat\n");
        assert_eq!(text, "line 1: looks like a header, want path,label or path,label,split");
        assert_eq!(rows(b"a.jpg,cat\n\xff,dog"), Err((2, "is not UTF-8".into())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = rows(&bytes);
        }

        #[test]
        fn what_is_quoted_comes_back(path in "[a-z,\" \n]{0,12}[a-z]", label in "[a-z]{1,5}") {
            let text = format!("x{},{label}\n", "");
            prop_assert!(rows(text.as_bytes()).is_ok());
            let quoted = path.replace('"', "\"\"");
            let got = rows(format!("\"{quoted}\", {label} \r\n").as_bytes()).unwrap();
            prop_assert_eq!(got, vec![Row { line: 1, path, label, part: None }]);
        }
    }
}
