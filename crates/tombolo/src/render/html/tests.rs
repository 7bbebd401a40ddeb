//! The page of several faults: as it is, without names, well-formed, and asking for nothing.

use super::super::testing::{NAMES, healthy, prepared, refused_maps, unsafe_locks};
use super::*;

fn page(report: Report) -> String {
    let prepared = prepared(report);
    let text = html(&prepared.bundle).expect("a page");
    assert!(prepared.survivors(&text).is_empty(), "{:?}", prepared.survivors(&text));
    text
}

fn all() -> [(&'static str, String); 3] {
    [
        ("refused_maps", page(refused_maps())),
        ("unsafe_locks", page(unsafe_locks())),
        ("healthy", page(healthy())),
    ]
}

#[test]
fn pages_of_several_faults() {
    for (name, text) in all() {
        let text = text.replace(STYLE, "[the style sheet]\n");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn no_name_is_in_a_page() {
    for (name, text) in all() {
        for secret in NAMES {
            assert!(!text.contains(secret), "{secret} in {name}");
        }
    }
}

#[test]
fn a_page_asks_for_nothing_and_runs_nothing() {
    for (name, text) in all() {
        let markup = text.split("<pre").next().expect("a beginning");
        for wanted in ["<script", "<link", "<img", "src=", "href=", "@import", "url(", "onload"] {
            assert!(!markup.contains(wanted), "{wanted} in {name}");
        }
        assert!(text.contains("default-src 'none'"), "{name}");
    }
}

/// Every element that is opened is closed, in order: no text has become markup.
#[test]
fn a_page_is_well_formed() {
    for (name, text) in all() {
        let body = text.replace(STYLE, "");
        let mut open: Vec<&str> = Vec::new();
        for tag in body.split('<').skip(1) {
            let tag = tag.split('>').next().expect("an end");
            let element = tag.split([' ', '\n']).next().expect("a name");
            match element.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop(), Some(closed), "in {name}"),
                None if matches!(element, "!DOCTYPE" | "meta") => {}
                None => open.push(element),
            }
        }
        assert!(open.is_empty(), "{open:?} in {name}");
    }
}

#[test]
fn headings_begin_with_one_of_the_first_rank_and_tables_have_captions() {
    for (name, text) in all() {
        assert_eq!(text.matches("<h1").count(), 1, "{name}");
        assert_eq!(text.matches("<table").count(), text.matches("<caption").count(), "{name}");
        assert!(text.contains("<html lang=\"en\">"), "{name}");
        let first = text.find("<h3").unwrap_or(usize::MAX);
        assert!(text.find("<h2").expect("a heading") < first, "{name}");
    }
}

/// WCAG 2.1, success criterion 1.4.3: 4.5 to 1 for text.
#[test]
fn colours_have_contrast_in_light_and_dark() {
    let dark_at = STYLE.find("prefers-color-scheme: dark").expect("a dark scheme");
    let (light, dark) = STYLE.split_at(dark_at);
    for scheme in [light, dark] {
        for ground in ["ground", "paper", "code"] {
            for ink in ["ink", "soft", "accent"] {
                assert_contrast(scheme, ink, ground);
            }
        }
        for tone in ["good", "caution", "fault", "danger"] {
            assert_contrast(scheme, tone, &format!("{tone}-ground"));
            assert_contrast(scheme, tone, "paper");
        }
    }
}

#[track_caller]
fn assert_contrast(scheme: &str, ink: &str, ground: &str) {
    let [ink_light, ground_light] = [ink, ground].map(|name| luminance(colour(scheme, name)));
    let (high, low) = (ink_light.max(ground_light), ink_light.min(ground_light));
    let ratio = (high + 0.05) / (low + 0.05);
    assert!(ratio >= 4.5, "{ink} on {ground}: {ratio:.2}");
}

fn colour(scheme: &str, name: &str) -> u32 {
    let (_, rest) = scheme.split_once(&format!("--{name}: #")).expect("a colour of that name");
    u32::from_str_radix(&rest[..6], 16).expect("six digits")
}

/// WCAG 2.1, "relative luminance".
fn luminance(colour: u32) -> f64 {
    let [_, red, green, blue] = colour.to_be_bytes().map(|byte| {
        let share = f64::from(byte) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}
