//! `docs/json.md` names every field that the report's types print.

use super::{Complaint, Tree, source::Source, source::Token};

const PAGE: &str = "docs/json.md";
const TYPES: &[&str] = &[
    "crates/tombolo-core/src/owner/status/",
    "crates/tombolo-core/src/report/",
    "crates/tombolo-core/src/trace/",
    "crates/tombolo-doctor/src/bundle/",
    "crates/tombolo-doctor/src/explain/",
    "crates/tombolo-doctor/src/knowledge/compare.rs",
    "crates/tombolo-doctor/src/remedy/simplify.rs",
    "crates/tombolo-doctor/src/tune/",
    "crates/tombolo-remedy/src/config/field.rs",
    "crates/tombolo-remedy/src/migrate/report.rs",
    "crates/tombolo-remedy/src/plan.rs",
    "crates/tombolo-remedy/src/protocol/",
    "crates/tombolo/src/fix/",
    "crates/tombolo/src/trace/show.rs",
];

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let page = tree.get(PAGE).unwrap_or_default();
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(".rs") {
        if !TYPES.iter().any(|directory| path.starts_with(directory)) {
            continue;
        }
        let Some(source) = Source::parse(path, text) else { continue };
        for (line, field) in printed_fields(source.product()) {
            if !page.contains(&format!("`{field}`")) {
                let message = format!("the field `{field}` is not described in {PAGE}");
                complaints.push(Complaint::new("json-docs", path, line, message));
            }
        }
    }
    complaints
}

/// The fields of structs that derive `Serialize`: private ones are printed as well.
fn printed_fields(tokens: &[Token]) -> Vec<(usize, &str)> {
    let mut fields = Vec::new();
    let (mut serialized, mut in_struct, mut depth) = (false, false, 0_usize);
    for (index, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(index + ahead).map_or("", |token| token.text.as_str());
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    (serialized, in_struct) = (false, false);
                }
            }
            "Serialize" if depth > 0 && !in_struct => serialized = true,
            "struct" if depth == 0 => in_struct = serialized,
            "enum" | "fn" | "impl" | "use" if depth == 0 => {
                (serialized, in_struct) = (false, false)
            }
            ":" => {}
            // Two colons are a path within a type.
            name if in_struct && depth == 1 && next(1) == ":" && next(2) != ":" => {
                fields.push((token.line, name));
            }
            _ => {}
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "use serde::{Serialize};\n#[derive(Clone)] pub struct A { pub a: u8 }\n\
        #[derive(Serialize)] pub struct B { #[serde(default)] pub b: Vec<u8>, c: std::x::Y }\n\
        #[derive(Serialize)] pub enum D { E }\n";

    #[test]
    fn fields_of_printed_structs_are_found() {
        let source = Source::parse("a.rs", CODE).unwrap();
        assert_eq!(printed_fields(&source.tokens), [(3, "b"), (3, "c")]);
    }

    #[test]
    fn fields_must_be_described() {
        let types = ("crates/tombolo-core/src/report/a.rs", CODE);
        assert_eq!(check(&Tree::of(&[types])).len(), 2);
        assert!(check(&Tree::of(&[types, (PAGE, "| `b`, `c` | bytes |")])).is_empty());
    }
}
