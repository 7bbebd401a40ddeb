//! The page on which figures stand: a section for each kind of measurement.

use crate::shell::{self, Failure};

const START: &str = "# Benchmarks

`cargo xtask bench --migration` and `cargo xtask bench --owner` write this page; nobody types a
figure into it. Seconds depend on the machine. What counts is the ratio of programs that ran in turn
on the same input.
";

/// Writes a section, which begins with its heading, in the place of the one of the same heading.
pub(super) fn put(section: &str) -> Result<(), Failure> {
    let path = shell::root().join("docs/benchmarks.md");
    let page = std::fs::read_to_string(&path).map_err(Failure::file(&path))?;
    std::fs::write(&path, replaced(&page, section)).map_err(Failure::file(&path))?;
    println!("written: {}", path.display());
    Ok(())
}

fn replaced(page: &str, section: &str) -> String {
    let heading = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let mut sections: Vec<String> =
        page.split("\n## ").skip(1).map(|text| format!("## {}\n", text.trim_end())).collect();
    let section = format!("{}\n", section.trim_end());
    match sections.iter_mut().find(|old| heading(old) == heading(&section)) {
        Some(old) => *old = section,
        None => sections.push(section),
    }
    format!("{START}\n{}", sections.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_its_own_and_of_no_other() {
        let page = replaced("# Benchmarks\n\n## A\n\none\n\n## B\n\ntwo\n", "## A\n\nthree\n");
        assert_eq!(page, format!("{START}\n## A\n\nthree\n\n## B\n\ntwo\n"));
        let page = replaced(&page, "## C\n\nfour\n\n");
        assert!(page.ends_with("## B\n\ntwo\n\n## C\n\nfour\n"), "{page}");
    }
}
