//! Files and functions stay small enough to be read at one sitting.

use super::{Complaint, Tree, source, source::Source, source::Token};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let first_test_line = source::first_test_line(path, text);
        let lines = match first_test_line {
            1 => text.lines().count(),
            line => line - 1,
        };
        if lines > FILE_LINES {
            let message =
                format!("{lines} lines outside tests, limit {FILE_LINES}: split by concern");
            let complaint = Complaint::new("file-size", path, 0, message);
            complaints.push(Complaint { excess: lines - FILE_LINES, ..complaint });
        }
        let Some(source) = Source::parse(path, text) else { continue };
        for (line, name, lines) in functions(source.product()) {
            if lines > FUNCTION_LINES {
                let message = format!("`{name}` has {lines} lines, limit {FUNCTION_LINES}");
                let complaint = Complaint::new("function-size", path, line, message);
                complaints.push(Complaint { excess: lines - FUNCTION_LINES, ..complaint });
            }
        }
    }
    complaints
}

/// Every function with a body: its line, name and number of lines.
fn functions(tokens: &[Token]) -> Vec<(usize, &str, usize)> {
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "fn") {
        let Some(name) = tokens.get(index + 1).filter(|token| is_name(&token.text)) else {
            continue;
        };
        if let Some(last) = last_line(&tokens[index..]) {
            found.push((token.line, name.text.as_str(), last + 1 - token.line));
        }
    }
    found
}

/// The line of the brace that closes the first body; `None` for a declaration without one.
fn last_line(tokens: &[Token]) -> Option<usize> {
    let (mut depth, mut body) = (0_usize, false);
    for token in tokens {
        match token.text.as_str() {
            "{" | "(" | "[" => {
                body |= depth == 0 && token.text == "{";
                depth += 1;
            }
            "}" | ")" | "]" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 && body {
                    return Some(token.line);
                }
            }
            ";" if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<&'static str> {
        let tree = Tree::of(&[("crates/x/src/a.rs", text)]);
        check(&tree).into_iter().map(|complaint| complaint.rule).collect()
    }

    #[test]
    fn a_file_has_a_limit_without_its_tests() {
        let long = "const A: u8 = 0;\n".repeat(FILE_LINES);
        assert!(rules(&long).is_empty());
        assert_eq!(rules(&format!("{long}//\n")), ["file-size"]);
        assert!(rules(&format!("{long}#[cfg(test)]\nmod tests {{}}\n")).is_empty());
    }

    #[test]
    fn a_function_has_a_limit() {
        let body = "    g([1; 2]);\n".repeat(FUNCTION_LINES - 2);
        assert!(rules(&format!("fn f() {{\n{body}}}\n")).is_empty());
        assert_eq!(rules(&format!("fn f() {{\n{body}\n}}\n")), ["function-size"]);
    }

    #[test]
    fn pointers_and_declarations_are_no_functions() {
        let source = Source::parse("a.rs", "type F = fn(u8); trait T { fn f(&self); }").unwrap();
        assert!(functions(&source.tokens).is_empty());
    }
}
